/** Dates and times as ISO 8601 (and RFC 3339) write them. */

const days = /^([+-]\d{6}|\d{4})-(\d\d)-(\d\d)/;
const clock = /^(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?/;
const zone = /^ ?(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)$/;
const dayMs = 86_400_000;
const secondNanos = 1_000_000_000n;

/** Days since the epoch of `2024-02-29`; undefined for any other text, and for days that no calendar has. */
export function parseDay(text: string): number | undefined {
  const found = days.exec(text);
  return found !== null && found[0].length === text.length ? dayOf(found) : undefined;
}

/** Nanoseconds since midnight of `23:59`, `23:59:59` and `23:59:59.999999999`. */
export function parseTimeOfDay(text: string): bigint | undefined {
  const found = clock.exec(text);
  return found !== null && found[0].length === text.length ? nanosOf(found) : undefined;
}

/**
 * Nanoseconds since the epoch of `2024-02-29T23:59:59.5Z`, also with an offset (`+02:00`), with a space for the T, without a
 * zone, which is UTC then, and of a day, which is its midnight.
 */
export function parseTimestamp(text: string): bigint | undefined {
  const date = days.exec(text);
  const day = date === null ? undefined : dayOf(date);
  if (date === null || day === undefined) return undefined;
  const midnight = BigInt(day) * 86_400n * secondNanos;
  const rest = text.slice(date[0].length);
  if (rest === '') return midnight;
  const time = /^[Tt ]/.test(rest) ? clock.exec(rest.slice(1)) : null;
  const nanos = time === null ? undefined : nanosOf(time);
  if (time === null || nanos === undefined) return undefined;
  const offset = offsetOf(rest.slice(1 + time[0].length));
  return offset === undefined ? undefined : midnight + nanos - offset;
}

function dayOf([, year, month, day]: RegExpExecArray): number | undefined {
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  const isThere = date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day);
  return isThere ? date.getTime() / dayMs : undefined;
}

function nanosOf([, hours, minutes, seconds = '0', fraction = '']: RegExpExecArray): bigint | undefined {
  if (Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 59) return undefined;
  const whole = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  return BigInt(whole) * secondNanos + BigInt(fraction.padEnd(9, '0'));
}

function offsetOf(text: string): bigint | undefined {
  if (text === '') return 0n;
  const found = zone.exec(text);
  if (found === null) return undefined;
  const [, sign, hours = '0', minutes = '0'] = found;
  if (Number(hours) > 23 || Number(minutes) > 59) return undefined;
  const offset = BigInt(Number(hours) * 3600 + Number(minutes) * 60) * secondNanos;
  return sign === '-' ? -offset : offset;
}

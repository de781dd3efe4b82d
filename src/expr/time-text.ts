import { civilDay, dayNumber, zoneOffset } from './calendar.js';

const daySeconds = 86_400;

/** A time as seconds (since the epoch, or since midnight) and nanoseconds beyond them. */
export interface WrittenTime {
  readonly seconds: number;
  readonly nanos: number;
}

const pattern =
  /^(?:([+-]?\d{4,6})-(\d\d)-(\d\d)(?:[T ]|$))?(?:(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?(Z|[+-]\d\d:?\d\d)?$/;

/**
 * The time written in `text` by ISO 8601: a date, a time of day, or both with `T` or a space between, with an offset or `Z`.
 * Undefined for anything else, days and times that do not exist, and a form that is not `wanted`.
 */
export function parseTime(
  text: string,
  wanted: 'date' | 'time' | 'timestamp',
  zone: string | null,
): WrittenTime | undefined {
  const found = pattern.exec(text.trim());
  if (found === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction, offset] = found;
  const hasDate = year !== undefined;
  const hasTime = hour !== undefined;
  if ((wanted === 'time') === hasDate || (wanted === 'date' && hasTime) || (wanted === 'time' && !hasTime))
    return undefined;
  if (offset !== undefined && (wanted !== 'timestamp' || !hasTime)) return undefined;
  const days = hasDate ? dayNumber(Number(year), Number(month), Number(day)) : 0;
  if (hasDate) {
    const civil = civilDay(days);
    if (civil.month !== Number(month) || civil.day !== Number(day)) return undefined;
  }
  const [h, m, s] = [Number(hour ?? 0), Number(minute ?? 0), Number(second ?? 0)];
  if (h > 23 || m > 59 || s > 59) return undefined;
  const local = days * daySeconds + h * 3600 + m * 60 + s;
  const ahead = offset === undefined ? zoneAhead(local, zone) : zoneOffset(offset)(0);
  return { seconds: local - ahead, nanos: Number((fraction ?? '').padEnd(9, '0')) };
}

/** What a column's zone is ahead of UTC at a time on its clock. */
function zoneAhead(local: number, zone: string | null): number {
  if (!zone) return 0;
  const offset = zoneOffset(zone);
  return offset(local - offset(local));
}

/** A day as `2024-02-29`. */
export function dateText(days: number): string {
  const { year, month, day } = civilDay(days);
  const years = year >= 0 && year <= 9999 ? pad(year, 4) : `${year < 0 ? '-' : '+'}${pad(Math.abs(year), 6)}`;
  return `${years}-${pad(month, 2)}-${pad(day, 2)}`;
}

/** A second of the day as `23:59:59`, with `digits` digits of the `fraction`. */
export function clockText(second: number, fraction: bigint, digits: number): string {
  const clock = `${pad(Math.floor(second / 3600), 2)}:${pad(Math.floor(second / 60) % 60, 2)}:${pad(second % 60, 2)}`;
  return digits === 0 ? clock : `${clock}.${String(fraction).padStart(digits, '0')}`;
}

function pad(value: number, digits: number): string {
  return String(value).padStart(digits, '0');
}

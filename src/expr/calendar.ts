import { SpiralError } from '../core/errors.js';

/** The day of a time: days since the epoch, as a date of the Gregorian calendar (proleptic). */
export interface CivilDay {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

/** The date of day number `days` since 1970-01-01 (H. Hinnant, "chrono-compatible low-level date algorithms"). */
export function civilDay(days: number): CivilDay {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const ofEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  );
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const fromMarch = Math.floor((5 * ofYear + 2) / 153);
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: ofYear - Math.floor((153 * fromMarch + 2) / 5) + 1,
  };
}

/** The day number of a date. */
export function dayNumber(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const ofYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const ofEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + ofYear;
  return era * 146_097 + ofEra - 719_468;
}

/** Seconds that a time zone is ahead of UTC, at a second since the epoch. */
export type ZoneOffset = (second: number) => number;

const zones = new Map<string, ZoneOffset>();
/** Offsets change at the bounds of such pieces of time, but for a few of long ago, which are asked for one by one. */
const pieceSeconds = 900;
/** Pieces that are remembered of a zone: 28 years. */
const piecesMax = 1_000_000;

/**
 * The offset of `zone`: 'UTC', '+02:00', or a name of the IANA database that this Node.js knows.
 *
 * @throws SpiralError `invalid_expression` for a zone that is not known.
 */
export function zoneOffset(zone: string): ZoneOffset {
  let offset = zones.get(zone);
  if (offset === undefined) zones.set(zone, (offset = newOffset(zone)));
  return offset;
}

function newOffset(zone: string): ZoneOffset {
  if (/^(UTC|GMT|Z|Etc\/UTC)$/i.test(zone)) return () => 0;
  const fixed = /^([+-])(\d\d):?(\d\d)$/.exec(zone);
  if (fixed !== null) {
    const seconds = (Number(fixed[2]) * 60 + Number(fixed[3])) * 60 * (fixed[1] === '-' ? -1 : 1);
    return () => seconds;
  }
  const clock = zoneClock(zone);
  const pieces = new Map<number, number | undefined>();
  return (second) => {
    const piece = Math.floor(second / pieceSeconds);
    let offset = pieces.get(piece);
    if (offset === undefined && !pieces.has(piece)) {
      const [first, last] = [clock(piece * pieceSeconds), clock((piece + 1) * pieceSeconds - 1)];
      offset = first === last ? first : undefined;
      if (pieces.size >= piecesMax) pieces.clear();
      pieces.set(piece, offset);
    }
    return offset ?? clock(Math.floor(second));
  };
}

function zoneClock(zone: string): ZoneOffset {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      calendar: 'iso8601',
      numberingSystem: 'latn',
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
      hourCycle: 'h23',
    });
  } catch (cause) {
    throw new SpiralError(
      'invalid_expression',
      `Expected a time zone that is known, such as UTC, Europe/Paris or +02:00, got '${zone}'. Cast the column to timestamp[us, UTC].`,
      { details: { zone }, cause },
    );
  }
  return (second) => {
    const parts = Object.fromEntries(format.formatToParts(second * 1000).map(({ type, value }) => [type, value]));
    const year = parts['era']?.startsWith('B') ? 1 - Number(parts['year']) : Number(parts['year']);
    const days = dayNumber(year, Number(parts['month']), Number(parts['day']));
    const local = days * 86_400 + Number(parts['hour']) * 3600 + Number(parts['minute']) * 60 + Number(parts['second']);
    return local - second;
  };
}

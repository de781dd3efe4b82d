import { type Data, DataType, type Date_, type Time, type Timestamp, TimeUnit } from 'apache-arrow';
import { makeColumn, mismatch, outOfRange, type Place, validityOf } from './build-data.js';
import { buildInts } from './build-numbers.js';

type Values = ArrayLike<unknown>;

const dayMs = 86_400_000;
const perMs: ReadonlyMap<TimeUnit, bigint> = new Map([
  [TimeUnit.MILLISECOND, 1n],
  [TimeUnit.MICROSECOND, 1_000n],
  [TimeUnit.NANOSECOND, 1_000_000n],
]);
const perSecond: ReadonlyMap<TimeUnit, number> = new Map([
  [TimeUnit.SECOND, 1],
  [TimeUnit.MILLISECOND, 1e3],
  [TimeUnit.MICROSECOND, 1e6],
  [TimeUnit.NANOSECOND, 1e9],
]);

/** timestamp and date64: a Date or a number, both milliseconds since the epoch; or a bigint in the type's own unit. */
export function buildTimestamps(type: Timestamp | Date_, values: Values, length: number, place: Place): Data {
  const factor = DataType.isDate(type) ? 1n : perMs.get(type.unit);
  const array = new BigInt64Array(length);
  for (let row = 0; row < length; row++) {
    const value = values[row];
    if (value === null || value === undefined) continue;
    let exact: bigint;
    if (typeof value === 'bigint') exact = value;
    else {
      const ms = milliseconds(value, type, row, place);
      if (factor === undefined && ms % 1000 !== 0) {
        throw outOfRange(place, row, type, 'a whole second', value, 'Round it, or use timestamp[ms].');
      }
      exact = factor === undefined ? BigInt(ms / 1000) : BigInt(ms) * factor;
    }
    array[row] = exact;
    if (array[row] !== exact) throw outOfRange(place, row, type, 'a time that fits 64 bits', value);
  }
  return makeColumn(type, length, validityOf(values, length), { values: array });
}

/** date32: a Date or a number, both milliseconds since the epoch, at midnight UTC; or a bigint in days. */
export function buildDays(type: Date_, values: Values, length: number, place: Place): Data {
  const array = new Int32Array(length);
  for (let row = 0; row < length; row++) {
    const value = values[row];
    if (value === null || value === undefined) continue;
    const days = typeof value === 'bigint' ? Number(value) : milliseconds(value, type, row, place) / dayMs;
    array[row] = days;
    if (array[row] !== days) {
      throw outOfRange(place, row, type, 'a day (midnight UTC)', value, 'Cut the time off, or use timestamp[ms].');
    }
  }
  return makeColumn(type, length, validityOf(values, length), { values: array });
}

/** time32 and time64: a number or bigint in the type's own unit, from midnight to just before the next. */
export function buildTimesOfDay(type: Time, values: Values, length: number, place: Place): Data {
  const data = buildInts(type, values, length, place);
  const array = data.values as Int32Array | BigInt64Array;
  const end = 86_400 * perSecond.get(type.unit)!;
  for (let row = 0; row < length; row++) {
    const time = array[row]!;
    if (time < 0 || time >= end) throw outOfRange(place, row, type, 'a time of day', values[row]);
  }
  return data;
}

function milliseconds(value: unknown, type: DataType, row: number, place: Place): number {
  if (typeof value !== 'number' && !(value instanceof Date)) {
    throw mismatch(place, row, type, 'a Date, milliseconds since the epoch, or a bigint in its own unit', value);
  }
  const ms = Number(value);
  if (Number.isSafeInteger(ms)) return ms;
  throw outOfRange(place, row, type, 'whole milliseconds', value, 'Give finer times as a bigint in its own unit.');
}

import { type Data, DataType, Int32, Int64, type Timestamp } from 'apache-arrow';
import { makeColumn, noNulls } from '../arrow/build-data.js';
import { layoutOf } from '../arrow/layout.js';
import { wideReader } from './arithmetic.js';
import { zoneOffset } from './calendar.js';
import type { DataCast } from './cast.js';
import { castNumbers, uncastable } from './cast-numbers.js';
import { isSound } from './overflow.js';
import { classOf } from './promote.js';
import { validityOfBits } from './values.js';

/**
 * Casts among dates, times, timestamps and durations, and between these and integers, which count their units. To a coarser
 * unit, and to a date, is rounded down. A timestamp with a zone and one without are the same reading of UTC; a date of one with
 * a zone is the day on that zone's clock; a date is midnight UTC, and no timestamp of another zone.
 */
export function castTimes(from: DataType, to: DataType): DataCast | undefined {
  const [of, and] = [classOf(from), classOf(to)];
  if (of === 'int' || and === 'int') return countCast(from, to);
  const isPair =
    of === and ||
    (of === 'date' && and === 'timestamp' && /^(UTC)?$/.test((to as Timestamp).timezone ?? '')) ||
    (of === 'timestamp' && (and === 'date' || and === 'time'));
  if (!isPair) return undefined;
  const [top, bottom] = ratio(from, to);
  const ahead = of === 'timestamp' && and !== 'timestamp' ? clockOf(from as Timestamp) : undefined;
  const day = and === 'time' && of === 'timestamp' ? 86_400n * unitsPerSecond(to) : undefined;
  return (data, valid, where) => {
    const layout = layoutOf(to);
    if (layout.kind !== 'fixed') throw uncastable(null, 0, to, where);
    const bytes = layout.array.BYTES_PER_ELEMENT;
    const values = new layout.array(new ArrayBuffer(data.length * bytes), 0, data.length);
    const read = wideReader(data);
    for (let row = 0; row < data.length; row++) {
      if (!isSound(valid, row)) continue;
      const own = ahead === undefined ? read(row) : read(row) + ahead(read(row));
      let value = floorDivide(own * top, bottom);
      if (day !== undefined) value = ((value % day) + day) % day;
      values[row] = bytes === 8 ? value : Number(value);
      if (BigInt(values[row]!) !== value) throw uncastable(read(row), row, to, where);
    }
    return makeColumn(to, data.length, validityOfBits(valid), { values });
  };
}

const int64 = new Int64();

/** Times as counts of their unit, and back. */
function countCast(from: DataType, to: DataType): DataCast | undefined {
  const [of, time] = classOf(from) === 'int' ? [from, to] : [to, from];
  if (!DataType.isInt(of) || !of.isSigned) return undefined;
  const layout = layoutOf(time);
  if (layout.kind !== 'fixed') return undefined;
  const asInt = (data: Data, type: DataType): Data =>
    makeColumn(type, data.length, noNulls, { values: data.values as Int32Array });
  const bits = layout.array.BYTES_PER_ELEMENT * 8;
  const whole = bits === 64 ? int64 : int32Like(of);
  if (of === to) {
    return (data, valid, where) => castNumbers(whole, to)(asInt(data, whole), valid, where);
  }
  return (data, valid, where) => {
    const counts = castNumbers(from, whole)(data, valid, where);
    return makeColumn(to, data.length, validityOfBits(valid), { values: counts.values as Int32Array });
  };
}

function int32Like(of: DataType): DataType {
  return (of as DataType & { bitWidth: number }).bitWidth === 32 ? of : new Int32();
}

/** What a timestamp's unit is in units of `to`, as a fraction. */
function ratio(from: DataType, to: DataType): readonly [top: bigint, bottom: bigint] {
  const days = (type: DataType): boolean => DataType.isDate(type) && type.unit === 0;
  const top = days(to) ? 1n : unitsPerSecond(to) * (days(from) ? 86_400n : 1n);
  const bottom = days(from) ? 1n : unitsPerSecond(from) * (days(to) ? 86_400n : 1n);
  return [days(from) && days(to) ? 1n : top, bottom];
}

function unitsPerSecond(type: DataType): bigint {
  return DataType.isDate(type) ? 1000n : 1000n ** BigInt((type as DataType & { unit: number }).unit);
}

/** Units that the clock of a timestamp's zone is ahead of UTC. */
function clockOf(type: Timestamp): ((value: bigint) => bigint) | undefined {
  if (!type.timezone) return undefined;
  const offset = zoneOffset(type.timezone);
  const perSecond = unitsPerSecond(type);
  return (value) => BigInt(offset(Number(floorDivide(value, perSecond)))) * perSecond;
}

function floorDivide(value: bigint, by: bigint): bigint {
  const whole = value / by;
  return whole * by > value ? whole - 1n : whole;
}

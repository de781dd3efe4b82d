import { type Data, DataType, Int32, type Timestamp } from 'apache-arrow';
import { makeColumn } from '../arrow/build-data.js';
import { oneOf } from '../core/check.js';
import { civilDay, dayNumber, zoneOffset } from './calendar.js';
import { badCall, type CallSite, mistyped, type Rule, type Rules, typeText } from './call-site.js';
import { uncastable } from './cast-numbers.js';
import type { FunctionName } from './function-name.js';
import { isWideData, numbersOf } from './number-view.js';
import { isSound } from './overflow.js';
import { classOf, plainType } from './promote.js';
import { allConstant, strict, type ValidBits } from './strict.js';
import { columnValues, dataOf, validityOfBits } from './values.js';

const int32 = new Int32();
const daySeconds = 86_400;
/** Beyond these seconds since the epoch, either way, dates leave what Intl and Date know: the years ±271821. */
const secondsMax = 8_640_000_000_000;

/** What times are in: `of` units make `seconds` seconds. */
interface Unit {
  readonly of: number;
  readonly seconds: number;
}

/** The unit of a date, a time or a timestamp. */
export function unitOf(type: DataType): Unit {
  const { unit } = type as DataType & { unit: number };
  if (DataType.isDate(type)) return unit === 0 ? { of: 1, seconds: daySeconds } : { of: 1000, seconds: 1 };
  return { of: 1000 ** unit, seconds: 1 };
}

/** Reads the second since the epoch (or since midnight) of a row, rounded down, by the clock of the column's time zone. */
function localSeconds(data: Data): (row: number) => number {
  const { of, seconds } = unitOf(data.type);
  const zone = DataType.isTimestamp(data.type) ? (data.type as Timestamp).timezone : null;
  const offset = zone ? zoneOffset(zone) : undefined;
  const read = secondReader(data, of, seconds);
  if (offset === undefined) return read;
  return (row) => {
    const second = read(row);
    return Math.abs(second) > secondsMax ? second : second + offset(second);
  };
}

function secondReader(data: Data, of: number, seconds: number): (row: number) => number {
  if (!isWideData(data)) {
    const numbers = numbersOf(data);
    return (row) => Math.floor((numbers[row]! * seconds) / of);
  }
  const values = data.values as BigInt64Array;
  return (row) => {
    const value = values[row]!;
    // Doubles are exact here, but for counts of nanoseconds: those are divided as bigints.
    const near = Number(value);
    if (Number.isSafeInteger(near)) return Math.floor((near * seconds) / of);
    const whole = value / BigInt(of);
    return Number(whole * BigInt(of) > value ? whole - 1n : whole);
  };
}

/** A part of a time as a number. `of` takes days since the epoch and the second of the day. */
function part(takes: readonly string[], of: (day: number, second: number) => number): Rule {
  return {
    count: [1, 1],
    bind: (site) => {
      const [arg] = site.args;
      if (!takes.includes(classOf(arg!.type))) throw mistyped(site, `a ${takes.join(' or a ')}`, remedy(site));
      checkZone(arg!.type);
      return {
        type: int32,
        args: [arg!],
        run: strict(int32, (args, _rows, valid, where) => {
          const data = dataOf(args[0]!);
          const read = localSeconds(data);
          const values = new Int32Array(data.length);
          for (let row = 0; row < values.length; row++) {
            if (!isSound(valid, row)) continue;
            const second = read(row);
            const day = Math.floor(second / daySeconds);
            const value = of(day, second - day * daySeconds);
            values[row] = value;
            if (values[row] !== value) throw uncastable(value, row, int32, where);
          }
          return columnValues(makeColumn(int32, data.length, validityOfBits(valid), { values }), allConstant(args));
        }),
      };
    },
  };
}

/** A zone that is not known is an error of the expression, not of a row. */
function checkZone(type: DataType): void {
  const plain = plainType(type);
  if (DataType.isTimestamp(plain) && (plain as Timestamp).timezone) zoneOffset((plain as Timestamp).timezone!)(0);
}

function remedy(site: CallSite): string {
  return classOf(site.args[0]!.type) === 'text' ? "Cast it first: se.cast(a, 'timestamp[us]')." : '';
}

const truncations = ['year', 'quarter', 'month', 'week', 'day', 'hour', 'minute', 'second'] as const;
type Truncation = (typeof truncations)[number];

/** The local second at which the `unit` of `second` begins. */
function beginning(unit: Truncation, second: number): number {
  const day = Math.floor(second / daySeconds);
  switch (unit) {
    case 'second':
      return second;
    case 'minute':
      return Math.floor(second / 60) * 60;
    case 'hour':
      return Math.floor(second / 3600) * 3600;
    case 'day':
      return day * daySeconds;
    case 'week':
      // Day 0 was a Thursday; weeks begin on Monday.
      return (day - ((((day + 3) % 7) + 7) % 7)) * daySeconds;
  }
  const { year, month } = civilDay(day);
  const first = unit === 'year' ? 1 : unit === 'quarter' ? month - ((month - 1) % 3) : month;
  return dayNumber(year, first, 1) * daySeconds;
}

const truncate: Rule = {
  count: [1, 1],
  bind: (site) => {
    const [arg] = site.args;
    const of = classOf(arg!.type);
    if (of !== 'date' && of !== 'timestamp') throw mistyped(site, 'a date or a timestamp', remedy(site));
    const given = site.node.options?.['unit'];
    if (typeof given !== 'string') throw badCall(site.node, 'a `unit` of time');
    const unit = oneOf('unit', given, truncations);
    checkZone(arg!.type);
    const type = plainType(arg!.type);
    return {
      type,
      args: [arg!],
      run: strict(type, (args, _rows, valid, where) => {
        const data = dataOf(args[0]!);
        return columnValues(truncated(data, unit, valid, where), allConstant(args));
      }),
    };
  },
};

function truncated(data: Data, unit: Truncation, valid: ValidBits, where: () => string): Data {
  const { type, length } = data;
  const { of, seconds } = unitOf(type);
  const zone = DataType.isTimestamp(type) ? (type as Timestamp).timezone : null;
  const offset = zone ? zoneOffset(zone) : (): number => 0;
  const read = localSeconds(data);
  const values = isWideData(data) ? new BigInt64Array(length) : new Int32Array(length);
  for (let row = 0; row < length; row++) {
    if (!isSound(valid, row)) continue;
    const local = beginning(unit, read(row));
    const whole = (instantOf(local, offset) / seconds) * of;
    const exact = Number.isSafeInteger(whole) ? BigInt(whole) : BigInt(instantOf(local, offset)) * BigInt(of);
    if (values instanceof BigInt64Array) values[row] = exact;
    else values[row] = Number(exact);
    if (BigInt(values[row]!) !== exact) throw uncastable(`${typeText(type)} ${exact}`, row, type, where);
  }
  return makeColumn(type, length, validityOfBits(valid), { values });
}

/** The second since the epoch of a time on a zone's clock: the first of two where the clock shows it twice. */
function instantOf(local: number, offset: (second: number) => number): number {
  const first = local - offset(local - offset(local - daySeconds) - daySeconds);
  if (first + offset(first) === local) return first;
  return local - offset(local - offset(local));
}

const dated = ['date', 'timestamp'];
const clocked = ['time', 'timestamp', 'date'];

type TimeName = Extract<FunctionName, `time.${string}`>;

/** The functions of `se.time`. */
export const timeRules: Rules<TimeName> = {
  'time.year': part(dated, (day) => civilDay(day).year),
  'time.month': part(dated, (day) => civilDay(day).month),
  'time.day': part(dated, (day) => civilDay(day).day),
  'time.hour': part(clocked, (_day, second) => Math.floor(second / 3600)),
  'time.minute': part(clocked, (_day, second) => Math.floor(second / 60) % 60),
  'time.second': part(clocked, (_day, second) => second % 60),
  'time.truncate': truncate,
};

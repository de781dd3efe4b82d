import { type Data, DataType, type Decimal, type Timestamp } from 'apache-arrow';
import { bitAt } from '../arrow/bits.js';
import { makeColumn } from '../arrow/build-data.js';
import { formatDecimal, parseDecimal, writeUnscaled } from '../arrow/decimal.js';
import { layoutOf } from '../arrow/layout.js';
import { textReader } from './byte-view.js';
import type { DataCast } from './cast.js';
import { floatArray, rescaled, uncastable } from './cast-numbers.js';
import { unscaledReader } from './compare.js';
import { isWideData, numbersOf } from './number-view.js';
import { isSound } from './overflow.js';
import { classOf } from './promote.js';
import type { ValidBits } from './strict.js';
import { TextBuilder } from './text-build.js';
import { clockText, dateText, parseTime } from './time-text.js';
import { validityOfBits } from './values.js';

const daySeconds = 86_400n;

/** Text as booleans, numbers or times; spaces around it do not count. */
export function fromText(to: DataType): DataCast | undefined {
  const of = classOf(to);
  if (of === 'bool') return boolsOfText(to);
  if (of === 'float') return floatsOfText(to);
  if (of === 'decimal') return decimalsOfText(to as Decimal);
  if (of === 'duration') return undefined;
  return wholesOfText(to, of === 'int' ? intText(to) : timeText(to));
}

function each(
  data: Data,
  valid: ValidBits,
  to: DataType,
  where: () => string,
  take: (text: string, row: number) => boolean,
): void {
  const read = textReader(data);
  for (let row = 0; row < data.length; row++) {
    if (!isSound(valid, row)) continue;
    const text = read(row).trim();
    if (!take(text, row)) throw uncastable(text, row, to, where);
  }
}

function boolsOfText(to: DataType): DataCast {
  return (data, valid, where) => {
    const bits = new Uint8Array((data.length + 7) >> 3);
    each(data, valid, to, where, (text, row) => {
      const word = text.toLowerCase();
      if (word === 'true') bits[row >> 3]! |= 1 << (row & 7);
      return word === 'true' || word === 'false';
    });
    return makeColumn(to, data.length, validityOfBits(valid), { values: bits });
  };
}

const floatText = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const words: ReadonlyMap<string, number> = new Map([
  ['nan', Number.NaN],
  ['inf', Number.POSITIVE_INFINITY],
  ['infinity', Number.POSITIVE_INFINITY],
  ['-inf', Number.NEGATIVE_INFINITY],
  ['-infinity', Number.NEGATIVE_INFINITY],
]);

function floatsOfText(to: DataType): DataCast {
  return (data, valid, where) => {
    const out = new Float64Array(data.length);
    each(data, valid, to, where, (text, row) => {
      const value = floatText.test(text) ? Number(text) : words.get(text.toLowerCase());
      out[row] = value ?? 0;
      return value !== undefined;
    });
    return makeColumn(to, data.length, validityOfBits(valid), { values: floatArray(out, to) });
  };
}

function decimalsOfText(to: Decimal): DataCast {
  return (data, valid, where) => {
    const width = to.bitWidth / 32;
    const out = new Uint32Array(data.length * width);
    const limit = 10n ** BigInt(to.precision);
    each(data, valid, to, where, (text, row) => {
      const exact = parseDecimal(text, 400);
      if (typeof exact !== 'bigint') return false;
      const value = rescaled(exact, to.scale - 400);
      if (value >= limit || value <= -limit) return false;
      writeUnscaled(out, row * width, (row + 1) * width, value);
      return true;
    });
    return makeColumn(to, data.length, validityOfBits(valid), { values: out });
  };
}

/** Text as whole numbers, by `read`, which gives undefined for text that is none. */
function wholesOfText(to: DataType, read: (text: string) => bigint | undefined): DataCast {
  return (data, valid, where) => {
    const layout = layoutOf(to);
    if (layout.kind !== 'fixed') throw uncastable(null, 0, to, where);
    const bytes = layout.array.BYTES_PER_ELEMENT;
    const values = new layout.array(new ArrayBuffer(data.length * bytes), 0, data.length);
    each(data, valid, to, where, (text, row) => {
      const value = read(text);
      if (value === undefined) return false;
      values[row] = bytes === 8 ? value : Number(value);
      return BigInt(values[row]!) === value;
    });
    return makeColumn(to, data.length, validityOfBits(valid), { values });
  };
}

function intText(to: DataType): (text: string) => bigint | undefined {
  const { bitWidth, isSigned } = to as DataType & { bitWidth: number; isSigned: boolean };
  return (text) => {
    if (!/^[+-]?\d{1,40}$/.test(text)) return undefined;
    const value = BigInt(text.replace('+', ''));
    const held = isSigned ? BigInt.asIntN(bitWidth, value) : BigInt.asUintN(bitWidth, value);
    return held === value ? value : undefined;
  };
}

/** Reads a date, a time or a timestamp, as a count of its unit; undefined for text that is none. */
export function timeText(to: DataType): (text: string) => bigint | undefined {
  const of = classOf(to) as 'date' | 'time' | 'timestamp';
  const zone = DataType.isTimestamp(to) ? ((to as Timestamp).timezone ?? null) : null;
  const { unit } = to as DataType & { unit: number };
  return (text) => {
    const time = parseTime(text, of, zone);
    if (time === undefined) return undefined;
    if (of === 'date') return unit === 0 ? BigInt(time.seconds) / daySeconds : BigInt(time.seconds) * 1000n;
    const divisor = 10 ** (9 - unit * 3);
    // A finer time than the column's unit holds would be another time.
    if (time.nanos % divisor !== 0) return undefined;
    const value = BigInt(time.seconds) * 1000n ** BigInt(unit) + BigInt(time.nanos / divisor);
    return BigInt.asIntN(64, value) === value ? value : undefined;
  };
}

/**
 * Booleans, numbers and times as text: `true`, the shortest digits that give the number again, all digits of a decimal, times
 * by ISO 8601, those with a zone in UTC with `Z`.
 */
export function toText(from: DataType, to: DataType): DataCast | undefined {
  const read = writerOf(from);
  if (read === undefined) return undefined;
  return (data, valid) => {
    const text = read(data);
    const builder = new TextBuilder(data.length);
    for (let row = 0; row < data.length; row++) {
      if (isSound(valid, row)) builder.add(text(row));
      else builder.addNothing();
    }
    return builder.data(to, valid);
  };
}

type Writer = (data: Data) => (row: number) => string;

function writerOf(from: DataType): Writer | undefined {
  switch (classOf(from)) {
    case 'bool':
      return (data) => (row) => String(bitAt(data.values as Uint8Array, data.offset + row));
    case 'int':
      return (data) => (row) => String((data.values as ArrayLike<number | bigint>)[row]);
    case 'float':
      return (data) => {
        const numbers = numbersOf(data);
        return (row) => String(numbers[row]);
      };
    case 'decimal':
      return (data) => {
        const unscaled = unscaledReader(data);
        return (row) => formatDecimal(unscaled(row), (from as Decimal).scale);
      };
    case 'date':
    case 'time':
    case 'timestamp':
      return timeWriter(from);
    default:
      return undefined;
  }
}

function timeWriter(from: DataType): Writer {
  const of = classOf(from);
  const { unit } = from as DataType & { unit: number };
  const perSecond = of === 'date' ? 1000n : 1000n ** BigInt(unit);
  const digits = of === 'date' ? 0 : unit * 3;
  const suffix = DataType.isTimestamp(from) && (from as Timestamp).timezone ? 'Z' : '';
  return (data) => {
    const values = data.values as ArrayLike<number | bigint>;
    if (of === 'date' && !isWideData(data)) return (row) => dateText(Number(values[row]));
    return (row) => {
      const value = BigInt(values[row]!);
      const fraction = ((value % perSecond) + perSecond) % perSecond;
      const seconds = (value - fraction) / perSecond;
      const second = ((seconds % daySeconds) + daySeconds) % daySeconds;
      const date = dateText(Number((seconds - second) / daySeconds));
      if (of === 'date') return date;
      const clock = clockText(Number(second), fraction, digits);
      return of === 'time' ? clock : `${date}T${clock}${suffix}`;
    };
  };
}

import { type Data, DataType, type Dictionary, Int32 } from 'apache-arrow';
import { bitAt, setBits } from '../arrow/bits.js';
import { makeColumn } from '../arrow/build-data.js';
import { sameType } from '../arrow/schema.js';
import type { Kernel } from './bound.js';
import { bytesOf } from './byte-view.js';
import { checkedText, fixedBytes } from './cast-bytes.js';
import { castNumbers } from './cast-numbers.js';
import { fromText, toText } from './cast-text.js';
import { castTimes } from './cast-times.js';
import { elementOf, listsOf } from './list-view.js';
import { plainData } from './plain-values.js';
import { classOf, isNarrow } from './promote.js';
import { allConstant, strict, type ValidBits } from './strict.js';
import { bytesData } from './text-build.js';
import { columnValues, commonBits, dataOf, validityOfBits } from './values.js';

/** Casts the rows that are valid. */
export type DataCast = (data: Data, valid: ValidBits, where: () => string) => Data;

/**
 * The cast of values of `from` to `to`; undefined where there is none. A null stays null, a value that the type does not hold
 * is an error.
 */
export function castKernel(from: DataType, to: DataType): Kernel | undefined {
  const cast = castOf(from, to);
  if (cast === undefined) return undefined;
  if (sameType(from, to)) return ([value]) => value!;
  return strict(to, (args, _rows, valid, where) => {
    return columnValues(cast(dataOf(args[0]!), valid, where), allConstant(args));
  });
}

const intOfBools = new Int32();
const number: ReadonlySet<string> = new Set(['int', 'float', 'decimal']);
const time: ReadonlySet<string> = new Set(['date', 'time', 'timestamp', 'duration']);
const written: ReadonlySet<string> = new Set(['bool', ...number, ...time]);

function castOf(from: DataType, to: DataType): DataCast | undefined {
  if (sameType(from, to)) return (data) => data;
  const [of, and] = [classOf(from), classOf(to)];
  if (DataType.isDictionary(from)) return throughDictionary(from, to);
  if (number.has(of) && number.has(and)) return castNumbers(from, to);
  if (of === 'bool' && number.has(and)) return castBools(to);
  if (and === 'bool' && (of === 'int' || of === 'float')) return truthOfNumbers(to);
  if (of === 'text' && and === 'text') return rebuilt(to);
  if (of === 'text' && and === 'binary') return DataType.isFixedSizeBinary(to) ? fixedBytes(to) : rebuilt(to);
  if (of === 'binary' && and === 'text') return checkedText(to);
  if (of === 'binary' && and === 'binary') return DataType.isFixedSizeBinary(to) ? fixedBytes(to) : rebuilt(to);
  if (of === 'text' && written.has(and)) return fromText(to);
  if (written.has(of) && and === 'text') return toText(from, to);
  if (time.has(of) || time.has(and)) return castTimes(from, to);
  if (of === 'list' && and === 'list') return castLists(from, to);
  if (of === 'struct' && and === 'struct') return castStructs(from, to);
  return undefined;
}

function throughDictionary(from: Dictionary, to: DataType): DataCast | undefined {
  const cast = castOf(from.dictionary, to);
  return cast && ((data, _valid, where) => castAll(cast, plainData(data), where));
}

/** A column cast whole, its own nulls left out, and what `outer`, a column around it, has no row for. */
function castAll(cast: DataCast, data: Data, where: () => string, outer: ValidBits = undefined): Data {
  const bits = commonBits([columnValues(data)], data.length);
  if (outer === undefined || bits === undefined) return cast(data, outer ?? bits, where);
  return cast(
    data,
    Uint8Array.from({ length: (data.length + 7) >> 3 }, (_, at) => outer[at]! & bits[at]!),
    where,
  );
}

/** Which elements are in lists that are valid; undefined where all lists are. */
function elementBits(offsets: Int32Array, rows: number, valid: ValidBits): ValidBits {
  if (valid === undefined) return undefined;
  const [first, last] = [offsets[0]!, offsets[rows]!];
  const bits = new Uint8Array((last - first + 7) >> 3);
  for (let row = 0; row < rows; row++) {
    if (bitAt(valid, row)) setBits(bits, offsets[row]! - first, offsets[row + 1]! - offsets[row]!);
  }
  return bits;
}

/** The same bytes under another type of text or binary. */
function rebuilt(to: DataType): DataCast {
  return (data, valid) => {
    const { bytes, offsets } = bytesOf(data);
    return bytesData(to, offsets.subarray(0, data.length + 1), bytes, valid);
  };
}

function castBools(to: DataType): DataCast | undefined {
  if (!isNarrow(to) && !DataType.isInt(to)) return undefined;
  return (data, valid, where) => {
    const bits = data.values as Uint8Array;
    const { offset, length } = data;
    const values = Int32Array.from({ length }, (_, row) => (bits[(offset + row) >> 3]! >> ((offset + row) & 7)) & 1);
    const whole = makeColumn(intOfBools, length, validityOfBits(valid), { values });
    return castNumbers(intOfBools, to)(whole, valid, where);
  };
}

function truthOfNumbers(to: DataType): DataCast {
  return (data, valid) => {
    const values = data.values as ArrayLike<number | bigint>;
    const bits = new Uint8Array((data.length + 7) >> 3);
    // Halves of a float16 are 0 and -0 only where no bit but the sign's is set.
    const zero = DataType.isFloat(data.type) && data.type.precision === 0 ? 0x8000 : 0;
    for (let row = 0; row < data.length; row++) {
      const value = values[row]!;
      // biome-ignore lint/suspicious/noDoubleEquals: 0n is 0 here
      if (value != 0 && value !== zero) bits[row >> 3]! |= 1 << (row & 7);
    }
    return makeColumn(to, data.length, validityOfBits(valid), { values: bits });
  };
}

function castLists(from: DataType, to: DataType): DataCast | undefined {
  const cast = castOf(elementOf(from), elementOf(to));
  if (cast === undefined || (DataType.isFixedSizeList(to) && !DataType.isFixedSizeList(from))) return undefined;
  if (DataType.isFixedSizeList(to) && DataType.isFixedSizeList(from) && to.listSize !== from.listSize) return undefined;
  return (data, valid, where) => {
    const { offsets, child } = listsOf(data);
    // Elements of lists that are null, or that a slice leaves out, do not count.
    const first = offsets[0]!;
    const elements = child.slice(first, offsets[data.length]! - first);
    const children = [castAll(cast, elements, where, elementBits(offsets, data.length, valid))];
    if (DataType.isFixedSizeList(to)) return makeColumn(to, data.length, validityOfBits(valid), { children });
    const moved = offsets.subarray(0, data.length + 1).map((offset) => offset - first);
    return makeColumn(to, data.length, validityOfBits(valid), { offsets: moved, children });
  };
}

/** Structs by the names of their fields, all of which must be there. */
function castStructs(from: DataType, to: DataType): DataCast | undefined {
  const casts = to.children.map((field) => {
    const at = from.children.findIndex((own) => own.name === field.name);
    const cast = at < 0 ? undefined : castOf(from.children[at]!.type, field.type);
    return cast && { at, cast };
  });
  if (casts.includes(undefined)) return undefined;
  return (data, valid, where) =>
    makeColumn(to, data.length, validityOfBits(valid), {
      children: casts.map((field) => castAll(field!.cast, data.children[field!.at]!, where, valid)),
    });
}

import type { Data, DataType } from 'apache-arrow';
import { bitAt } from '../arrow/bits.js';
import { makeColumn } from '../arrow/build-data.js';
import { sameType } from '../arrow/schema.js';
import type { Kernel } from './bound.js';
import { castNumbers } from './cast-numbers.js';
import { classOf } from './promote.js';
import { allConstant, strict } from './strict.js';
import { columnValues, dataOf, type Values, validityOfBits } from './values.js';

/** Casts the rows that are valid. */
export type DataCast = (data: Data, valid: Uint8Array | undefined, where: () => string) => Data;

/**
 * The cast of values of `from` to `to`; undefined where there is none. A null stays null, a value that the type does not hold
 * is an error.
 */
export function castKernel(from: DataType, to: DataType): Kernel | undefined {
  if (sameType(from, to)) return ([value]) => value!;
  const cast = castOf(from, to);
  if (cast === undefined) return undefined;
  return strict(to, (args, _rows, _valid, where) => {
    const data = dataOf(args[0]!);
    return columnValues(cast(data, validOf(args[0]!), where), allConstant(args));
  });
}

function validOf(values: Values): Uint8Array | undefined {
  const data = dataOf(values);
  if (data.nullCount === 0) return undefined;
  const bits = new Uint8Array((data.length + 7) >> 3);
  for (let row = 0; row < data.length; row++) {
    if (bitAt(data.nullBitmap!, data.offset + row)) bits[row >> 3]! |= 1 << (row & 7);
  }
  return bits;
}

function castOf(from: DataType, to: DataType): DataCast | undefined {
  const [of, and] = [classOf(from), classOf(to)];
  const isNumber = (kind: string): boolean => kind === 'int' || kind === 'float' || kind === 'decimal';
  if (isNumber(of) && isNumber(and)) return castNumbers(from, to);
  return undefined;
}

/** `data` under another type of the same layout. */
export function retyped(data: Data, type: DataType, valid: Uint8Array | undefined): Data {
  return makeColumn(type, data.length, validityOfBits(valid), {
    values: data.values as Int32Array,
    offsets: data.valueOffsets as Int32Array,
  });
}

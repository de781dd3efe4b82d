import {
  Binary,
  Bool,
  DataType,
  Field,
  Float32,
  Float64,
  Int8,
  Int16,
  Int32,
  Int64,
  List,
  Struct,
  TimestampMicrosecond,
  Uint8,
  Uint16,
  Uint32,
  Uint64,
  Utf8,
  Vector,
} from 'apache-arrow';
import { SpiralError, shown } from '../core/errors.js';
import { nestingMax } from '../core/limits.js';
import { sameType } from './schema.js';
import { typeWords } from './words.js';

/**
 * The type that fits a column of plain JavaScript values; undefined where nothing but nulls (and empty lists) tells of it.
 *
 * A number is float64, always; a bigint int64; a string utf8; a boolean bool; a Date timestamp[us, UTC]; bytes
 * (Uint8Array, Buffer, ArrayBuffer) binary; other typed arrays a list of their element type; an array, or an Arrow Vector,
 * a list of what its elements are; an object a struct of its keys in first-seen order, without the keys that are null in
 * every row. null and undefined are nulls and fit anything.
 *
 * @throws SpiralError `type_mismatch` naming column, row and both types where values disagree.
 */
export function inferType(column: string, values: ArrayLike<unknown>, where: string): DataType | undefined {
  const guess: Guess = {};
  for (let row = 0; row < values.length; row++) observe(guess, values[row], { column, row, where }, 0);
  return settled(guess);
}

/**
 * `type` as the structs among `values` use it: a struct loses the fields that no value has a key for (a key that is left
 * out leaves a table's cell alone, where a null would overwrite it) and gains, inferred, the keys it does not know. Any
 * other type, and a struct without a single key among its values, stays as it is.
 *
 * @throws SpiralError as {@link inferType}.
 */
export function fittedType(column: string, type: DataType, values: ArrayLike<unknown>, where: string): DataType {
  if (!DataType.isStruct(type)) return type;
  const seen = new Map<string, unknown[]>();
  for (let row = 0; row < values.length; row++) {
    const value = values[row];
    if (!isStructLike(value)) continue;
    for (const key of Object.keys(value)) {
      let cells = seen.get(key);
      if (cells === undefined) seen.set(key, (cells = new Array<unknown>(values.length)));
      cells[row] = value[key];
    }
  }
  if (seen.size === 0) return type;
  const fields: Field[] = [];
  for (const field of type.children) {
    const cells = seen.get(field.name);
    if (cells === undefined) continue;
    fields.push(field.clone({ type: fittedType(`${column}.${field.name}`, field.type, cells, where) }));
    seen.delete(field.name);
  }
  const isWhole =
    fields.length === type.children.length && fields.every((field, at) => field.type === type.children[at]!.type);
  for (const [key, cells] of seen) {
    const inferred = inferType(`${column}.${key}`, cells, where);
    if (inferred !== undefined) fields.push(new Field(key, inferred, true));
  }
  return fields.length === 0 || (isWhole && fields.length === type.children.length) ? type : new Struct(fields);
}

const float64 = new Float64();
const int64 = new Int64();
const bool = new Bool();
const utf8 = new Utf8();
const binary = new Binary();
const timestamp = new TimestampMicrosecond('UTC');
const elements: ReadonlyMap<string, DataType> = new Map<string, DataType>([
  ['Float64Array', float64],
  ['Float32Array', new Float32()],
  ['Int8Array', new Int8()],
  ['Int16Array', new Int16()],
  ['Int32Array', new Int32()],
  ['BigInt64Array', int64],
  ['Uint8Array', new Uint8()],
  ['Uint8ClampedArray', new Uint8()],
  ['Uint16Array', new Uint16()],
  ['Uint32Array', new Uint32()],
  ['BigUint64Array', new Uint64()],
]);

/** The type of a typed array's elements; undefined for anything else, a DataView included. */
export function elementType(values: unknown): DataType | undefined {
  return ArrayBuffer.isView(values) ? elements.get(tagOf(values)) : undefined;
}

/** Whether `value` can stand for a row or a struct: an object with keys, none of those that mean something else. */
export function isStructLike(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return false;
  const tag = tagOf(value);
  return tag === 'Object' || tag === 'Row'; // apache-arrow's own rows call themselves Row
}

function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

/** What has been seen of a column so far: at most one of the three, besides nulls. */
interface Guess {
  leaf?: DataType;
  element?: Guess;
  fields?: Map<string, Guess>;
}

interface Spot {
  readonly column: string;
  readonly row: number;
  readonly where: string;
}

function observe(guess: Guess, value: unknown, spot: Spot, depth: number): void {
  if (value === null || value === undefined) return;
  const leaf = leafType(value);
  if (leaf !== undefined) observeLeaf(guess, leaf, spot);
  else observeNested(guess, value, spot, depth);
}

function observeNested(guess: Guess, value: unknown, spot: Spot, depth: number): void {
  if (depth >= nestingMax) {
    throw new SpiralError(
      'limit_exceeded',
      `Expected at most ${nestingMax} nested levels in column '${spot.column}' at row ${spot.row} of ${spot.where}.`,
      { details: { where: spot.where, column: spot.column, row: spot.row, nestingMax } },
    );
  }
  const element = elementType(value);
  if (element !== undefined || Array.isArray(value) || Vector.isVector(value)) {
    if (guess.leaf !== undefined || guess.fields !== undefined) throw disagreement(guess, 'a list', spot);
    guess.element ??= {};
    if (element !== undefined) observeLeaf(guess.element, element, spot);
    else for (const inner of value as Iterable<unknown>) observe(guess.element, inner, spot, depth + 1);
    return;
  }
  if (!isStructLike(value)) throw disagreement(guess, undefined, spot, value);
  if (guess.leaf !== undefined || guess.element !== undefined) throw disagreement(guess, 'a struct', spot);
  guess.fields ??= new Map();
  for (const key of Object.keys(value)) {
    let field = guess.fields.get(key);
    if (field === undefined) guess.fields.set(key, (field = {}));
    observe(field, value[key], { ...spot, column: `${spot.column}.${key}` }, depth + 1);
  }
}

function observeLeaf(guess: Guess, leaf: DataType, spot: Spot): void {
  if (guess.leaf === leaf) return;
  const isFirst = guess.leaf === undefined && guess.element === undefined && guess.fields === undefined;
  if (!isFirst && (guess.leaf === undefined || !sameType(guess.leaf, leaf))) {
    throw disagreement(guess, typeWords(leaf), spot);
  }
  guess.leaf = leaf;
}

function leafType(value: unknown): DataType | undefined {
  switch (typeof value) {
    case 'number':
      return float64;
    case 'bigint':
      return int64;
    case 'string':
      return utf8;
    case 'boolean':
      return bool;
  }
  if (value instanceof Date) return timestamp;
  return value instanceof Uint8Array || value instanceof ArrayBuffer ? binary : undefined;
}

function disagreement(guess: Guess, found: string | undefined, spot: Spot, value?: unknown): SpiralError {
  const place = `in column '${spot.column}' at row ${spot.row} of ${spot.where}`;
  const details = { where: spot.where, column: spot.column, row: spot.row };
  if (found === undefined) {
    return new SpiralError(
      'type_mismatch',
      `Expected a number, bigint, string, boolean, Date, bytes, array or plain object ${place}, got ${shown(value)}.`,
      { details },
    );
  }
  const before = guess.leaf !== undefined ? typeWords(guess.leaf) : guess.element !== undefined ? 'a list' : 'a struct';
  return new SpiralError(
    'type_mismatch',
    `Expected one type ${place}, got ${found} after ${before}. Convert the values, or name the column's type in a schema.`,
    { details: { ...details, expected: before, found } },
  );
}

function settled(guess: Guess): DataType | undefined {
  if (guess.leaf !== undefined) return guess.leaf;
  if (guess.element !== undefined) {
    const element = settled(guess.element);
    return element && new List(new Field('item', element, true));
  }
  const fields: Field[] = [];
  for (const [name, inner] of guess.fields ?? []) {
    const type = settled(inner);
    if (type !== undefined) fields.push(new Field(name, type, true));
  }
  return fields.length === 0 ? undefined : new Struct(fields);
}

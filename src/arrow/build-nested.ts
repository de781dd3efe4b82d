import {
  type Data,
  DataType,
  type Dictionary,
  type FixedSizeList,
  type Int32,
  type List,
  type Struct,
  Vector,
} from 'apache-arrow';
import { nearest } from '../core/check.js';
import { makeColumn, mismatch, offsetMax, outOfRange, type Place, tooLarge, validityOf } from './build-data.js';
import { buildInts } from './build-numbers.js';
import { elementType, isStructLike } from './infer.js';
import { sameType } from './schema.js';

type Values = ArrayLike<unknown>;
/** Builds a child column, of any type. */
export type BuildChild = (type: DataType, values: Values, length: number, place: Place) => Data;

/** list<T>: arrays, typed arrays, or Arrow Vectors. */
export function buildLists(type: List, values: Values, length: number, place: Place, build: BuildChild): Data {
  const lists = listsOf(type, values, length, place);
  const offsets = new Int32Array(length + 1);
  let total = 0;
  for (let row = 0; row < length; row++) {
    total += lists[row]?.length ?? 0;
    if (total > offsetMax) throw tooLarge(place, 'list elements', 'Give fewer rows at a time.');
    offsets[row + 1] = total;
  }
  const child = elements(type.valueType, lists, (row) => offsets[row]!, total, build, {
    where: place.where,
    column: `${place.column}[]`,
    rowOf: (index) => place.rowOf(rowAt(offsets, index)),
  });
  return makeColumn(type, length, validityOf(values, length), { offsets, children: [child] });
}

/** fixed_size_list<T>[n]: as list, each of exactly n elements. */
export function buildFixedLists(
  type: FixedSizeList,
  values: Values,
  length: number,
  place: Place,
  build: BuildChild,
): Data {
  const size = type.listSize;
  const lists = listsOf(type, values, length, place);
  for (let row = 0; row < length; row++) {
    const found = lists[row];
    if (found !== undefined && found.length !== size) {
      throw outOfRange(place, row, type, `${size} elements`, values[row], `It has ${found.length}.`);
    }
  }
  const child = elements(type.valueType, lists, (row) => row * size, length * size, build, {
    where: place.where,
    column: `${place.column}[]`,
    rowOf: (index) => place.rowOf(Math.floor(index / size)),
  });
  return makeColumn(type, length, validityOf(values, length), { children: [child] });
}

/** struct: objects. A key that is missing is null; one that the type lacks is refused, unless it is null. */
export function buildStructs(type: Struct, values: Values, length: number, place: Place, build: BuildChild): Data {
  const names = new Set(type.children.map((field) => field.name));
  for (let row = 0; row < length; row++) {
    const value = values[row];
    if (value === null || value === undefined) continue;
    if (!isStructLike(value)) throw mismatch(place, row, type, 'an object', value);
    for (const key of Object.keys(value)) {
      if (names.has(key) || value[key] === null || value[key] === undefined) continue;
      const near = nearest(key, names)[0];
      const remedy = near === undefined ? 'Remove it, or add it to the schema.' : `Did you mean '${near}'?`;
      throw mismatch(place, row, type, `an object without the key '${key}'`, value, remedy);
    }
  }
  const children = type.children.map((field) => {
    const read = keyReader(field.name);
    const column: unknown[] = [];
    for (let row = 0; row < length; row++) {
      const value = values[row] as Readonly<Record<string, unknown>> | null | undefined;
      column.push(value === null || value === undefined ? null : read(value));
    }
    return build(field.type, column, length, { ...place, column: `${place.column}.${field.name}` });
  });
  return makeColumn(type, length, validityOf(values, length), { children });
}

/** Reads one key of objects; what every object inherits (`constructor`) is no value. */
export function keyReader(key: string): (value: Readonly<Record<string, unknown>>) => unknown {
  if (!(key in Object.prototype)) return (value) => value[key];
  return (value) => (Object.hasOwn(value, key) ? value[key] : undefined);
}

/** dictionary<index, value>: plain values, kept once each, in first-seen order. */
export function buildDictionaries(
  type: Dictionary,
  values: Values,
  length: number,
  place: Place,
  build: BuildChild,
): Data {
  const seen = new Map<unknown, number>();
  const distinct: unknown[] = [];
  const firstRows: number[] = [];
  const indices: (number | null)[] = [];
  for (let row = 0; row < length; row++) {
    const value = values[row];
    if (value === null || value === undefined) {
      indices.push(null);
      continue;
    }
    const key = identity(value);
    let index = seen.get(key);
    if (index === undefined) {
      seen.set(key, (index = distinct.length));
      distinct.push(value);
      firstRows.push(row);
    }
    indices.push(index);
  }
  const { isSigned, bitWidth } = type.indices;
  const room = 2 ** (bitWidth - (isSigned ? 1 : 0));
  if (distinct.length > room) {
    const remedy = 'Use a wider index type.';
    throw outOfRange(place, firstRows[room]!, type, `at most ${room} distinct values`, distinct[room], remedy);
  }
  const rowOf = (index: number): number => place.rowOf(firstRows[index]!);
  const dictionary = new Vector([build(type.dictionary, distinct, distinct.length, { ...place, rowOf })]);
  const built = buildInts(type.indices as Int32, indices, length, place);
  return makeColumn(type, length, validityOf(values, length), { values: built.values as Int32Array, dictionary });
}

/** Equal for equal values of one class only, so that a value of a wrong class still reaches its refusal. */
function identity(value: unknown): unknown {
  if (Object.is(value, -0)) return 'number:-0';
  if (typeof value === 'string') return `string:${value}`;
  if (value instanceof Date) return `date:${value.getTime()}`;
  if (value instanceof Uint8Array) {
    return `bytes:${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('latin1')}`;
  }
  return value;
}

function listsOf(type: DataType, values: Values, length: number, place: Place): (Values | undefined)[] {
  const lists: (Values | undefined)[] = [];
  for (let row = 0; row < length; row++) {
    const value = values[row];
    if (value === null || value === undefined) lists.push(undefined);
    else if (Array.isArray(value) || elementType(value) !== undefined) lists.push(value as Values);
    else if (Vector.isVector(value)) lists.push([...value]);
    else throw mismatch(place, row, type, 'an array or typed array', value);
  }
  return lists;
}

type Settable = Float64Array & { set(values: ArrayLike<number>, at: number): void };

/** The child column of all lists' elements, list `row` starting at `startOf(row)`; the gaps of null lists are nulls. */
function elements(
  type: DataType,
  lists: readonly (Values | undefined)[],
  startOf: (row: number) => number,
  total: number,
  build: BuildChild,
  place: Place,
): Data {
  if ((DataType.isInt(type) || DataType.isFloat(type)) && lists.every((list) => isRaw(type, list))) {
    const array = new (type.ArrayType as new (length: number) => Settable)(total);
    for (let row = 0; row < lists.length; row++) {
      const list = lists[row];
      if (list !== undefined) array.set(list as Float64Array, startOf(row));
    }
    return makeColumn(type, total, { nullCount: 0, bits: undefined }, { values: array });
  }
  const flat = new Array<unknown>(total).fill(null);
  for (let row = 0; row < lists.length; row++) {
    const list = lists[row];
    for (let index = 0, at = startOf(row); index < (list?.length ?? 0); index++) flat[at + index] = list![index];
  }
  return build(type, flat, total, place);
}

/** Whether the list is a typed array of just this element type, so that its memory can be copied as it is. */
function isRaw(type: DataType, list: Values | undefined): boolean {
  if (list === undefined) return true;
  const own = elementType(list);
  return own !== undefined && sameType(own, type);
}

/** The list that element `index` belongs to: the last one that starts at or before it. */
function rowAt(offsets: Int32Array, index: number): number {
  let low = 0;
  let high = offsets.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (offsets[middle]! <= index) low = middle;
    else high = middle - 1;
  }
  return low;
}

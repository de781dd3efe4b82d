import type { Data, DataType, FixedSizeList } from 'apache-arrow';
import { SpiralError } from '../core/errors.js';
import { makeColumn, noNulls, offsetMax } from './build-data.js';
import { layoutOf, type ValueArrayConstructor } from './layout.js';

/** A column of a block: as Arrow has it, or as it was stored. */
export type BlockColumn = Data | StoredCells;

/**
 * A column without nulls whose values still stand where they were stored, among bytes of other columns, so that what is
 * drawn of it is copied once: text, binary, or lists of a fixed size of numbers, however deep.
 */
export class StoredCells {
  readonly type: DataType;
  readonly bytes: Uint8Array;
  /** Value `i` is bytes `starts[i] … ends[i]` of `bytes`. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;

  constructor(type: DataType, bytes: Uint8Array, starts: Int32Array, ends: Int32Array) {
    [this.type, this.bytes, this.starts, this.ends] = [type, bytes, starts, ends];
  }

  get length(): number {
    return this.starts.length;
  }
}

/** The column of `cells` as Arrow has it, in memory that `allocate` gives. */
export function decodedCells(cells: StoredCells, allocate: Allocate = cleared): Data {
  const { type, starts, ends } = cells;
  if (layoutOf(type).kind === 'fixedList') return fixedColumn(type, starts.length, joinedCells(cells, allocate));
  const offsets = cellOffsets(starts, ends);
  return makeColumn(type, starts.length, noNulls, { offsets, values: joinedCells(cells, allocate) });
}

/** Memory of so many bytes. */
type Allocate = (bytes: number) => Uint8Array;

const cleared: Allocate = (bytes) => new Uint8Array(bytes);

/** The values one after the other, in memory that `allocate` gives. */
export function joinedCells({ bytes, starts, ends }: StoredCells, allocate: Allocate = cleared): Uint8Array {
  let size = 0;
  for (let at = 0; at < starts.length; at++) size += ends[at]! - starts[at]!;
  const whole = allocate(size);
  let to = 0;
  // Runs of values that stand one after the other are copied at once.
  for (let at = 0; at < starts.length; ) {
    const from = starts[at]!;
    let end = ends[at++]!;
    while (at < starts.length && starts[at] === end) end = ends[at++]!;
    whole.set(bytes.subarray(from, end), to);
    to += end - from;
  }
  return whole;
}

/** The offsets of values that have the lengths of `ends - starts`. @throws SpiralError `limit_exceeded` for 2 GiB and more. */
export function cellOffsets(starts: Int32Array, ends: Int32Array): Int32Array {
  const offsets = new Int32Array(starts.length + 1);
  let sum = 0;
  for (let at = 0; at < starts.length; at++) {
    sum += ends[at]! - starts[at]!;
    if (sum > offsetMax) {
      throw new SpiralError(
        'limit_exceeded',
        `Expected at most ${offsetMax} bytes of one column in a block of samples.`,
      );
    }
    offsets[at + 1] = sum;
  }
  return offsets;
}

/** `rows` values of numbers or lists of a fixed size of them, which are `bytes`, one after the other. */
export function fixedColumn(type: DataType, rows: number, bytes: Uint8Array): Data {
  const layout = layoutOf(type);
  if (layout.kind === 'fixedList') {
    const child = fixedColumn((type as FixedSizeList).children[0]!.type, rows * layout.size, bytes);
    return makeColumn(type, rows, noNulls, { children: [child] });
  }
  const Type = type.ArrayType as ValueArrayConstructor;
  const values = new Type(bytes.buffer, bytes.byteOffset, bytes.byteLength / Type.BYTES_PER_ELEMENT);
  return makeColumn(type, rows, noNulls, { values });
}

/** `column` as Arrow has it. */
export function dataOf(column: BlockColumn): Data {
  return column instanceof StoredCells ? decodedCells(column) : column;
}

/** `column` as cells over its own memory; undefined where it has nulls. */
export function cellsOf(column: BlockColumn): StoredCells | undefined {
  if (column instanceof StoredCells) return column;
  const { type, length } = column;
  if (column.nullCount > 0) return undefined;
  if (layoutOf(type).kind === 'bytes') {
    const offsets = column.valueOffsets as Int32Array;
    return new StoredCells(type, column.values as Uint8Array, offsets.subarray(0, length), offsets.subarray(1));
  }
  let leaf = column;
  while (layoutOf(leaf.type).kind === 'fixedList') {
    leaf = leaf.children[0]!;
    if (leaf.nullCount > 0) return undefined;
  }
  const { buffer, byteOffset, byteLength } = leaf.values as Uint8Array;
  const size = length === 0 ? 0 : byteLength / length;
  const starts = Int32Array.from({ length }, (_, at) => at * size);
  return new StoredCells(
    type,
    new Uint8Array(buffer, byteOffset, byteLength),
    starts,
    starts.map((at) => at + size),
  );
}

/** Bytes that `columns` of one block hold; what is left where it was stored is held whole, once. */
export function blockBytes(columns: readonly BlockColumn[]): number {
  const stored = new Set<ArrayBufferLike>();
  let bytes = 0;
  for (const column of columns) {
    if (column instanceof StoredCells) {
      if (!stored.has(column.bytes.buffer)) bytes += column.bytes.byteLength;
      stored.add(column.bytes.buffer);
    } else bytes += column.byteLength;
  }
  return bytes;
}

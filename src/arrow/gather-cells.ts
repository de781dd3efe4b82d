import type { Data, DataType } from 'apache-arrow';
import { makeColumn, noNulls } from './build-data.js';
import { fixedWidth, layoutOf } from './layout.js';
import type { Ranges } from './ranges.js';
import type { Slab } from './slab.js';
import { fixedColumn, type StoredCells } from './stored-cells.js';

/** Plans a column of the values of `cells` that `ranges` name; `checkSize` is given the bytes of text and binary. */
export function planCells(
  type: DataType,
  cells: readonly StoredCells[],
  ranges: Ranges,
  slab: Slab,
  checkSize: (bytes: number) => void,
): () => Data {
  const { total } = ranges;
  if (layoutOf(type).kind === 'fixedList') {
    const size = total * fixedBytes(type);
    const at = slab.reserve(size);
    return () => {
      const bytes = slab.bytes(at, size);
      copyCells(cells, ranges, bytes, undefined);
      return fixedColumn(type, total, bytes);
    };
  }
  const at = slab.reserve((total + 1) * 4);
  const size = cellBytes(cells, ranges);
  const bytesAt = slab.reserve(size);
  return () => {
    checkSize(size);
    const offsets = new Int32Array(slab.buffer, at, total + 1);
    const values = slab.bytes(bytesAt, size);
    copyCells(cells, ranges, values, offsets);
    return makeColumn(type, total, noNulls, { offsets, values });
  };
}

/** Bytes of a value of a list of a fixed size. */
function fixedBytes(type: DataType): number {
  const layout = layoutOf(type);
  if (layout.kind === 'fixedList') return layout.size * fixedBytes(type.children[0]!.type);
  return fixedWidth(layout as Extract<typeof layout, { kind: 'fixed' }>);
}

function cellBytes(cells: readonly StoredCells[], { count, source, start, lengths }: Ranges): number {
  let size = 0;
  for (let at = 0; at < count; at++) {
    const { starts, ends } = cells[source[at]!]!;
    const first = start[at]!;
    const last = first + (typeof lengths === 'number' ? lengths : lengths[at]!);
    for (let row = first; row < last; row++) size += ends[row]! - starts[row]!;
  }
  return size;
}

/** Copies values one after the other, and writes where each ends behind the first of `offsets`. */
function copyCells(
  cells: readonly StoredCells[],
  { count, source, start, lengths }: Ranges,
  target: Uint8Array,
  offsets: Int32Array | undefined,
): void {
  let [to, put] = [0, 0];
  if (offsets !== undefined) offsets[0] = 0;
  for (let at = 0; at < count; at++) {
    const { bytes, starts, ends } = cells[source[at]!]!;
    const first = start[at]!;
    const last = first + (typeof lengths === 'number' ? lengths : lengths[at]!);
    for (let row = first; row < last; row++) {
      const [from, end] = [starts[row]!, ends[row]!];
      target.set(bytes.subarray(from, end), to);
      to += end - from;
      if (offsets !== undefined) offsets[++put] = to;
    }
  }
}

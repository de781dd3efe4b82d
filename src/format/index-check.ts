import { DataType, type Schema } from 'apache-arrow';
import { type LayoutCounts, layoutCounts } from '../arrow/layout.js';
import type { FileIndex } from './arrow-index.js';
import { compressions } from './codec.js';
import { corrupt } from './corrupt.js';
import { lookAt, type StoredBatch } from './stored-batches.js';

/** Rows of one batch: what 32-bit row numbers and Arrow's own readers can count. */
const batchRowsMax = 2 ** 31 - 1;

/**
 * Checks that `index` fits `schema` and a file of `size` bytes: every count is a whole number of its range, and no buffer
 * reaches out of the file or into another. Checked once when a file is opened and relied on by every read.
 *
 * @throws SpiralError `corrupt_file`, naming the file and the first number that is wrong.
 */
export function checkIndex(index: FileIndex, schema: Schema, size: number, where: string): void {
  const types: DataType[] = schema.fields.map((field) => field.type);
  const counts = types.map(layoutCounts);
  const expect = (holds: boolean, expected: string, found: unknown): void => {
    if (!holds) throw corrupt(where, expected, String(found));
  };
  expect(compressions.includes(index.compression), `a compression of ${compressions.join(', ')}`, index.compression);
  for (const [number, batch] of index.batches.entries()) {
    const fault = batchFault(batch, counts, size);
    expect(fault === undefined, `a sound batch ${number} in its index`, fault);
  }
  for (const [column, batch] of index.dictionaries) {
    const type = types[column];
    const values = type !== undefined && DataType.isDictionary(type) ? [type.dictionary as DataType] : undefined;
    expect(values !== undefined, 'dictionaries of dictionary columns only', `one of column ${column}`);
    const fault = batchFault(batch, values!.map(layoutCounts), size);
    expect(fault === undefined, `a sound dictionary of column ${column} in its index`, fault);
  }
  expect(index.zones.length === types.length, `zone maps of ${types.length} columns`, index.zones.length);
}

/** What is wrong with `batch`, stored columns of so many nodes and buffers each; undefined where nothing is. */
function batchFault(batch: StoredBatch, columns: readonly LayoutCounts[], size: number): string | undefined {
  const { rows, bodyOffset } = batch;
  const { floats, nodesAt, offsetsAt, lengthsAt, counts } = lookAt(batch);
  if (!isWhole(rows, batchRowsMax)) return `${rows} rows`;
  let node = 0;
  let buffer = 0;
  for (const column of columns) {
    const found = node * 2 < counts.nodes ? floats[nodesAt + 2 * node] : undefined;
    if (found !== rows) return `a column of ${found} rows among ${rows}`;
    node += column.nodes;
    buffer += column.buffers;
  }
  if (counts.nodes !== 2 * node) return `${counts.nodes / 2} nodes for ${node}`;
  if (counts.offsets !== buffer) return `${counts.offsets} offsets for ${buffer} buffers`;
  if (counts.lengths !== buffer) return `${counts.lengths} lengths for ${buffer} buffers`;
  if (counts.sums !== buffer) return `${counts.sums} checksums for ${buffer} buffers`;
  for (let at = nodesAt; at < offsetsAt; at += 2) {
    const [length, nulls] = [floats[at]!, floats[at + 1]!];
    if (!isWhole(length) || !isWhole(nulls, length)) return `a node of ${length} rows with ${nulls} nulls`;
  }
  let end = 0;
  for (let at = 0; at < buffer; at++) {
    const [from, length] = [floats[offsetsAt + at]!, floats[lengthsAt + at]!];
    if (!isWhole(from) || from < end || !isWhole(length)) return `a buffer of ${length} bytes at ${from}`;
    end = from + length;
  }
  return isWhole(bodyOffset) && bodyOffset + end <= size ? undefined : `buffers that end at byte ${bodyOffset + end}`;
}

function isWhole(value: unknown, most: number = Number.MAX_SAFE_INTEGER): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most;
}

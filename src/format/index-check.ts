import { DataType, type Schema } from 'apache-arrow';
import { type LayoutCounts, layoutCounts } from '../arrow/layout.js';
import { type FileIndex, type StoredBatch, unkept } from './arrow-index.js';
import { compressions } from './codec.js';
import { corrupt } from './corrupt.js';

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
    const fault = batchFault(unkept(batch), counts, size);
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
  for (const [column, zones] of index.zones.entries()) {
    const wrong = zones.length !== index.batches.length || zones.some((zone) => !isWhole(zone.nulls, batchRowsMax));
    expect(!wrong, `a zone map of ${index.batches.length} batches for column ${column}`, 'another');
  }
}

/** What is wrong with `batch`, stored columns of so many nodes and buffers each; undefined where nothing is. */
function batchFault(batch: StoredBatch, columns: readonly LayoutCounts[], size: number): string | undefined {
  const { rows, bodyOffset, nodes, offsets, lengths, checksums } = batch;
  if (!isWhole(rows, batchRowsMax)) return `${rows} rows`;
  let node = 0;
  let buffer = 0;
  for (const counts of columns) {
    if (nodes[2 * node] !== rows) return `a column of ${nodes[2 * node]} rows among ${rows}`;
    node += counts.nodes;
    buffer += counts.buffers;
  }
  if (nodes.length !== 2 * node) return `${nodes.length / 2} nodes for ${node}`;
  if (offsets.length !== buffer) return `${offsets.length} offsets for ${buffer} buffers`;
  if (lengths.length !== buffer) return `${lengths.length} lengths for ${buffer} buffers`;
  if (checksums.length !== buffer) return `${checksums.length} checksums for ${buffer} buffers`;
  for (let at = 0; at < nodes.length; at += 2) {
    if (!isWhole(nodes[at]) || !isWhole(nodes[at + 1], nodes[at]!)) {
      return `a node of ${nodes[at]} rows with ${nodes[at + 1]} nulls`;
    }
  }
  let end = 0;
  for (let at = 0; at < buffer; at++) {
    const from = offsets[at]!;
    if (!isWhole(from) || from < end || !isWhole(lengths[at])) return `a buffer of ${lengths[at]} bytes at ${from}`;
    end = from + lengths[at]!;
  }
  return isWhole(bodyOffset) && bodyOffset + end <= size ? undefined : `buffers that end at byte ${bodyOffset + end}`;
}

function isWhole(value: unknown, most: number = Number.MAX_SAFE_INTEGER): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most;
}

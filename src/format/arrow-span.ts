import { Data, type DataType } from 'apache-arrow';
import { layoutOf, plainRowBytes, type ValueArrayConstructor } from '../arrow/layout.js';
import { Slab } from '../arrow/slab.js';
import { checkSignal } from '../core/abort.js';
import { readAtOnce } from '../storage/read-now.js';
import type { ArrowFile } from './arrow-file.js';
import type { StoredBatch } from './arrow-index.js';
import { markSound, type ReadRequest } from './arrow-read.js';
import { checkSum, coalesced, count, ownedBytesMin, readRange, sound } from './stored-buffers.js';

/** A column that is nothing but values of one width. */
interface PlainColumn {
  readonly column: number;
  readonly type: DataType;
  readonly width: number;
  /** Values in a row. */
  readonly size: number;
  /** The number of its first node, and of the buffer with its values. */
  readonly node: number;
  readonly values: number;
  /** Where its values lie in the memory of all columns. */
  readonly at: number;
}

/**
 * Batches `from … to` whole, as one: values are read to where they stay. Undefined where that is not all there is to do: other
 * columns than of plain values, nulls, compression, memory of the caller's.
 *
 * @throws as `readRows`.
 */
export async function readSpan(
  file: ArrowFile,
  from: number,
  to: number,
  request: ReadRequest,
): Promise<Data[] | undefined> {
  if (file.index.compression !== 'none' || request.memory !== undefined) return undefined;
  const rows = file.rowStarts[to]! - file.rowStarts[from]!;
  const slab = new Slab();
  const columns = new Map<number, PlainColumn>();
  for (const column of new Set(request.columns)) {
    const plain = plainColumn(file, column, slab, rows);
    if (plain === undefined) return undefined;
    columns.set(column, plain);
  }
  const byValues = new Map(Array.from(columns.values(), (column) => [column.values, column]));
  for (let batch = from; batch < to; batch++) {
    const stored = file.index.batches[batch]!;
    for (const column of byValues.values()) if (!isWhole(stored, column)) return undefined;
  }
  slab.allocate();
  if (slab.size >= ownedBytesMin) request.owned?.push(slab.buffer);
  const reads: Promise<void>[] = [];
  checkSignal(request.signal, 'The scan');
  for (let batch = from; batch < to; batch++) reads.push(...batchReads(file, batch, from, byValues, slab, request));
  await Promise.all(reads);
  return request.columns.map((column) => dataOf(columns.get(column)!, slab, rows));
}

function plainColumn(file: ArrowFile, column: number, slab: Slab, rows: number): PlainColumn | undefined {
  const { type } = file.schema.fields[column]!;
  const width = plainRowBytes(type);
  if (width === undefined) return undefined;
  const { node, buffer } = file.places[column]!;
  const layout = layoutOf(type);
  const size = layout.kind === 'fixedList' ? layout.size : 1;
  // Before the values stands a bitmap, in a list two.
  const values = buffer + (layout.kind === 'fixedList' ? 2 : 1);
  return { column, type, width, size, node, values, at: slab.reserve(rows * width) };
}

/** Whether all of the column is there, and nothing else. */
function isWhole({ rows, nodes, lengths }: StoredBatch, { type, node, size, values, width }: PlainColumn): boolean {
  const isList = type.children?.length > 0;
  return (
    nodes[2 * node] === rows &&
    nodes[2 * node + 1] === 0 &&
    (!isList || (nodes[2 * node + 2] === rows * size && nodes[2 * node + 3] === 0)) &&
    lengths[values] === rows * width
  );
}

/**
 * Reads the values of a batch to their places behind those of the batches before it; neighbours are read together. What is
 * read at once is checked at once.
 */
function batchReads(
  file: ArrowFile,
  batch: number,
  first: number,
  columns: ReadonlyMap<number, PlainColumn>,
  slab: Slab,
  request: ReadRequest,
): Promise<void>[] {
  const part = file.part(batch);
  const { offsets, lengths, bodyOffset } = part.batch;
  const marks = file.marks(part.batch);
  const before = file.rowStarts[batch]! - file.rowStarts[first]!;
  const wanted = [...columns.keys()].filter((at) => lengths[at]! > 0).sort((a, b) => a - b);
  const check = (at: number, place: Uint8Array): void => {
    checkSum(file, part, at, place, request.verify);
    if (marks[at] !== sound) markSound(file, batch, columns.get(at)!.column);
  };
  const placeOf = (at: number): Uint8Array => {
    const { at: place, width } = columns.get(at)!;
    return slab.bytes(place + before * width, lengths[at]!);
  };
  const reads: Promise<void>[] = [];
  for (const run of coalesced(part.batch, wanted)) {
    const [start, last] = [offsets[run[0]!]!, run.at(-1)!];
    const length = offsets[last]! + lengths[last]! - start;
    const alone = run.length === 1 ? placeOf(last) : undefined;
    if (alone !== undefined && readAtOnce(file.store, file.path, bodyOffset + start, alone)) {
      count(request.counters, length);
      check(last, alone);
      continue;
    }
    const read = readRange(file, bodyOffset + start, length, { ...request, owned: undefined }, alone);
    reads.push(
      read.then((bytes) => {
        for (const at of run) {
          const place = alone ?? placeOf(at);
          if (alone === undefined) place.set(bytes.subarray(offsets[at]! - start, offsets[at]! - start + lengths[at]!));
          check(at, place);
        }
      }),
    );
  }
  return reads;
}

function dataOf({ type, at, size }: PlainColumn, slab: Slab, rows: number): Data {
  const [items] = type.children ?? [];
  const own = items?.type ?? type;
  const { array, stride } = layoutOf(own) as { array: ValueArrayConstructor; stride: number };
  const values = new array(slab.buffer, at, rows * size * stride);
  const data = new Data(own, 0, rows * size, 0, [undefined, values] as never);
  return items === undefined ? data : new Data(type, 0, rows, 0, [] as never, [data]);
}

import { Data, type DataType } from 'apache-arrow';
import { layoutOf, plainRowBytes, type ValueArrayConstructor } from '../arrow/layout.js';
import { Slab } from '../arrow/slab.js';
import { checkSignal } from '../core/abort.js';
import { macrotask } from '../core/runtime.js';
import { readAtOnce } from '../storage/read-now.js';
import type { ArrowFile } from './arrow-file.js';
import { markSound, type ReadRequest } from './arrow-read.js';
import type { StoredBatch } from './stored-batches.js';
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
  await fill({ file, first: from, columns: byValues, slab, request }, to);
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

/** Batches that are read to the memory of all of them. */
interface Span {
  readonly file: ArrowFile;
  /** The number of the first batch. */
  readonly first: number;
  /** By the number of the buffer with their values. */
  readonly columns: ReadonlyMap<number, PlainColumn>;
  readonly slab: Slab;
  readonly request: ReadRequest;
}

/** Reads whose checksums are looked at before the next ones, while they are in the processor's cache. */
const checkedTogether = 4;
/** Turns of the event loop after which nothing could be read, when other threads are asked. */
const idleTurnsMax = 2;

/** What is read at once of a batch. */
interface Run {
  readonly batch: number;
  /** Numbers of neighbouring buffers. */
  readonly buffers: readonly number[];
}

/**
 * Reads the values of the span's batches, `to` is behind the last, to their places behind each other. The store may read many
 * small ranges in this thread, until the event loop is to turn: it then goes on after that, which is sooner than other threads
 * would be through.
 */
async function fill(span: Span, to: number): Promise<void> {
  const { signal } = span.request;
  const [alone, together] = runsOf(span, to);
  checkSignal(signal, 'The scan');
  let read = readNow(span, alone);
  for (let idle = 0; read !== undefined && read < alone.length && idle < idleTurnsMax; ) {
    await macrotask();
    checkSignal(signal, 'The scan');
    const more = readNow(span, alone.slice(read))!;
    idle = more > 0 ? 0 : idle + 1;
    read += more;
  }
  const left = [...together, ...alone.slice(read)];
  await Promise.all(left.map((run) => readRun(span, run)));
}

/** The reads of single buffers, and those of several. */
function runsOf({ file, first, columns }: Span, to: number): [alone: Run[], together: Run[]] {
  const wanted = [...columns.keys()].sort((a, b) => a - b);
  const runs: [Run[], Run[]] = [[], []];
  for (let batch = first; batch < to; batch++) {
    const stored = file.index.batches[batch]!;
    if (stored.rows === 0) continue;
    for (const buffers of wanted.length === 1 ? [wanted] : coalesced(stored, wanted)) {
      runs[buffers.length === 1 ? 0 : 1].push({ batch, buffers });
    }
  }
  return runs;
}

/** Where the values of a batch go. */
function placeOf({ file, first, columns, slab }: Span, batch: number, at: number): Uint8Array {
  const { at: place, width } = columns.get(at)!;
  const before = file.rowStarts[batch]! - file.rowStarts[first]!;
  return slab.bytes(place + before * width, file.index.batches[batch]!.lengths[at]!);
}

/** How many of `runs`, single buffers, were read at once; undefined where none ever is. */
function readNow(span: Span, runs: readonly Run[]): number | undefined {
  const { file, request } = span;
  for (let from = 0; from < runs.length; from += checkedTogether) {
    const some = runs.slice(from, from + checkedTogether);
    const ranges = some.map(({ batch, buffers }) => {
      const { bodyOffset, offsets } = file.index.batches[batch]!;
      return { offset: bodyOffset + offsets[buffers[0]!]!, into: placeOf(span, batch, buffers[0]!) };
    });
    const read = readAtOnce(file.store, file.path, ranges);
    for (let at = 0; at < (read ?? 0); at++) {
      const { into } = ranges[at]!;
      count(request.counters, into.length);
      check(span, some[at]!.batch, some[at]!.buffers[0]!, into);
    }
    if (read === undefined) return undefined;
    if (read < some.length) return from + read;
  }
  return runs.length;
}

async function readRun(span: Span, { batch, buffers }: Run): Promise<void> {
  const { file, request } = span;
  const { offsets, lengths, bodyOffset } = file.index.batches[batch]!;
  const [start, last] = [offsets[buffers[0]!]!, buffers.at(-1)!];
  const length = offsets[last]! + lengths[last]! - start;
  const alone = buffers.length === 1 ? placeOf(span, batch, last) : undefined;
  const bytes = await readRange(file, bodyOffset + start, length, { ...request, owned: undefined }, alone);
  for (const at of buffers) {
    const place = alone ?? placeOf(span, batch, at);
    if (alone === undefined) place.set(bytes.subarray(offsets[at]! - start, offsets[at]! - start + lengths[at]!));
    check(span, batch, at, place);
  }
}

/** Looks at the checksum of buffer `at` of a batch where that is still to be done. @throws as {@link readSpan}. */
function check({ file, columns, request }: Span, batch: number, at: number, bytes: Uint8Array): void {
  const isSound = file.marks(file.index.batches[batch]!)[at] === sound;
  if (isSound && request.verify !== 'always') return;
  checkSum(file, file.part(batch), at, bytes, request.verify);
  if (!isSound) markSound(file, batch, columns.get(at)!.column);
}

function dataOf({ type, at, size }: PlainColumn, slab: Slab, rows: number): Data {
  const [items] = type.children ?? [];
  const own = items?.type ?? type;
  const { array, stride } = layoutOf(own) as { array: ValueArrayConstructor; stride: number };
  const values = new array(slab.buffer, at, rows * size * stride);
  const data = new Data(own, 0, rows * size, 0, [undefined, values] as never);
  return items === undefined ? data : new Data(type, 0, rows, 0, [] as never, [data]);
}

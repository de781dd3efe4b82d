import { gatheredBytes } from '../arrow/gather.js';
import type { Ranges } from '../arrow/ranges.js';
import { columnSources } from '../arrow/sources.js';
import { checkSignal } from '../core/abort.js';
import { Heap } from '../core/heap.js';
import type { ObjectStore } from '../storage/store.js';
import type { Column } from './column.js';
import { copyKey, type EncodedKeys } from './key-codec.js';
import { compareAt, compareKeys, lowerBound } from './key-compare.js';
import { type Run, type RunBatch, RunCursor } from './run-cursor.js';
import type { ColumnSet, SortedRows } from './sorted-rows.js';
import type { KeyedTable } from './version.js';
import { duplicateKey } from './write-block.js';

/** What a merge works on. */
export interface MergeWork {
  readonly store: ObjectStore;
  readonly table: KeyedTable;
  /** Of the write. */
  readonly columns: readonly Column[];
  /** Bytes of rows that are handed on at a time. */
  readonly chunkBytes: number;
  readonly signal: AbortSignal | undefined;
  /** Takes rows, all above those it had of this set; `numbers` are theirs in the write's input. */
  take(set: ColumnSet, rows: SortedRows, numbers: () => Promise<Float64Array>): Promise<void>;
}

/**
 * Merges `runs` by key. A run is opened when its first key comes up, so that runs which follow one another are never in
 * memory together.
 *
 * @throws SpiralError `duplicate_key`, naming both rows.
 */
export async function mergeRuns(runs: readonly Run[], work: MergeWork): Promise<void> {
  const waiting = [...runs].sort((a, b) => compareKeys(b.fragment.keyMin, a.fragment.keyMin));
  const heap = new Heap<RunCursor>((a, b) => compareAt(a.batch.keys, a.at, b.batch.keys, b.at) < 0);
  const open = new Set<RunCursor>();
  const gathered = new Map<ColumnSet, Gathered>();
  try {
    for (;;) {
      while (
        waiting.length > 0 &&
        !(heap.size > 0 && compareKeys(heap.first!.key, waiting.at(-1)!.fragment.keyMin) < 0)
      ) {
        const cursor = new RunCursor(work.store, waiting.pop()!, work.columns, keyCountOf(work), work.signal);
        open.add(cursor);
        await cursor.next();
        heap.push(cursor);
      }
      if (heap.size === 0) break;
      checkSignal(work.signal, 'The write');
      const cursor = heap.first!;
      const end = await endOfStretch(cursor, heap, waiting.at(-1), work.table);
      const rows = gatheredOf(gathered, cursor.batch.set);
      rows.add(cursor, cursor.at, end);
      cursor.at = end;
      if (cursor.at < cursor.batch.keys.length || (await cursor.next())) heap.sink();
      else open.delete(heap.pop()!);
      if (rows.bytes >= work.chunkBytes) await handOn(rows, work);
    }
    for (const rows of gathered.values()) if (rows.count > 0) await handOn(rows, work);
  } finally {
    await Promise.all(Array.from(open, (cursor) => cursor.close()));
  }
}

const keyCountOf = (work: MergeWork): number => work.table.keyTypes.length;

/** The row of the top cursor's batch up to which it is below everything else. */
async function endOfStretch(
  cursor: RunCursor,
  heap: Heap<RunCursor>,
  next: Run | undefined,
  table: KeyedTable,
): Promise<number> {
  const { keys } = cursor.batch;
  const other = heap.second;
  let end = keys.length;
  if (other !== undefined) {
    if (compareAt(keys, cursor.at, other.batch.keys, other.at) === 0) throw await twice(cursor, other, table);
    end = boundFrom(keys, cursor.at, other.key);
  }
  return next === undefined ? end : Math.min(end, boundFrom(keys, cursor.at, next.fragment.keyMin));
}

async function twice(a: RunCursor, b: RunCursor, table: KeyedTable): Promise<Error> {
  const [first, second] = await Promise.all(
    [a, b].map((cursor) => cursor.numbers(cursor.batch, cursor.at, cursor.at + 1)),
  );
  return duplicateKey(table, a.key, first![0]!, second![0]!);
}

/** The lower bound of `key`, looked for near `from` first: stretches of rows in random order are one row long. */
function boundFrom(keys: EncodedKeys, from: number, key: Uint8Array): number {
  let step = 1;
  let low = from;
  while (low + step < keys.length && compareKeys(keyView(keys, low + step), key) < 0) {
    low += step;
    step *= 2;
  }
  const high = Math.min(keys.length, low + step);
  return lowerBound({ ...keys, length: high }, key, low);
}

const keyView = (keys: EncodedKeys, row: number): Uint8Array =>
  keys.bytes.subarray(keys.offsets[row]!, keys.offsets[row + 1]!);

function gatheredOf(all: Map<ColumnSet, Gathered>, set: ColumnSet): Gathered {
  let rows = all.get(set);
  if (rows === undefined) all.set(set, (rows = new Gathered(set)));
  return rows;
}

async function handOn(gathered: Gathered, work: MergeWork): Promise<void> {
  const { rows, numbers } = gathered.take(work.columns);
  await work.take(gathered.set, rows, numbers);
}

/** Rows of one set of columns that were merged, still in the batches of their runs. */
class Gathered {
  readonly set: ColumnSet;
  #batches: { readonly batch: RunBatch; readonly cursor: RunCursor; readonly rowBytes: number }[] = [];
  readonly #places = new Map<RunBatch, number>();
  #source: number[] = [];
  #start: number[] = [];
  #lengths: number[] = [];
  count = 0;
  bytes = 0;

  constructor(set: ColumnSet) {
    this.set = set;
  }

  add(cursor: RunCursor, from: number, to: number): void {
    const { batch } = cursor;
    let place = this.#places.get(batch);
    if (place === undefined) {
      place = this.#batches.push({ batch, cursor, rowBytes: bytesPerRow(batch) }) - 1;
      this.#places.set(batch, place);
    }
    this.#source.push(place);
    this.#start.push(from);
    this.#lengths.push(to - from);
    this.count += to - from;
    this.bytes += (to - from) * this.#batches[place]!.rowBytes;
  }

  take(columns: readonly Column[]): { rows: SortedRows; numbers: () => Promise<Float64Array> } {
    const batches = this.#batches;
    const ranges: Ranges = {
      count: this.#source.length,
      source: Int32Array.from(this.#source),
      start: Int32Array.from(this.#start),
      lengths: this.#lengths.every((length) => length === 1) ? 1 : Int32Array.from(this.#lengths),
      total: this.count,
    };
    const sources = this.set.columns.map((number, at) =>
      columnSources(
        columns[number]!.type,
        batches.map(({ batch }) => batch.data[at]!),
      ),
    );
    const keys = joinedKeys(
      batches.map(({ batch }) => batch.keys),
      ranges,
    );
    const bytes = Math.ceil(this.bytes);
    this.#batches = [];
    this.#places.clear();
    this.#source = [];
    this.#start = [];
    this.#lengths = [];
    this.count = 0;
    this.bytes = 0;
    const numbers = async (): Promise<Float64Array> => {
      const all = new Float64Array(ranges.total);
      const own = await Promise.all(batches.map(({ batch, cursor }) => cursor.numbers(batch, 0, batch.keys.length)));
      let put = 0;
      for (let at = 0; at < ranges.count; at++) {
        const from = ranges.start[at]!;
        const length = typeof ranges.lengths === 'number' ? ranges.lengths : ranges.lengths[at]!;
        all.set(own[ranges.source[at]!]!.subarray(from, from + length), put);
        put += length;
      }
      return all;
    };
    return { rows: { keys, sources, ranges, data: batches.map(({ batch }) => batch.data), bytes }, numbers };
  }
}

function bytesPerRow({ data, keys }: RunBatch): number {
  const sources = data.map((column) => columnSources(column.type, [column]));
  const whole = {
    count: 1,
    source: new Int32Array(1),
    start: new Int32Array(1),
    lengths: keys.length,
    total: keys.length,
  };
  return gatheredBytes(sources, whole) / keys.length;
}

function joinedKeys(sources: readonly EncodedKeys[], { count, source, start, lengths, total }: Ranges): EncodedKeys {
  const offsets = new Uint32Array(total + 1);
  const lengthOf = (at: number): number => (typeof lengths === 'number' ? lengths : lengths[at]!);
  let row = 0;
  for (let at = 0; at < count; at++) {
    const own = sources[source[at]!]!.offsets;
    for (let from = start[at]!, to = from + lengthOf(at); from < to; from++, row++) {
      offsets[row + 1] = offsets[row]! + own[from + 1]! - own[from]!;
    }
  }
  const bytes = new Uint8Array(offsets[total]!);
  row = 0;
  for (let at = 0; at < count; at++) {
    const own = sources[source[at]!]!;
    for (let from = start[at]!, to = from + lengthOf(at); from < to; from++, row++) {
      copyKey(own, from, bytes, offsets[row]!);
    }
  }
  const width = sources.every((keys) => keys.width === sources[0]!.width) ? sources[0]!.width : 0;
  return { length: total, bytes, offsets, width };
}

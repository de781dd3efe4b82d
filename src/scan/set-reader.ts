import type { Data } from 'apache-arrow';
import { gatherColumn } from '../arrow/gather.js';
import { nullColumn } from '../arrow/nulls.js';
import { allRanges } from '../arrow/ranges.js';
import { columnSources } from '../arrow/sources.js';
import type { Memory } from '../core/memory-pool.js';
import { stretchAt } from '../core/search.js';
import type { Semaphore } from '../core/semaphore.js';
import type { Verify } from '../core/verify.js';
import { readPicked } from '../format/arrow-pick.js';
import { type ReadRequest, readRows, readsParts, trusted } from '../format/arrow-read.js';
import { readSpan } from '../format/arrow-span.js';
import { expectedBytes } from '../format/expected-bytes.js';
import type { ReadOptions } from '../format/stored-buffers.js';
import { readsAtOnce } from '../storage/read-now.js';
import type { MergePiece } from '../table/key-merge.js';
import type { KeySet } from '../table/key-run.js';
import type { BatchCache } from './batch-cache.js';
import type { ColumnChoice } from './column-choice.js';
import type { KeyReading } from './merge-keys.js';
import { type OpenedFile, openSet } from './set-files.js';

/** What reading rows of some columns needs. */
export interface PartReading extends KeyReading {
  readonly plan: ColumnChoice;
  /** The files of sets, opened and checked once for all reads. */
  readonly opened: WeakMap<KeySet, Promise<OpenedFile[]>>;
  /** Those of them that are open. */
  readonly ready: WeakMap<KeySet, readonly OpenedFile[]>;
  /** Record batches that neighbouring pieces share. */
  readonly batches: BatchCache;
  /** Pieces all batches of which were read with their checksums. */
  readonly sound: WeakSet<MergePiece>;
  /** Bounds the record batches that rows are picked of at once. */
  readonly picks: Semaphore;
  /** What these are read into, where who reads brings no memory along: rows are copied out of it at once. */
  readonly scratch: Memory;
  /** Notes that a file was opened. */
  readonly noteFile: (name: string) => void;
}

/** How rows are read: what ends it, what memory it is read into, and when checksums are checked. */
export interface PartOptions extends Pick<ReadOptions, 'signal' | 'memory' | 'owned'> {
  /** Default: as the scan's environment has it. */
  readonly verify?: Verify | undefined;
}

/** Rows `from … to`, counted in a set or part, that are whole or damaged together. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** Rows `from … to` of `set`: the chosen columns by their slots. Columns of one file are read together. */
export async function readSetRows(
  reading: PartReading,
  set: KeySet,
  from: number,
  to: number,
  options: PartOptions = {},
): Promise<Data[]> {
  const columns: Data[] = [];
  const files = (await openedFiles(reading, set)).map((file) => ({ file, request: requestOf(reading, file, options) }));
  options.memory?.expect(
    files.reduce((sum, { file, request }) => sum + expectedBytes(file.file, from, to, request), 0),
  );
  await Promise.all(
    files.map(async ({ file, request }) => {
      const span = wholeBatches(file, from, to);
      const joined = span && (await reading.reads.run(() => readSpan(file.file, ...span, request)));
      if (joined !== undefined) {
        for (const [at, slot] of file.slots.entries()) columns[slot] = joined[at]!.clone(file.columns[at]!.type);
        return;
      }
      const read = await readBatches(file, from, to, (batch, start, end) =>
        reading.reads.run(() =>
          readRows(file.file, batch, Math.max(from, start) - start, Math.min(to, end) - start, request),
        ),
      );
      for (const [at, slot] of file.slots.entries()) columns[slot] = read[at]!;
    }),
  );
  return filled(reading.plan, columns, to - from);
}

/** The rows `picked` of `set`, ascending: the chosen columns by their slots, in memory of their own. */
export async function pickSetRows(
  reading: PartReading,
  set: KeySet,
  picked: Int32Array,
  options: PartOptions = {},
): Promise<Data[]> {
  const columns: Data[] = [];
  if (picked.length === 0) return filled(reading.plan, columns, 0);
  await Promise.all(
    (await openedFiles(reading, set)).map(async (file) => {
      const request = requestOf(reading, file, { ...options, memory: options.memory ?? reading.scratch });
      let done = 0;
      const read = await readBatches(file, picked[0]!, picked.at(-1)! + 1, (batch, start, end) => {
        const first = done;
        while (done < picked.length && picked[done]! < end) done++;
        if (first === done) return undefined;
        const within = picked.subarray(first, done).map((row) => row - start);
        return reading.picks.run(() => readPicked(file.file, batch, within, request, reading.files.blocks));
      });
      for (const [at, slot] of file.slots.entries()) columns[slot] = read[at]!;
    }),
  );
  return filled(reading.plan, columns, picked.length);
}

/** The rows between `from` and `to` of `set` at which any of its files begins another record batch, ascending. */
export async function setCuts(reading: PartReading, set: KeySet, from: number, to: number): Promise<number[]> {
  const cuts = new Set<number>();
  for (const { file } of await openedFiles(reading, set)) {
    for (let batch = stretchAt(file.rowStarts, from) + 1; batch < file.index.batches.length; batch++) {
      const start = file.rowStarts[batch]!;
      if (start >= to) break;
      if (start > from) cuts.add(start);
    }
  }
  return [...cuts].sort((a, b) => a - b);
}

/** The stretch of `set`, which has `rows` rows, around `row`, and whether nothing of it is left to verify. */
export async function setStretch(
  reading: PartReading,
  set: KeySet,
  row: number,
  rows: number,
  verify: Verify,
): Promise<Stretch & { readonly trusted: boolean }> {
  let [from, to, isTrusted] = [0, rows, true];
  for (const { file, numbers } of await openedFiles(reading, set)) {
    const batch = stretchAt(file.rowStarts, row);
    from = Math.max(from, file.rowStarts[batch]!);
    to = Math.min(to, file.rowStarts[batch + 1]!);
    isTrusted &&= trusted(file, batch, { columns: numbers, verify });
  }
  return { from, to, trusted: isTrusted };
}

/** Whether just the bytes of rows around `row` of `set` are read, at once: all is verified, plain, and in files of this machine. */
export function setReadsAlone({ ready, verify }: PartReading, set: KeySet, row: number, own: Verify = verify): boolean {
  const files = ready.get(set);
  return (
    files?.every(({ file, numbers }) => {
      const batch = stretchAt(file.rowStarts, row);
      return readsParts(file, batch, { columns: numbers, verify: own }) && readsAtOnce(file.store, file.path);
    }) === true
  );
}

/** The files of `set`, opened. */
export function openedFiles(reading: PartReading, set: KeySet): Promise<OpenedFile[]> {
  const { opened, plan, stores, files: cache } = reading;
  let files = opened.get(set);
  if (files === undefined) {
    files = openSet(plan, stores, cache, set);
    opened.set(set, files);
    files.then(
      (found) => {
        reading.ready.set(set, found);
        for (const { name } of found) reading.noteFile(name);
      },
      () => opened.delete(set),
    );
  }
  return files;
}

/** The chosen columns of `rows` rows by their slots; one that is missing in `data` is null throughout. */
export function filled({ columns }: ColumnChoice, data: readonly (Data | undefined)[], rows: number): Data[] {
  return columns.map(({ type }, slot) => data[slot] ?? nullColumn(type, rows));
}

/** Columns that were read in parts, put together. */
export function joined(
  { columns }: ColumnChoice,
  parts: readonly (readonly Data[])[],
  rows: readonly number[],
): Data[] {
  if (parts.length === 1) return [...parts[0]!];
  return columns.map(({ type }, slot) => {
    const data = parts.map((part) => part[slot]!);
    return gatherColumn(columnSources(type, data), allRanges(rows));
  });
}

function requestOf(reading: PartReading, { numbers }: OpenedFile, options: PartOptions): ReadRequest {
  const { counters } = reading;
  return { ...options, columns: numbers, verify: options.verify ?? reading.verify, counters };
}

/** The batches that rows `from … to` are, where they are several whole ones. */
function wholeBatches({ file: { rowStarts } }: OpenedFile, from: number, to: number): [number, number] | undefined {
  const first = stretchAt(rowStarts, from);
  if (rowStarts[first + 1]! >= to) return undefined;
  const last = stretchAt(rowStarts, to - 1);
  return rowStarts[first] === from && rowStarts[last + 1] === to ? [first, last + 1] : undefined;
}

/** What `read` gives for each record batch of `file` that has rows of `from … to`, put together; it may pass over some. */
async function readBatches(
  { file, columns }: OpenedFile,
  from: number,
  to: number,
  read: (batch: number, start: number, end: number) => Promise<Data[]> | undefined,
): Promise<Data[]> {
  const reads: Promise<Data[]>[] = [];
  for (let batch = stretchAt(file.rowStarts, from); batch < file.index.batches.length; batch++) {
    const start = file.rowStarts[batch]!;
    if (start >= to) break;
    const part = read(batch, start, file.rowStarts[batch + 1]!);
    if (part !== undefined) reads.push(part);
  }
  const parts = await Promise.all(reads);
  return columns.map((column, at) => {
    const data = parts.map((part) => part[at]!);
    if (data.length === 1) return data[0]!.clone(column.type);
    return gatherColumn(columnSources(column.type, data), allRanges(data.map(({ length }) => length)));
  });
}

import { Data, type RecordBatch } from 'apache-arrow';
import { gatherColumn } from '../arrow/gather.js';
import { nullColumn } from '../arrow/nulls.js';
import { allRanges } from '../arrow/ranges.js';
import { recordBatch } from '../arrow/record-batch.js';
import { columnSources } from '../arrow/sources.js';
import { stretchAt } from '../core/search.js';
import type { Verify } from '../core/verify.js';
import { readRows } from '../format/arrow-read.js';
import type { ReadOptions } from '../format/stored-buffers.js';
import type { MergePiece } from '../table/key-merge.js';
import type { KeySet } from '../table/key-run.js';
import type { BatchCache } from './batch-cache.js';
import type { KeyReading } from './merge-keys.js';
import type { ScanPlan } from './plan.js';
import { type OutputNode, outputField } from './projection.js';
import { type OpenedFile, openSet } from './set-files.js';

/** What reading rows of a plan needs. */
export interface PartReading extends KeyReading {
  readonly plan: ScanPlan;
  /** The files of sets, opened and checked once for all reads. */
  readonly opened: WeakMap<KeySet, Promise<OpenedFile[]>>;
  /** Record batches that neighbouring pieces share. */
  readonly batches: BatchCache;
  /** Pieces all batches of which were read with their checksums. */
  readonly sound: WeakSet<MergePiece>;
}

/** How rows are read: what ends it, memory to read into that is taken back, and when checksums are checked. */
export interface PartOptions extends Pick<ReadOptions, 'signal' | 'memory'> {
  /** Default: as the scan's environment has it. */
  readonly verify?: Verify | undefined;
}

/** Rows `from … to` of `set`, as the plan's schema has them. Columns of one file are read together. */
export async function readSetRows(
  reading: PartReading,
  set: KeySet,
  from: number,
  to: number,
  options: PartOptions = {},
): Promise<RecordBatch> {
  const columns: Data[] = [];
  await Promise.all(
    (await openedFiles(reading, set)).map(async (file) => {
      const read = await readSpan(reading, file, from, to, options);
      for (const [at, slot] of file.slots.entries()) columns[slot] = read[at]!;
    }),
  );
  return outputBatch(reading.plan, columns, to - from);
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

/** The files of `set`, opened. */
export function openedFiles(reading: PartReading, set: KeySet): Promise<OpenedFile[]> {
  const { opened, plan, store, files: cache } = reading;
  let files = opened.get(set);
  if (files === undefined) {
    files = openSet(plan, store, cache, set);
    opened.set(set, files);
    files.catch(() => opened.delete(set));
  }
  return files;
}

/** `rows` rows as the plan's schema has them, of its columns by their places; one that is missing is null throughout. */
export function outputBatch(
  { schema, outputs, columns, slots }: ScanPlan,
  data: readonly Data[],
  rows: number,
): RecordBatch {
  const all = columns.map(({ type }, slot) => data[slot] ?? nullColumn(type, rows));
  const built = outputs.map((node) => outputData(node, slots, all, rows));
  return recordBatch(schema, built, rows);
}

async function readSpan(
  reading: PartReading,
  { file, numbers, columns }: OpenedFile,
  from: number,
  to: number,
  options: PartOptions,
): Promise<Data[]> {
  const { counters } = reading;
  const request = { ...options, columns: numbers, verify: options.verify ?? reading.verify, counters };
  const pieces: Promise<Data[]>[] = [];
  for (let batch = stretchAt(file.rowStarts, from); batch < file.index.batches.length; batch++) {
    const start = file.rowStarts[batch]!;
    if (start >= to) break;
    const end = Math.min(to, file.rowStarts[batch + 1]!);
    pieces.push(readRows(file, batch, Math.max(from, start) - start, end - start, request));
  }
  const read = await Promise.all(pieces);
  return columns.map((column, at) => {
    const data = read.map((piece) => piece[at]!);
    if (data.length === 1) return data[0]!.clone(column.type);
    const lengths = data.map((piece) => piece.length);
    return gatherColumn(columnSources(column.type, data), allRanges(lengths));
  });
}

function outputData(node: OutputNode, slots: Int32Array, columns: readonly Data[], rows: number): Data {
  if ('column' in node) return columns[slots[node.column.id]!]!;
  const children = node.fields.map((field) => outputData(field, slots, columns, rows));
  return new Data(outputField(node).type, 0, rows, 0, undefined, children);
}

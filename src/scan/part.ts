import { joinedBatchesMax, mergedBatchBytes, readConcurrency } from '../core/limits.js';
import { firstOf, isThere, type KeyRun, type KeySet } from '../table/key-run.js';
import type { MergeIndex } from './merge-index.js';
import { setBytes } from './set-files.js';

interface PartRows {
  readonly rows: number;
  readonly keyMin: Uint8Array;
  readonly keyMax: Uint8Array;
  /** Bytes of all files with cells of its rows, whatever a scan takes of them. */
  readonly bytes: number;
}

/** The rows of one set as they are stored. */
export interface PlainPart extends PartRows {
  readonly set: KeySet;
  /** Rows of each record batch but the last, and the key at which each begins. */
  readonly batchRows: number;
  readonly batchKeys: readonly Uint8Array[];
}

/** The rows of several sets whose keys overlap, put together. */
export interface MergedPart extends PartRows {
  readonly run: KeyRun;
  readonly index: MergeIndex;
}

/** Rows of a scan with a range of keys of their own. */
export type Part = PlainPart | MergedPart;

/** The parts that `runs` make; `indexOf` counts the rows of those that have to be merged. */
export async function partsOf(runs: readonly KeyRun[], indexOf: (run: KeyRun) => Promise<MergeIndex>): Promise<Part[]> {
  const merged = runs.filter((run) => run.sets.length > 1).values();
  const indexes = new Map<KeyRun, MergeIndex>();
  const work = async (): Promise<void> => {
    for (const run of merged) indexes.set(run, await indexOf(run));
  };
  await Promise.all(Array.from({ length: readConcurrency }, work));
  return runs.flatMap((run) => {
    const index = indexes.get(run);
    if (index === undefined) return plainPart(run.sets[0]!);
    return index.rows === 0 ? [] : mergedPart(run, index);
  });
}

function plainPart(set: KeySet): PlainPart {
  const { rows, batchRows, keyMin, keyMax, batchKeys } = firstOf(set);
  return { set, rows, batchRows, keyMin, keyMax, batchKeys, bytes: setBytes(set) };
}

function mergedPart(run: KeyRun, index: MergeIndex): MergedPart {
  const { sets } = run;
  const written = sets.filter(isThere);
  const keyMax = written.map((set) => firstOf(set).keyMax).reduce((a, b) => (Buffer.compare(a, b) < 0 ? b : a));
  const bytes = written.reduce((sum, set) => sum + setBytes(set), 0);
  return { run, index, rows: index.rows, keyMin: index.pieces[0]!.begin, keyMax, bytes };
}

/** The end of the stretch around `row` that is read as one: a record batch, or a piece of merged rows. */
export function stretchEnd(part: Part, row: number): number {
  if ('index' in part) return part.index.endOf(row);
  return Math.min(part.rows, (Math.floor(row / part.batchRows) + 1) * part.batchRows);
}

/** The end of the record batch around `row` that a scan gives: of pieces of merged rows, a share. */
export function batchEnd(part: Part, row: number): number {
  if ('index' in part) return part.index.batchEndOf(row, Math.max(1, (mergedBatchBytes * part.rows) / part.bytes));
  return stretchEnd(part, row);
}

/** The end of the record batch around `row`, or of a few in turn that together have at most `rowsMax` rows. */
export function joinedEnd(part: Part, row: number, rowsMax: number): number {
  if ('index' in part) return batchEnd(part, row);
  const { rows, batchRows } = part;
  const first = Math.floor(row / batchRows);
  const count = Math.min(joinedBatchesMax, Math.floor(rowsMax / batchRows));
  return Math.min(rows, (first + Math.max(1, count)) * batchRows);
}

/** The end of the stretch from `row` on, where a record batch or piece begins, that makes a shard of about `bytesMax` bytes. */
export function shardEnd(part: Part, row: number, bytesMax: number): number {
  const { rows, bytes } = part;
  if ('index' in part) return part.index.endWithin(row, (bytesMax * rows) / bytes);
  const perBatch = Math.max(1, (bytes / rows) * part.batchRows);
  return Math.min(rows, row + Math.max(1, Math.floor(bytesMax / perBatch)) * part.batchRows);
}

/** The key of row `row`, where a record batch or piece begins; no row before it has a higher one. */
export function keyOf(part: Part, row: number): Uint8Array {
  if ('index' in part) return part.index.keyOf(row);
  return part.batchKeys[row / part.batchRows]!;
}

import { readConcurrency } from '../core/limits.js';
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

/** The rows at which `part` is best cut into shards of about `bytesMax` bytes, the first and the end included, and their keys. */
export function partCuts(part: Part, bytesMax: number): { readonly at: number[]; readonly keys: Uint8Array[] } {
  if ('index' in part) return part.index.cuts((bytesMax * part.rows) / part.bytes);
  const { rows, bytes, batchRows, batchKeys } = part;
  const step = Math.max(1, Math.floor(bytesMax / ((bytes / rows) * batchRows))) * batchRows;
  const at = Array.from({ length: Math.ceil(rows / step) }, (_, cut) => cut * step);
  return { at: [...at, rows], keys: at.map((row) => batchKeys[row / batchRows]!) };
}

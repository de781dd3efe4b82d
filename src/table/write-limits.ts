import { batchBytesMax, mergeRunBytesMin, mergeRunsMax, mergeRunsMin, partitionBytesMax } from '../core/limits.js';

/** What a write may hold and how it cuts what it stores; all in bytes but for `runs`. */
export interface WriteLimits {
  /** Rows that are sorted together. */
  readonly block: number;
  /** A record batch of a run that waits for the merge. */
  readonly runBatch: number;
  /** Runs merged at once. */
  readonly runs: number;
  /** Merged rows that are handed on at a time. */
  readonly chunk: number;
  /** A record batch of a table's file. */
  readonly batch: number;
  /** A fragment of a table. */
  readonly fragment: number;
}

/**
 * The limits of a write that may hold `memoryBytes`. While it sorts, a block of three eighths, and what gathering its
 * batches takes. While it merges, two batches of each run, a quarter of all, those that are still to be gathered, and
 * what was merged. Little memory merges fewer runs at once, as every batch of a run that is open is known by its place,
 * its checksums and its bounds: small batches would take less than these.
 */
export function writeLimits(memoryBytes: number): WriteLimits {
  const runs = Math.min(mergeRunsMax, Math.max(mergeRunsMin, Math.floor(memoryBytes / mergeRunBytesMin)));
  return {
    block: Math.floor((memoryBytes * 3) / 8),
    runBatch: Math.floor(memoryBytes / (8 * runs)),
    runs,
    chunk: Math.floor(memoryBytes / 16),
    batch: Math.min(batchBytesMax, Math.floor(memoryBytes / 32)),
    fragment: partitionBytesMax,
  };
}

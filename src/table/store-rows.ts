import { checkSignal } from '../core/abort.js';
import { batchRowsDefault } from '../core/limits.js';
import { macrotask, monotonicMs } from '../core/runtime.js';
import type { Compression } from '../format/codec.js';
import type { FragmentRef } from './operation.js';
import { RowSorter, type RowTarget } from './row-sorter.js';
import type { WrittenBatch } from './write-columns.js';
import type { WriteLimits } from './write-limits.js';

/** Milliseconds of rows that come without a pause, after which others have a turn. */
const turnMs = 10;

/**
 * Sorts the rows of `batches` by key and stores them as fragments, which do not cross where their columns are the same:
 * durable when the promise resolves, deleted as far as the store lets it when it rejects. Files name columns by their
 * numbers in `target.columns`.
 *
 * @throws SpiralError `invalid_key` for a null, `duplicate_key`, `cancelled`, and what `batches` and the store throw.
 */
export async function storeRows(
  target: RowTarget,
  batches: AsyncIterable<WrittenBatch>,
  settings: { readonly batchRows?: number; readonly compression?: Compression; readonly signal?: AbortSignal },
  limits: WriteLimits,
): Promise<FragmentRef[]> {
  const { batchRows, compression, signal } = settings;
  const form = {
    batchRows,
    batchRowsMax: batchRowsDefault,
    batchBytes: limits.batch,
    fragmentBytes: limits.fragment,
    compression,
    signal,
  };
  const sorter = new RowSorter({ ...target, form, limits });
  let turn = monotonicMs();
  try {
    for await (const batch of batches) {
      // A source that always has rows would let nothing else run, timers and signals included.
      if (monotonicMs() - turn > turnMs) {
        await macrotask();
        turn = monotonicMs();
      }
      checkSignal(signal, `The write to ${target.table.name}`);
      await sorter.add(batch);
    }
    return await sorter.finish();
  } catch (error) {
    await sorter.discard(error);
    throw error;
  }
}

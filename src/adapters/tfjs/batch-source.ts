import type { RecordBatch } from 'apache-arrow';
import { withMethods } from '../../core/check.js';

/**
 * What the adapter asks of a loader; `SpiralDataLoader` satisfies it.
 *
 * Each call of `[Symbol.asyncIterator]()` is one pass over an epoch, or over what is left of it after a resume. A pass
 * that ends advances `epoch`, one that is left by `return()` does not.
 */
export interface BatchSource {
  [Symbol.asyncIterator](): AsyncIterator<RecordBatch>;
  /** JSON that a loader of the same source goes on from: what the consumer has received, never what was read ahead. */
  stateDict(): unknown;
  close(): Promise<void>;
  /** The batches of one epoch; `null` where a filter makes the number unknown. */
  plan?(): Promise<{ readonly batches: number | null }>;
  /** The running epoch, from 0. */
  readonly epoch: number;
  /** Batches received since epoch 0. */
  readonly step: number;
  /** Where the rows of the batch received last come from: row `rows[i]` of shard number `shards[i]`. Names bad rows. */
  readonly rowIds?: { readonly shards: ArrayLike<number>; readonly rows: ArrayLike<number> } | undefined;
  /** True where a pass never ends. */
  readonly infinite?: boolean;
}

/** @throws SpiralError `invalid_argument` for what is none. */
export function checkSource(loader: BatchSource): void {
  withMethods(
    'loader',
    loader,
    [Symbol.asyncIterator, 'stateDict', 'close'],
    'a data loader, as `toDataLoader` makes it',
  );
}

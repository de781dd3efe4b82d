import type { RecordBatch } from 'apache-arrow';
import { SpiralError } from '../core/errors.js';
import { type RandomStream, randomStream } from '../core/random.js';
import type { RowIds } from './row-ids.js';

/** What a transform is told of its batch. */
export interface TransformContext {
  readonly epoch: number;
  /** Batches before this one, since epoch 0. */
  readonly step: number;
  readonly rank: number;
  readonly rowIds: RowIds;
  /**
   * A random stream for row `rowIndex` of the batch, named by (seed, epoch, row): augmentation drawn from it repeats
   * exactly on resume and for any number of workers.
   */
  random(rowIndex: number): RandomStream;
}

/** The context of one batch. */
export function transformContext(
  seed: number,
  place: { epoch: number; step: number; rank: number },
  rowIds: RowIds,
): TransformContext {
  return {
    ...place,
    rowIds,
    random: (rowIndex) => {
      const shard = rowIds.shards[rowIndex];
      if (shard === undefined) {
        throw new SpiralError(
          'invalid_argument',
          `Expected a row index below ${rowIds.length}, the rows of this batch, got ${rowIndex}.`,
          { details: { rowIndex, rows: rowIds.length } },
        );
      }
      return randomStream('row', seed, place.epoch, shard, rowIds.rows[rowIndex]!);
    },
  };
}

/** A transform that runs on this thread, inside `next()`. */
export type InlineTransform<T> = (batch: RecordBatch, context: TransformContext) => T | null | Promise<T | null>;

/**
 * What `transform` makes of `batch`; null means that the batch is dropped.
 *
 * @throws SpiralError `transform_failed` around what the transform threw, `invalid_transform` where it returned
 * undefined; both name the batch, its shards and rows.
 */
export async function transformed<T>(
  transform: InlineTransform<T>,
  batch: RecordBatch,
  context: TransformContext,
  name: string = transform.name || 'anonymous',
): Promise<T | null> {
  let result: T | null;
  try {
    result = await transform(batch, context);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SpiralError('transform_failed', `The transform '${name}' failed on ${batchText(context)}: ${why}`, {
      details: { transform: name, ...batchDetails(context) },
      cause,
    });
  }
  if (result === undefined) {
    throw new SpiralError(
      'invalid_transform',
      `Expected the transform '${name}' to return a value, got undefined for ${batchText(context)}. ` +
        'Return null to drop a batch.',
      { details: { transform: name, ...batchDetails(context) } },
    );
  }
  return result;
}

/** The batch that a transform was given, for messages. */
export function batchText({ epoch, step, rowIds }: Pick<TransformContext, 'epoch' | 'step' | 'rowIds'>): string {
  const first = rowIds.length === 0 ? '' : `, from row ${rowIds.rows[0]} of shard ${rowIds.shards[0]} on`;
  return `batch ${step} of epoch ${epoch} (${rowIds.length} rows${first})`;
}

/** The same as data. */
export function batchDetails({ epoch, step, rank, rowIds }: Omit<TransformContext, 'random'>): Record<string, unknown> {
  return { epoch, step, rank, shards: [...new Set(rowIds.shards)], rows: Array.from(rowIds.rows) };
}

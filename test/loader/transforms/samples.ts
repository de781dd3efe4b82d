import type { RecordBatch } from 'apache-arrow';
import type { TransformContext } from '../../../src/loader/transform.js';

/** What a transform of the tests returns: all that it was told of its batch. */
export interface Told {
  readonly samples: readonly string[];
  readonly ids: readonly string[];
  readonly draws: readonly number[];
  readonly epoch: number;
  readonly step: number;
  readonly rank: number;
  /** Above the size from which arrays travel by themselves. */
  readonly large: Float64Array;
}

/** Tells all of a batch of the memory source. */
export function tell(batch: RecordBatch, context: TransformContext): Told {
  const { epoch, step, rank, rowIds } = context;
  const rows = Array.from({ length: batch.numRows }, (_, row) => row);
  const [shard, row] = [batch.getChild('shard')!, batch.getChild('row')!];
  return {
    samples: rows.map((at) => `${shard.get(at)}:${row.get(at)}:${batch.getChild('text')!.get(at)}`),
    ids: rows.map((at) => `${rowIds.shards[at]}:${rowIds.rows[at]}`),
    draws: rows.map((at) => context.random(at).uint32()),
    epoch,
    step,
    rank,
    large: Float64Array.from({ length: 3000 }, (_, at) => step + at),
  };
}

/** Where the batch begins among the rows that its thread was sent. */
export function tellOffset(batch: RecordBatch): number {
  return batch.data.children[0]!.offset;
}

/** As {@link tell}, every third batch dropped. */
export function tellTwoThirds(batch: RecordBatch, context: TransformContext): Told | null {
  return context.step % 3 === 1 ? null : tell(batch, context);
}

/** As {@link tell}, after a pause that only its rows decide. */
export async function tellLate(batch: RecordBatch, context: TransformContext): Promise<Told> {
  await new Promise((resolve) => setTimeout(resolve, context.random(0).below(12)));
  return tell(batch, context);
}

export default tell;

export const notAFunction = 5;

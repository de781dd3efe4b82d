/**
 * Forked by streaming-processes.test.ts: a rank of a training job that reads epochs of a data set through a cache that it
 * shares, and tells of each batch, once its samples were as they should be, with the state to go on from.
 */
import { isSpiralError } from '../../../src/core/errors.js';
import type { StreamingState } from '../../../src/streaming/dataset/dataset-state.js';
import { StreamingDataset } from '../../../src/streaming/dataset/streaming-dataset.js';
import { textOf } from '../tiny-mds.js';

/** What the rank is to do. */
export interface RankTask {
  readonly remote: string;
  readonly local: string;
  readonly cacheLimit: number;
  readonly rank: number;
  readonly worldSize: number;
  readonly epochs: number;
  readonly state: StreamingState | undefined;
}

/** What the rank received. */
export interface RankBatch {
  readonly epoch: number;
  readonly ids: readonly number[];
  readonly state: StreamingState;
}

const { rank, worldSize, epochs, state: first, ...places } = JSON.parse(process.argv[2]!) as RankTask;
let state = first;
let epoch = 0;
do {
  const dataset = new StreamingDataset({
    ...places,
    world: { rank, worldSize },
    batchSize: 16,
    shuffle: true,
    uneven: 'keep',
    downloadTimeoutMs: 150,
    downloadRetry: 3,
  });
  try {
    await dataset.open();
    if (state !== undefined) dataset.loadStateDict(state);
    for (epoch = dataset.epoch; epoch < epochs; epoch++) {
      let received = (state?.epoch === epoch ? state.sample_in_epoch : 0) / worldSize;
      for await (const batch of dataset.batches({ feeder: false })) {
        const ids: number[] = [];
        for (const { id, text } of batch) {
          if (text !== textOf(Number(id))) throw new Error(`Sample ${id}: ${text}`);
          ids.push(Number(id));
        }
        received += ids.length;
        state = dataset.stateDict(received * worldSize);
        process.send?.({ epoch, ids, state } satisfies RankBatch);
      }
    }
  } catch (error) {
    if (!isSpiralError(error, 'unavailable', 'corrupt_file')) throw error;
  } finally {
    await dataset.close();
  }
} while (epoch < epochs);
process.send?.('done', () => process.disconnect());

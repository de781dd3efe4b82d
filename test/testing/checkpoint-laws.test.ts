import type { RecordBatch } from 'apache-arrow';
import { describe, expect, test } from 'vitest';
import { SpiralDataLoader } from '../../src/loader/data-loader.js';
import type { LoaderState } from '../../src/loader/state.js';
import { checkpointLaws } from '../../src/testing/checkpoint-laws.js';
import { MemorySource, samplesOf } from '../loader/memory-source.js';

const source = new MemorySource({ shards: [40, 25], batchRows: 8 });
const options = { batchSize: 7, shuffleBufferSize: 20 };
const makeLoader = (state?: LoaderState): SpiralDataLoader =>
  state === undefined ? new SpiralDataLoader(source, options) : SpiralDataLoader.fromStateDict(source, state);

describe('the laws of checkpoints hold for the loader', () => {
  for (const law of checkpointLaws({ makeLoader, contentOf: samplesOf })) {
    test(law.name, async () => {
      await expect(law.run()).resolves.toBeUndefined();
    });
  }
});

test('a transform that draws from elsewhere than its context breaks them', async () => {
  let calls = 0;
  const transformFn = (batch: RecordBatch): string => `${calls++ % 17} ${samplesOf(batch).join()}`;
  const broken = checkpointLaws<string>({
    makeLoader: (state) =>
      state === undefined
        ? new SpiralDataLoader(source, { ...options, transformFn })
        : SpiralDataLoader.fromStateDict(source, state, { transformFn }),
  });
  const outcomes = await Promise.allSettled(broken.map((law) => law.run()));
  expect(outcomes.filter((outcome) => outcome.status === 'rejected').length).toBeGreaterThanOrEqual(2);
});

import { describe, expect, test } from 'vitest';
import { SpiralDataLoader } from '../../src/loader/data-loader.js';
import { placesOf, verdictOf } from '../../src/loader/stats.js';
import { MemorySource, take } from './memory-source.js';

const none = { readMs: 0, shuffleMs: 0, mapMs: 0, transformMs: 0 };

describe('the verdict', () => {
  test.each([
    [{ batches: 0, waitMs: 0, waitShare: 0, stages: none }, /No batch/],
    [{ batches: 9, waitMs: 1, waitShare: 0.01, stages: none }, /keeps up: 1 %/],
    [
      { batches: 9, waitMs: 100, waitShare: 0.5, stages: { ...none, transformMs: 90, readMs: 5 } },
      /90 %.*inline.*mapWorkers: 1/,
    ],
    [
      { batches: 9, waitMs: 100, waitShare: 0.5, stages: { ...none, mapMs: 300, readMs: 100 } },
      /75 %.*map: mapWorkers: 3/,
    ],
    [{ batches: 9, waitMs: 100, waitShare: 0.5, stages: { ...none, readMs: 10 } }, /100 %.*reading/],
  ])('%j', (measured, text) => {
    expect(verdictOf({ ...measured, feeder: true, mapWorkers: 2 })).toMatch(text);
  });
});

test('stats count what was given, and what it took', async () => {
  const source = new MemorySource({ shards: [3000, 3000, 3000, 3000], batchRows: 100 });
  const options = { batchSize: 100, shuffleBufferSize: 2000, shuffleShards: false };
  const plain = new SpiralDataLoader(source, options);
  expect(plain.stats()).toMatchObject({ batches: 0, rows: 0, waitMs: 0, shuffleQuality: null });
  await take(plain);
  const stats = plain.stats();
  expect(stats).toMatchObject({ batches: 120, rows: 12_000 });
  expect(stats.bytes).toBeGreaterThan(12_000 * 8);
  expect(stats.waitMs).toBeGreaterThan(0);
  expect(stats.elapsedMs).toBeGreaterThanOrEqual(stats.waitMs);
  expect(stats.waitShare).toBeLessThanOrEqual(1);
  expect(plain.batchTimes!.waitMs).toBeGreaterThanOrEqual(plain.batchTimes!.transformMs);

  const mixed = new SpiralDataLoader(source, { ...options, shuffleChunkRows: 64, interleaveShards: 16 });
  await take(mixed);
  expect(stats.shuffleQuality).toBeLessThan(0.5);
  expect(mixed.stats().shuffleQuality).toBeGreaterThan(0.8);
  expect(placesOf([1, 1024, 1025])).toBe(4);
});

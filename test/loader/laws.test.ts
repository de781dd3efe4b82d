import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SpiralDataLoader } from '../../src/loader/data-loader.js';
import type { DataLoaderOptions } from '../../src/loader/options.js';
import type { LoaderState } from '../../src/loader/state.js';
import { World } from '../../src/sharding/world.js';
import { lawRuns } from '../laws.js';
import { MemorySource, type MemorySourceSettings, take } from './memory-source.js';

const runs = { numRuns: lawRuns(150, 3000) };

const arbSource = fc
  .record({
    shards: fc
      .array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 6 })
      .filter((shards) => shards.some((rows) => rows > 0)),
    batchRows: fc.integer({ min: 1, max: 20 }),
    modulus: fc.option(fc.integer({ min: 2, max: 5 }), { nil: undefined }),
    delays: fc.infiniteStream(fc.nat(2)),
  })
  .map(({ shards, batchRows, modulus, delays }): MemorySourceSettings => {
    const drawn = Array.from({ length: 64 }, () => delays.next().value);
    return {
      shards,
      batchRows,
      keep: modulus === undefined ? undefined : (shard, row) => (shard + row) % modulus !== 0,
      delay: (read) => drawn[read % drawn.length]!,
    };
  });

const arbOptions: fc.Arbitrary<DataLoaderOptions> = fc
  .record({
    seed: fc.integer(),
    epoch: fc.nat(3),
    shuffleShards: fc.boolean(),
    shuffleBufferSize: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 60 })),
    interleaveShards: fc.integer({ min: 1, max: 4 }),
    shuffleChunkRows: fc.option(fc.integer({ min: 1, max: 20 }), { nil: undefined }),
    batchSize: fc.integer({ min: 1, max: 25 }),
    batchReadahead: fc.nat(3),
    dropLast: fc.boolean(),
  })
  .map(({ shuffleChunkRows, ...options }) =>
    shuffleChunkRows === undefined ? options : { ...options, shuffleChunkRows },
  );

/** A loader over a fresh source, with a batch size that the rows allow. */
function loaderOf(settings: MemorySourceSettings, options: DataLoaderOptions): SpiralDataLoader {
  const rows = settings.shards.reduce((sum, count) => sum + count, 0);
  const batchSize = Math.min(options.batchSize ?? 32, rows);
  return new SpiralDataLoader(new MemorySource(settings), { ...options, batchSize });
}

const throughJson = (state: LoaderState): LoaderState => JSON.parse(JSON.stringify(state)) as LoaderState;

describe('order (laws 1 to 4)', () => {
  test('the samples follow from seed, epoch, shards and shuffle settings, never from timing, read-ahead or batch size', async () => {
    await fc.assert(
      fc.asyncProperty(arbSource, arbOptions, fc.integer({ min: 1, max: 25 }), async (settings, options, batchSize) => {
        const whole = { ...options, dropLast: false };
        const one = await take(loaderOf(settings, whole));
        const other = loaderOf(
          { ...settings, delay: undefined, batchRows: 1000 },
          { ...whole, batchSize, batchReadahead: 5 },
        );
        expect((await take(other)).flat()).toEqual(one.flat());
      }),
      runs,
    );
  });

  test('an epoch gives every surviving row exactly once, over all ranks', async () => {
    await fc.assert(
      fc.asyncProperty(arbSource, arbOptions, fc.integer({ min: 1, max: 5 }), async (settings, options, worldSize) => {
        const ranks = Array.from({ length: worldSize }, (_, rank) =>
          loaderOf(settings, { ...options, dropLast: false, world: new World({ rank, worldSize }) }),
        );
        const samples = (await Promise.all(ranks.map((rank) => take(rank)))).flat(2);
        const all = settings.shards.flatMap((rows, shard) =>
          Array.from({ length: rows }, (_, row) => row)
            .filter((row) => settings.keep?.(shard, row) ?? true)
            .map((row) => `${shard}:${row}`),
        );
        expect(samples.sort()).toEqual(all.sort());
      }),
      runs,
    );
  });

  test('with a reference-style shuffle each shard is given whole before the next', async () => {
    await fc.assert(
      fc.asyncProperty(arbSource, arbOptions, async (settings, { shuffleChunkRows: _, ...options }) => {
        const samples = (await take(loaderOf(settings, { ...options, interleaveShards: 1, dropLast: false }))).flat();
        const shards = samples.map((sample) => sample.split(':')[0]);
        const turns = shards.filter((shard, at) => shard !== shards[at - 1]);
        expect(new Set(turns).size).toBe(turns.length);
      }),
      runs,
    );
  });

  test('epochs advance at their end, no batch straddles one, and only the last may be short', async () => {
    await fc.assert(
      fc.asyncProperty(arbSource, arbOptions, async (settings, options) => {
        const infinite = loaderOf(settings, { ...options, infinite: true });
        const single = loaderOf(settings, options);
        const epochs: string[][][] = [];
        for (let epoch = 0; epoch < 3; epoch++) {
          expect(single.epoch).toBe((options.epoch ?? 0) + epoch);
          epochs.push(await take(single));
        }
        const expected = epochs.flat();
        fc.pre(epochs[0]!.length > 0);
        expect(await take(infinite, expected.length)).toEqual(expected);
        const size = single.stateDict().batchSize;
        for (const batches of epochs) {
          for (const batch of batches.slice(0, -1)) expect(batch.length).toBe(size);
          if (options.dropLast) for (const batch of batches) expect(batch.length).toBe(size);
        }
      }),
      runs,
    );
  });
});

describe('resume (laws 5 to 8)', () => {
  test('from any state the rest is what the uninterrupted run gives, batch by batch, through JSON and again', async () => {
    await fc.assert(
      fc.asyncProperty(
        arbSource,
        arbOptions,
        fc.nat(),
        fc.nat(),
        fc.integer({ min: 1, max: 3 }),
        async (settings, options, first, second, worldSize) => {
          const world = new World({ rank: first % worldSize, worldSize });
          const run = loaderOf(settings, { ...options, world, infinite: true });
          // A rank that had no batch in some epochs is a law of its own; this one wants batches to cut at.
          const epoch = await take(loaderOf(settings, { ...options, world }));
          fc.pre(epoch.length > 0 && settings.shards.length >= worldSize * 2 && !options.dropLast);
          const expected = await take(run, epoch.length * 2 + 3);
          const cuts = [first % (epoch.length * 2), second % 4];
          let loader = loaderOf(settings, { ...options, world, infinite: true });
          const got: string[][] = [];
          for (const cut of cuts) {
            got.push(...(await take(loader, cut)));
            const state = throughJson(loader.stateDict());
            expect(state.step).toBe(got.length);
            loader = SpiralDataLoader.fromStateDict(new MemorySource(settings), state);
            expect(loader.stateDict()).toEqual(state);
          }
          got.push(...(await take(loader, expected.length - got.length)));
          expect(got).toEqual(expected.slice(0, got.length));
          expect(got.length).toBe(expected.length);
        },
      ),
      runs,
    );
  });

  test('a state taken after the last sample, before the end was seen, leaves nothing of its epoch', async () => {
    await fc.assert(
      fc.asyncProperty(arbSource, arbOptions, async (settings, options) => {
        const epoch = await take(loaderOf(settings, options));
        fc.pre(epoch.length > 0);
        const loader = loaderOf(settings, options);
        await take(loader, epoch.length);
        const resumed = SpiralDataLoader.fromStateDict(new MemorySource(settings), throughJson(loader.stateDict()));
        expect(await take(resumed)).toEqual([]);
        const next = loaderOf(settings, { ...options, epoch: (options.epoch ?? 0) + 1 });
        expect(await take(resumed)).toEqual(await take(next));
      }),
      runs,
    );
  });

  test('skipping samples is what reading and dropping them is', async () => {
    await fc.assert(
      fc.asyncProperty(arbSource, arbOptions, fc.nat(), async (settings, given, pick) => {
        const options = { ...given, dropLast: false };
        const samples = (await take(loaderOf(settings, options))).flat();
        const skipSamples = pick % (samples.length + 1);
        const loader = loaderOf(settings, { ...options, skipSamples });
        expect(loader.samplesYielded).toBe(skipSamples);
        const state = throughJson(loader.stateDict());
        expect((await take(loader)).flat()).toEqual(samples.slice(skipSamples));
        const resumed = SpiralDataLoader.fromStateDict(new MemorySource(settings), state);
        expect((await take(resumed)).flat()).toEqual(samples.slice(skipSamples));
      }),
      runs,
    );
  });

  test('batch size and read-ahead may change on resume: the samples stay', async () => {
    await fc.assert(
      fc.asyncProperty(
        arbSource,
        arbOptions,
        fc.nat(),
        fc.integer({ min: 1, max: 9 }),
        async (settings, given, cut, batchSize) => {
          const options = { ...given, dropLast: false };
          const samples = (await take(loaderOf(settings, options))).flat();
          const loader = loaderOf(settings, options);
          const before = (await take(loader, cut % 5)).flat();
          const size = Math.min(batchSize, samples.length);
          const resumed = SpiralDataLoader.fromStateDict(new MemorySource(settings), loader.stateDict(), {
            batchSize: Math.max(1, size),
            batchReadahead: 4,
          });
          fc.pre(before.length < samples.length);
          expect([...before, ...(await take(resumed)).flat()]).toEqual(samples);
        },
      ),
      runs,
    );
  });

  test('a resumed loader reads one window again at most, wherever it goes on, under a filter too', async () => {
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.integer({ min: 1, max: 30 }), async (filtered, cut) => {
        const settings: MemorySourceSettings = {
          shards: [4000, 4000, 4000],
          batchRows: 256,
          keep: filtered ? (_, row) => row % 3 !== 0 : undefined,
        };
        const options = { batchSize: 200, shuffleBufferSize: 400, shuffleChunkRows: 128, interleaveShards: 2 };
        const loader = new SpiralDataLoader(new MemorySource(settings), options);
        await take(loader, cut);
        const source = new MemorySource(settings);
        await take(SpiralDataLoader.fromStateDict(source, loader.stateDict()), 1);
        // The window it is in, the one read ahead, and the ends of blocks.
        expect(source.rowsRead).toBeLessThanOrEqual(3 * 400 * (filtered ? 2 : 1) + 8 * 256);
      }),
      { numRuns: lawRuns(20, 200) },
    );
  });

  test('a state is below 1 KB for natural shards', async () => {
    const loader = loaderOf({ shards: Array.from({ length: 500 }, () => 40), batchRows: 10 }, { batchSize: 7 });
    await take(loader, 3);
    expect(JSON.stringify(loader.stateDict()).length).toBeLessThan(1024);
  });
});

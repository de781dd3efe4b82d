import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SpiralDataLoader } from '../../src/loader/data-loader.js';
import type { DataLoaderOptions } from '../../src/loader/options.js';
import type { RowIds } from '../../src/loader/row-ids.js';
import { skipSteps } from '../../src/loader/state-move.js';
import { whichRows } from '../../src/loader/which-rows.js';
import { World } from '../../src/sharding/world.js';
import { lawRuns } from '../laws.js';
import { arbRows, arbShuffle, codeOf, loaderOf, lockstep, ranksOf, throughJson } from './loader-cases.js';
import { MemorySource, take } from './memory-source.js';

const runs = { numRuns: lawRuns(150, 3000) };
const settings = { shards: [30, 50, 20], batchRows: 8 };
const filtered = { ...settings, keep: (_: number, row: number) => row % 3 !== 0 };
const shuffled: DataLoaderOptions = { batchSize: 10, shuffleBufferSize: 25, interleaveShards: 2, shuffleChunkRows: 8 };

const arbHow = fc.record({
  uneven: fc.constantFrom('keep' as const, 'pad' as const, 'split' as const),
  dropLast: fc.boolean(),
  worldSize: fc.integer({ min: 1, max: 3 }),
  rank: fc.nat(2),
});

const named = (ids: RowIds): string[] => Array.from(ids.shards, (shard, at) => `${shard}:${ids.rows[at]}`);

/** Batches of some epochs of one rank. */
async function batchesOf(loader: SpiralDataLoader, epochs: number): Promise<string[][]> {
  const batches: string[][] = [];
  for (let epoch = 0; epoch < epochs; epoch++) batches.push(...(await take(loader)));
  return batches;
}

describe('whichRows', () => {
  test('names the rows of any step, before and behind, in any epoch, and reads nothing', async () => {
    await fc.assert(
      fc.asyncProperty(arbRows, arbShuffle, arbHow, fc.nat(), fc.nat(), async (rows, shuffle, how, cut, pick) => {
        const world = new World({ rank: how.rank % how.worldSize, worldSize: how.worldSize });
        const { epoch: _, ...options } = { ...shuffle, uneven: how.uneven, dropLast: how.dropLast, world };
        const batches = await batchesOf(loaderOf(rows, options), 3);
        fc.pre(batches.length > 0);
        const loader = loaderOf(rows, { ...options, infinite: true });
        await take(loader, cut % batches.length);
        const step = pick % batches.length;
        const source = new MemorySource(rows);
        expect(named(await whichRows(source, throughJson(loader.stateDict()), step))).toEqual(batches[step]);
        expect(named(await loader.whichRows(step))).toEqual(batches[step]);
        expect(source.reads).toEqual([]);
      }),
      runs,
    );
  });

  test('under a filter reads to name rows within the epoch, and refuses others', async () => {
    const batches = await take(loaderOf(filtered, shuffled));
    const loader = loaderOf(filtered, shuffled);
    await take(loader, 3);
    const state = loader.stateDict();
    for (const [step, batch] of batches.entries()) {
      expect(named(await whichRows(new MemorySource(filtered), state, step))).toEqual(batch);
    }
    expect(await codeOf(whichRows(new MemorySource(filtered), state, batches.length))).toBe('unsupported');
    const next = loaderOf(filtered, shuffled);
    await take(next);
    expect(await codeOf(next.whichRows(2))).toBe('unsupported');
  });

  test('after a change of world knows the steps since', async () => {
    const { states } = await lockstep(ranksOf(settings, shuffled, 3), 2);
    const world = new World({ rank: 1, worldSize: 2 });
    const resume = (): SpiralDataLoader =>
      SpiralDataLoader.fromStateDict(new MemorySource(settings), states, { world });
    const batches = await batchesOf(resume(), 2);
    for (const [at, batch] of batches.entries()) expect(named(await resume().whichRows(2 + at))).toEqual(batch);
    expect(await codeOf(resume().whichRows(1))).toBe('unsupported');
    expect(await codeOf(resume().whichRows(-1))).toBe('invalid_size');
  });

  test('finds a batch of a billion rows by arithmetic', async () => {
    const huge = new MemorySource({ shards: Array.from({ length: 1000 }, () => 1_000_000), batchRows: 8192 });
    const options = { batchSize: 256, shuffleBufferSize: 8192, interleaveShards: 8, shuffleChunkRows: 1024 };
    const ids = await new SpiralDataLoader(huge, options).whichRows(5_000_000);
    expect(new Set(named(ids)).size).toBe(256);
    expect(huge.reads).toEqual([]);
  });
});

describe('skipSteps', () => {
  test('forward, back and into other epochs, is where taking as many batches leads', async () => {
    await fc.assert(
      fc.asyncProperty(arbRows, arbShuffle, arbHow, fc.nat(), fc.nat(), async (rows, shuffle, how, from, to) => {
        const world = new World({ rank: how.rank % how.worldSize, worldSize: how.worldSize });
        const { epoch: _, ...given } = { ...shuffle, uneven: how.uneven, dropLast: how.dropLast, world };
        const count = (await batchesOf(loaderOf(rows, given), 3)).length;
        fc.pre(count > 0);
        const options = { ...given, infinite: true };
        const expected = await take(loaderOf(rows, options), count + 2);
        const loader = loaderOf(rows, options);
        await take(loader, from % count);
        const state = skipSteps(throughJson(loader.stateDict()), (to % count) - (from % count));
        expect(state.step).toBe(to % count);
        const moved = SpiralDataLoader.fromStateDict(new MemorySource(rows), throughJson(state));
        expect(moved.stateDict()).toEqual(state);
        const rest = await take(moved, count + 2 - (to % count));
        expect(rest).toEqual(expected.slice(to % count));
        expect(moved.step).toBe(count + 2);
      }),
      runs,
    );
  });

  test('adds up, and a plan settles the place', async () => {
    const state = loaderOf(settings, shuffled).stateDict();
    const moved = SpiralDataLoader.fromStateDict(new MemorySource(settings), skipSteps(skipSteps(state, 15), -2));
    expect([moved.epoch, moved.step]).toEqual([0, 13]);
    expect(await moved.plan()).toMatchObject({ epoch: 1, rowsLeft: 70 });
    expect(moved.stateDict()).toMatchObject({ epoch: 1, step: 13, epochStep: 10, samplesYielded: 30, skip: 0 });
  });

  test('goes back by batches as they are cut now where the size was changed in mid-epoch', async () => {
    const first = loaderOf(settings, shuffled);
    await take(first, 4);
    const other = SpiralDataLoader.fromStateDict(new MemorySource(settings), first.stateDict(), { batchSize: 7 });
    await take(other, 2);
    const samples = (await take(loaderOf(settings, shuffled))).flat();
    const back = (steps: number): SpiralDataLoader =>
      SpiralDataLoader.fromStateDict(new MemorySource(settings), skipSteps(other.stateDict(), -steps));
    expect((await take(back(3))).flat()).toEqual(samples.slice(54 - 21));
    await expect(take(back(6))).resolves.toBeDefined();
    expect(
      await codeOf(
        take(
          SpiralDataLoader.fromStateDict(
            new MemorySource(settings),
            skipSteps({ ...other.stateDict(), step: 12, epochStep: 2 }, -9),
          ),
        ),
      ),
    ).toBe('unsupported');
  });

  test('under a filter moves within the epoch', async () => {
    const batches = await take(loaderOf(filtered, shuffled));
    const loader = loaderOf(filtered, shuffled);
    await take(loader, 4);
    const moved = (steps: number): SpiralDataLoader =>
      SpiralDataLoader.fromStateDict(new MemorySource(filtered), skipSteps(loader.stateDict(), steps));
    expect(await take(moved(-3))).toEqual(batches.slice(1));
    expect(await take(moved(2))).toEqual(batches.slice(6));
    expect(await codeOf(take(moved(50)))).toBe('invalid_size');
  });

  test('refuses what lies before the first batch, before a change of world, and what is no number', async () => {
    const loader = loaderOf(settings, shuffled);
    await take(loader, 2);
    const state = loader.stateDict();
    for (const steps of [-3, 0.5, Number.NaN]) {
      expect(() => skipSteps(state, steps)).toThrowError(expect.objectContaining({ code: 'invalid_size' }));
    }
    expect(() => skipSteps({} as never, 1)).toThrowError(expect.objectContaining({ code: 'invalid_state' }));
    const { states } = await lockstep(ranksOf(settings, shuffled, 3), 2);
    const world = new World({ rank: 0, worldSize: 1 });
    const resumed = SpiralDataLoader.fromStateDict(new MemorySource(settings), states, { world });
    const back = SpiralDataLoader.fromStateDict(new MemorySource(settings), skipSteps(resumed.stateDict(), -1));
    expect(await codeOf(take(back))).toBe('unsupported');
  });

  test('setEpoch goes to that epoch whatever was to be skipped', async () => {
    const state = skipSteps(loaderOf(settings, shuffled).stateDict(), 25);
    const moved = SpiralDataLoader.fromStateDict(new MemorySource(settings), state);
    moved.setEpoch(1);
    expect(await take(moved)).toEqual(await take(loaderOf(settings, { ...shuffled, epoch: 1 })));
  });
});

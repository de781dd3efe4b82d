import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SpiralDataLoader } from '../../src/loader/data-loader.js';
import type { DataLoaderOptions } from '../../src/loader/options.js';
import type { OpenSource } from '../../src/loader/source.js';
import { Shard } from '../../src/sharding/shard.js';
import { World } from '../../src/sharding/world.js';
import { lawRuns } from '../laws.js';
import { arbRows, arbShuffle, lockstep, ranksOf } from './loader-cases.js';
import { MemorySource, samplesOf, take } from './memory-source.js';

const runs = { numRuns: lawRuns(150, 3000) };
const settings = { shards: [30, 50, 20], batchRows: 8 };
const shuffled: DataLoaderOptions = { batchSize: 10, shuffleBufferSize: 25, interleaveShards: 2, shuffleChunkRows: 8 };

/** A source that counts its bytes and, under a filter, has counted its shards. */
class CountedSource extends MemorySource {
  override async openSource(): Promise<OpenSource> {
    const open = await super.openSource();
    const shards = [15, 25, 10].map(
      (rows, at) => new Shard({ begin: null, end: null }, rows, open.shards[at]!.segments),
    );
    return { ...open, shards, bytesPerRow: 12.5 };
  }
}

describe('a plan', () => {
  test('says of every rank what its epoch then gives, with every setting and any change of world', async () => {
    await fc.assert(
      fc.asyncProperty(
        arbRows,
        arbShuffle,
        fc.record({
          uneven: fc.constantFrom('keep' as const, 'drop' as const, 'pad' as const, 'split' as const),
          dropLast: fc.boolean(),
        }),
        fc.record({ before: fc.integer({ min: 1, max: 4 }), after: fc.integer({ min: 1, max: 4 }) }),
        fc.nat(5),
        async (rows, shuffle, how, { before, after }, cut) => {
          fc.pre(how.uneven !== 'drop' || rows.shards.filter((count) => count > 0).length >= Math.max(before, after));
          const { epoch } = shuffle;
          const { states } = await lockstep(ranksOf(rows, { ...shuffle, ...how }, before), cut);
          fc.pre(states.every((state) => state.epoch === epoch));
          const loaders = Array.from({ length: after }, (_, rank) =>
            SpiralDataLoader.fromStateDict(new MemorySource(rows), states, {
              world: new World({ rank, worldSize: after }),
            }),
          );
          const plans = await Promise.all(loaders.map((loader) => loader.plan()));
          const received = states.map((state) => state.samplesYielded);
          const runsOfRanks = await Promise.all(loaders.map((loader) => take(loader)));
          for (const [rank, batches] of runsOfRanks.entries()) {
            const { ranks, rowsLeft, batchesLeft, ...own } = plans[rank]!;
            expect(ranks).toEqual(plans[0]!.ranks);
            expect({ epoch: epoch!, ...ranks[rank]! }).toEqual(own);
            const counted = batches.flat().length;
            expect([rowsLeft, batchesLeft]).toEqual([counted, batches.length]);
            // The plan of the same world is that of the epoch, of which a part was received before.
            const before = after === states.length ? received[rank]! : 0;
            expect(own.rows).toBe(counted + before);
            expect(own.batches).toBe(Math.ceil((counted + before) / states[0]!.batchSize));
            const distinct = new Set(batches.flat()).size;
            if (how.uneven !== 'pad') expect([own.padding, distinct]).toEqual([0, counted]);
            // A rank whose rows are all padding repeats another's, which are distinct.
            else if (before === 0 && own.padding! < own.rows!) expect(own.padding).toBe(counted - distinct);
          }
        },
      ),
      runs,
    );
  });

  test('reads nothing, and gives null for what nobody says', async () => {
    const source = new MemorySource(settings);
    const plan = await new SpiralDataLoader(source, shuffled).plan();
    const own = { rank: 0, rows: 100, batches: 10, padding: 0, dropped: 0, bytes: null };
    expect(plan).toEqual({ epoch: 0, ...own, rowsLeft: 100, batchesLeft: 10, ranks: [own] });
    const filtered = new MemorySource({ ...settings, keep: (_, row) => row % 2 === 0 });
    const none = { rank: 0, rows: null, batches: null, padding: null, dropped: null, bytes: null };
    expect(await new SpiralDataLoader(filtered, shuffled).plan()).toEqual({
      epoch: 0,
      ...none,
      rowsLeft: null,
      batchesLeft: null,
      ranks: [none],
    });
    expect([...source.reads, ...filtered.reads]).toEqual([]);
  });

  test('knows filtered shards that were counted, and bytes where the source does', async () => {
    const source = new CountedSource({ ...settings, keep: (_, row) => row % 2 === 0 });
    const loader = new SpiralDataLoader(source, { ...shuffled, world: new World({ rank: 1, worldSize: 2 }) });
    const plan = await loader.plan();
    const given = (await take(loader)).flat().length;
    expect(plan).toMatchObject({
      rank: 1,
      rows: given,
      batches: Math.ceil(given / 10),
      bytes: Math.round(given * 12.5),
    });
    expect(plan.ranks.reduce((sum, { rows }) => sum + rows!, 0)).toBe(50);
  });

  test('counts what dropLast leaves out, and what is left of an epoch under way', async () => {
    const loader = new SpiralDataLoader(new MemorySource(settings), {
      ...shuffled,
      batchSize: 30,
      dropLast: true,
      maxSteps: 2,
    });
    expect(await loader.plan()).toMatchObject({ rows: 90, batches: 3, dropped: 10, rowsLeft: 60, batchesLeft: 2 });
    for await (const batch of loader) {
      expect(batch.numRows).toBe(30);
      const { rowsLeft, batchesLeft } = await loader.plan();
      expect([rowsLeft, batchesLeft]).toEqual([60 - loader.samplesYielded, 2 - loader.step]);
    }
  });
});

describe('maxSteps', () => {
  test('ends an iteration right behind its batch, an infinite one too, in whatever epoch', async () => {
    await fc.assert(
      fc.asyncProperty(arbRows, arbShuffle, fc.nat(12), fc.nat(12), async (rows, shuffle, first, more) => {
        const endless = { ...shuffle, infinite: true };
        const run = ranksOf(rows, { ...endless, maxSteps: first }, 1)[0]!;
        const given = await take(run);
        const state = run.stateDict();
        expect([given.length, run.step, state.maxSteps]).toEqual([first, first, first]);
        expect(await take(run)).toEqual([]);
        expect(run.stateDict()).toEqual(state);
        const ended = SpiralDataLoader.fromStateDict(new MemorySource(rows), state);
        expect(await take(ended)).toEqual([]);
        const longer = SpiralDataLoader.fromStateDict(new MemorySource(rows), state, { maxSteps: first + more });
        const expected = await take(ranksOf(rows, endless, 1)[0]!, first + more);
        expect([...given, ...(await take(longer))]).toEqual(expected);
      }),
      runs,
    );
  });

  test('is a whole number', () => {
    expect(() => new SpiralDataLoader(new MemorySource(settings), { maxSteps: 1.5 })).toThrowError(
      expect.objectContaining({ code: 'invalid_size' }),
    );
  });
});

describe('peek', () => {
  test('gives what comes next and moves nothing, anywhere in an iteration and between two', async () => {
    await fc.assert(
      fc.asyncProperty(arbRows, arbShuffle, async (rows, shuffle) => {
        const loader = ranksOf(rows, { ...shuffle, infinite: true }, 1)[0]!;
        let next = samplesOf(await loader.peek());
        let left = 7;
        for await (const batch of loader) {
          expect(samplesOf(batch)).toEqual(next);
          const before = loader.stateDict();
          next = samplesOf(await loader.peek());
          expect(loader.stateDict()).toEqual(before);
          if (--left === 0) break;
        }
        // Left early, the epoch starts anew.
        next = samplesOf(await loader.peek());
        expect((await take(loader, 1))[0]).toEqual(next);
      }),
      runs,
    );
  });

  test('runs the transform, ignores maxSteps, and at the end of an epoch gives the next one', async () => {
    const loader = new SpiralDataLoader<number>(new MemorySource(settings), {
      ...shuffled,
      maxSteps: 0,
      transformFn: (_, { step }) => (step === 0 ? null : step),
    });
    expect(await loader.peek()).toBe(1);
    const ended = new SpiralDataLoader(new MemorySource(settings), { ...shuffled, skipSamples: 100 });
    const following = new SpiralDataLoader(new MemorySource(settings), { ...shuffled, epoch: 1 });
    expect(samplesOf(await ended.peek())).toEqual(samplesOf(await following.peek()));
    await loader.close();
    await expect(loader.peek()).rejects.toMatchObject({ code: 'closed' });
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SpiralDataLoader } from '../../src/loader/data-loader.js';
import { World } from '../../src/sharding/world.js';
import { lawRuns } from '../laws.js';
import { arbRows, arbShuffle, codeOf, lockstep, ranksOf, rowsOf, survivors } from './loader-cases.js';
import { MemorySource, take } from './memory-source.js';

const runs = { numRuns: lawRuns(150, 3000) };
const arbWorld = fc.integer({ min: 1, max: 5 });

describe('uneven ranks (law 4c)', () => {
  test('split: every row once, and ranks differ by one row at most', async () => {
    await fc.assert(
      fc.asyncProperty(arbRows, arbShuffle, arbWorld, async (settings, options, worldSize) => {
        const { given } = await lockstep(ranksOf(settings, { ...options, uneven: 'split' }, worldSize));
        expect(given.flat().sort()).toEqual(survivors(settings).sort());
        const sizes = given.map((rows) => rows.length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
      runs,
    );
  });

  test('drop: every rank gives as many rows as the smallest, none twice, of those that keep deals it', async () => {
    await fc.assert(
      fc.asyncProperty(arbRows, arbShuffle, arbWorld, async (settings, options, worldSize) => {
        fc.pre(settings.shards.filter((rows) => rows > 0).length >= worldSize);
        const keep = (await lockstep(ranksOf(settings, options, worldSize))).given;
        const drop = (await lockstep(ranksOf(settings, { ...options, uneven: 'drop' }, worldSize))).given;
        const least = Math.min(...keep.map((rows) => rows.length));
        for (const [rank, rows] of drop.entries()) {
          expect(rows.length).toBe(least);
          expect(new Set(rows).size).toBe(least);
          for (const row of rows) expect(keep[rank]).toContain(row);
        }
      }),
      runs,
    );
  });

  test('pad: every rank gives as many rows as the largest, its own first, then those again from the start', async () => {
    await fc.assert(
      fc.asyncProperty(arbRows, arbShuffle, arbWorld, async (settings, options, worldSize) => {
        const keep = (await lockstep(ranksOf(settings, options, worldSize))).given;
        const pad = (await lockstep(ranksOf(settings, { ...options, uneven: 'pad' }, worldSize))).given;
        const most = Math.max(...keep.map((rows) => rows.length));
        for (const [rank, rows] of pad.entries()) {
          expect(rows.length).toBe(most);
          const own = keep[rank]!;
          expect(rows.slice(0, own.length)).toEqual(own);
          if (own.length === 0) continue;
          for (const [at, row] of rows.entries()) {
            if (at + own.length < most && at + 2 * own.length <= most) expect(rows[at + own.length]).toBe(row);
          }
          const counts = Array.from(new Set(own), (row) => rows.filter((other) => other === row).length);
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        }
        expect(new Set(pad.flat())).toEqual(new Set(survivors(settings)));
      }),
      runs,
    );
  });

  test('a resume at any batch gives the rest, whatever evens ranks out', async () => {
    const arbUneven = fc.constantFrom('drop' as const, 'pad' as const, 'split' as const);
    await fc.assert(
      fc.asyncProperty(
        arbRows,
        arbShuffle,
        arbUneven,
        arbWorld,
        fc.nat(12),
        async (settings, options, uneven, worldSize, cut) => {
          fc.pre(settings.shards.filter((rows) => rows > 0).length >= worldSize);
          const whole = await lockstep(ranksOf(settings, { ...options, uneven }, worldSize));
          const part = await lockstep(ranksOf(settings, { ...options, uneven }, worldSize), cut);
          const again = part.states.map((state) => SpiralDataLoader.fromStateDict(new MemorySource(settings), state));
          const rest = await lockstep(again, undefined, options.epoch);
          expect(part.given.map((rows, rank) => [...rows, ...rest.given[rank]!])).toEqual(whole.given);
        },
      ),
      runs,
    );
  });

  test('a rank without shards repeats those of the largest', async () => {
    const settings = { shards: [5, 9, 3], batchRows: 4 };
    const options = { shuffleShards: false, batchSize: 4, uneven: 'pad' as const };
    const loaders = ranksOf(settings, options, 4);
    const samples = await Promise.all(loaders.map((loader) => take(loader)));
    expect(samples[3]!.flat()).toEqual(samples[1]!.flat());
    expect(samples[2]!.flat()).toEqual(['2:0', '2:1', '2:2', '2:0', '2:1', '2:2', '2:0', '2:1', '2:2']);
    expect((await loaders[3]!.plan()).padding).toBe(9);
  });

  test('a filter, or more ranks than shards to drop to, is refused with what to do', async () => {
    const filtered = { shards: [30, 40], batchRows: 8, keep: (_: number, row: number) => row % 2 === 0 };
    for (const uneven of ['drop', 'pad', 'split'] as const) {
      const [loader] = ranksOf(filtered, { uneven }, 2);
      expect(await codeOf(take(loader!))).toBe('unsupported');
      await expect(loader!.plan()).rejects.toThrow(/computeShards/);
      const [alone] = ranksOf(filtered, { uneven }, 1);
      expect((await take(alone!)).flat().length).toBe(35);
    }
    const [few] = ranksOf({ shards: [30, 0, 40], batchRows: 8 }, { uneven: 'drop' }, 3);
    expect(await codeOf(take(few!))).toBe('no_rows');
    expect(rowsOf(filtered)).toBe(70);
  });

  test('may not change in mid-epoch, and is one of four words', async () => {
    const settings = { shards: [30, 40], batchRows: 8 };
    const { states } = await lockstep(ranksOf(settings, { batchSize: 8, uneven: 'split' }, 2), 2);
    const resume = (): unknown =>
      SpiralDataLoader.fromStateDict(new MemorySource(settings), states[0]!, { uneven: 'keep' });
    expect(resume).toThrowError(
      expect.objectContaining({ code: 'state_mismatch', message: expect.stringMatching(/uneven/) }),
    );
    const world = new World({ rank: 0, worldSize: 2 });
    expect(() => new SpiralDataLoader(new MemorySource(settings), { world, uneven: 'even' as never })).toThrowError(
      expect.objectContaining({ code: 'invalid_argument' }),
    );
  });
});

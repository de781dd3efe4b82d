import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SpiralDataLoader } from '../../src/loader/data-loader.js';
import type { DataLoaderOptions } from '../../src/loader/options.js';
import type { LoaderState } from '../../src/loader/state.js';
import { World } from '../../src/sharding/world.js';
import { lawRuns } from '../laws.js';
import { arbFiltered, arbRows, arbShuffle, codeOf, loaderOf, lockstep, ranksOf, survivors } from './loader-cases.js';
import { MemorySource, type MemorySourceSettings, take } from './memory-source.js';

const runs = { numRuns: lawRuns(150, 3000) };

function resumed(
  settings: MemorySourceSettings,
  states: readonly LoaderState[],
  worldSize: number,
): SpiralDataLoader[] {
  return Array.from({ length: worldSize }, (_, rank) =>
    SpiralDataLoader.fromStateDict(new MemorySource(settings), states, { world: new World({ rank, worldSize }) }),
  );
}

/** A chain of worlds: sizes, each with the batches that its ranks take before the next comes. */
const arbChain = fc.array(fc.record({ worldSize: fc.integer({ min: 1, max: 5 }), batches: fc.nat(6) }), {
  minLength: 2,
  maxLength: 5,
});

describe('elastic resume (law 8a)', () => {
  test('over any chain of worlds an epoch gives each surviving row exactly once, and the next is dealt as ever', async () => {
    await fc.assert(
      fc.asyncProperty(arbFiltered, arbShuffle, arbChain, async (settings, options, chain) => {
        const given: string[] = [];
        const epoch = options.epoch ?? 0;
        let loaders = ranksOf(settings, options, chain[0]!.worldSize);
        for (const [at, { batches }] of chain.entries()) {
          const part = await lockstep(loaders, at === chain.length - 1 ? undefined : batches, epoch);
          given.push(...part.given.flat());
          const next = chain[at + 1];
          if (next !== undefined) loaders = resumed(settings, part.states, next.worldSize);
        }
        expect(given.sort()).toEqual(survivors(settings).sort());
        const following = await Promise.all(loaders.map((loader) => take(loader)));
        expect(loaders.map((loader) => loader.epoch)).toEqual(loaders.map(() => epoch + 2));
        const plain = ranksOf(settings, { ...options, epoch: epoch + 1 }, chain.at(-1)!.worldSize);
        expect(following).toEqual(await Promise.all(plain.map((loader) => take(loader))));
      }),
      runs,
    );
  });

  test('4 to 2 to 5 to 4, in the middle of windows, with every way to even ranks out', async () => {
    const settings = { shards: [700, 650, 800, 720, 690, 810, 640, 700], batchRows: 64 };
    for (const uneven of ['keep', 'drop', 'pad', 'split'] as const) {
      const options: DataLoaderOptions = {
        batchSize: 32,
        shuffleBufferSize: 300,
        interleaveShards: 3,
        shuffleChunkRows: 50,
        uneven,
      };
      const given: string[] = [];
      let loaders = ranksOf(settings, options, 4);
      for (const worldSize of [2, 5, 4]) {
        const part = await lockstep(loaders, 7);
        given.push(...part.given.flat());
        loaders = resumed(settings, part.states, worldSize);
      }
      given.push(...(await lockstep(loaders)).given.flat());
      const once = new Set(given);
      if (uneven === 'keep' || uneven === 'split') expect(given.sort()).toEqual(survivors(settings).sort());
      if (uneven === 'drop') expect(once.size).toBe(given.length);
      if (uneven === 'pad') expect(once).toEqual(new Set(survivors(settings)));
    }
  });

  test('a resume within the new world, at any cut, is the uninterrupted run of it', async () => {
    await fc.assert(
      fc.asyncProperty(
        arbFiltered,
        arbShuffle,
        fc.record({ before: fc.integer({ min: 1, max: 4 }), after: fc.integer({ min: 1, max: 4 }) }),
        fc.nat(5),
        fc.nat(5),
        async (settings, options, { before, after }, first, second) => {
          const { epoch } = options;
          const { states } = await lockstep(ranksOf(settings, options, before), first);
          const whole = await lockstep(resumed(settings, states, after), undefined, epoch);
          const part = await lockstep(resumed(settings, states, after), second, epoch);
          const again = part.states.map((state) => SpiralDataLoader.fromStateDict(new MemorySource(settings), state));
          const rest = await lockstep(again, undefined, epoch);
          expect(part.given.map((given, rank) => [...given, ...rest.given[rank]!])).toEqual(whole.given);
        },
      ),
      runs,
    );
  });

  test('on the same world states of all ranks give exactly what an ordinary resume gives', async () => {
    await fc.assert(
      fc.asyncProperty(
        arbFiltered,
        arbShuffle,
        fc.integer({ min: 1, max: 4 }),
        fc.nat(6),
        async (settings, options, worldSize, cut) => {
          const { states } = await lockstep(ranksOf(settings, options, worldSize), cut);
          const ordinary = states.map((state) => SpiralDataLoader.fromStateDict(new MemorySource(settings), state));
          const elastic = resumed(settings, states, worldSize);
          expect(elastic.map((loader) => loader.stateDict())).toEqual(states);
          expect(await Promise.all(elastic.map((loader) => take(loader)))).toEqual(
            await Promise.all(ordinary.map((loader) => take(loader))),
          );
        },
      ),
      runs,
    );
  });

  test('steps go on counting, and an epoch left early starts again at the change of world', async () => {
    const settings = { shards: [90, 90, 90, 90], batchRows: 16 };
    const { states } = await lockstep(ranksOf(settings, { batchSize: 10, shuffleBufferSize: 30 }, 4), 4);
    const [loader] = resumed(settings, states, 2);
    const first = await take(loader!, 3);
    expect(loader!.stateDict()).toMatchObject({ step: 7, epochStep: 4, samplesYielded: 30, epoch: 0 });
    expect((await take(loader!)).slice(0, 3)).toEqual(first);
    expect(loader!.stateDict()).toMatchObject({ step: 14, epoch: 1, past: [] });
    const whole = await take(ranksOf(settings, { batchSize: 10, shuffleBufferSize: 30 }, 2)[0]!);
    loader!.setEpoch(0);
    expect(await take(loader!)).toEqual(whole);
  });

  test('setEpoch to the epoch of the change gives it whole', async () => {
    const settings = { shards: [40, 40, 40], batchRows: 16 };
    const options = { batchSize: 10 };
    const { states } = await lockstep(ranksOf(settings, options, 3), 2);
    const [loader] = resumed(settings, states, 1);
    loader!.setEpoch(0);
    expect((await take(loader!)).flat().sort()).toEqual(survivors(settings).sort());
  });

  test('a state grows by 8 bytes a rank at most for each change of world', async () => {
    const settings = { shards: Array.from({ length: 64 }, () => 5000), batchRows: 500 };
    let loaders = ranksOf(settings, { batchSize: 100, shuffleBufferSize: 1000, uneven: 'split' }, 8);
    const sizes: number[] = [];
    for (const worldSize of [6, 8, 7]) {
      const { states } = await lockstep(loaders, 5);
      loaders = resumed(settings, states, worldSize);
      sizes.push(JSON.stringify(loaders[0]!.stateDict()).length);
    }
    expect(sizes[0]).toBeLessThan(1024);
    for (const [at, ranks] of [6, 8].entries()) expect(sizes[at + 1]! - sizes[at]!).toBeLessThan(ranks * 8 + 40);
  });

  test('reads what is left and little more: the windows that were open, at most', async () => {
    const settings = { shards: Array.from({ length: 8 }, () => 4000), batchRows: 256 };
    const options = { batchSize: 100, shuffleBufferSize: 800, interleaveShards: 4, shuffleChunkRows: 200 };
    const { given, states } = await lockstep(ranksOf(settings, options, 4), 60);
    const left = 32_000 - given.flat().length;
    const sources = Array.from({ length: 3 }, () => new MemorySource(settings));
    const loaders = sources.map((source, rank) =>
      SpiralDataLoader.fromStateDict(source, states, { world: new World({ rank, worldSize: 3 }) }),
    );
    const rest = await lockstep(loaders);
    expect(rest.given.flat().length).toBe(left);
    const read = sources.reduce((sum, source) => sum + source.rowsRead, 0);
    expect(read).toBeLessThanOrEqual(left + 4 * 800 + left * 0.5);
  });
});

describe('explainResume', () => {
  test('says for any world which rows each rank gives', async () => {
    await fc.assert(
      fc.asyncProperty(
        arbRows,
        arbShuffle,
        fc.record({ before: fc.integer({ min: 1, max: 4 }), after: fc.integer({ min: 1, max: 4 }) }),
        fc.nat(6),
        async (settings, options, { before, after }, cut) => {
          const { states } = await lockstep(ranksOf(settings, options, before), cut);
          const world = new World({ rank: 0, worldSize: after });
          const plan = await SpiralDataLoader.explainResume(new MemorySource(settings), states, world);
          const running = states.some((state) => state.epoch === plan.epoch);
          expect([plan.worldSizeBefore, plan.worldSize, running]).toEqual([before, after, true]);
          const loaders = resumed(settings, states, after);
          for (const [rank, loader] of loaders.entries()) {
            const given = loader.epoch === plan.epoch ? (await take(loader)).flat() : [];
            const { rows, spans } = plan.ranks[rank]!;
            expect(rows).toBe(given.length);
            expect(spans.reduce((sum, span) => sum + span.rows, 0)).toBe(rows);
            for (const sample of given) {
              const [shard, row] = sample.split(':').map(Number) as [number, number];
              expect(spans.some((span) => span.shard === shard && span.from <= row && row < span.to)).toBe(true);
            }
          }
        },
      ),
      runs,
    );
  });

  test('touches no data', async () => {
    const settings = { shards: [50, 60, 70], batchRows: 16 };
    const { states } = await lockstep(ranksOf(settings, { batchSize: 10, shuffleBufferSize: 20 }, 3), 2);
    const source = new MemorySource(settings);
    const plan = await SpiralDataLoader.explainResume(source, states, new World({ rank: 0, worldSize: 2 }));
    expect(plan.ranks.reduce((sum, { rows }) => sum + rows, 0)).toBe(120);
    expect(source.reads).toEqual([]);
  });
});

describe('states that do not fit together are refused', () => {
  const settings = { shards: [40, 50, 60, 70], batchRows: 16 };
  const options: DataLoaderOptions = { batchSize: 10, shuffleBufferSize: 20 };
  const statesAt = async (batches: number, given: DataLoaderOptions = options): Promise<LoaderState[]> =>
    (await lockstep(ranksOf(settings, given, 3), batches)).states;
  const resume = (states: readonly LoaderState[], worldSize: number): unknown => resumed(settings, states, worldSize);

  test('a rank missing or there twice, and no state at all', async () => {
    const states = await statesAt(2);
    const invalid = (message: RegExp): unknown =>
      expect.objectContaining({ code: 'invalid_state', message: expect.stringMatching(message) });
    expect(() => resume(states.slice(1), 2)).toThrowError(invalid(/all 3 ranks.*ranks 1, 2/));
    expect(() => resume([...states, states[1]!], 2)).toThrowError(invalid(/two of rank 1/));
    expect(() => resume([states[0]!, states[2]!], 3)).toThrowError(invalid(/rank 1/));
    expect(() => resume([], 2)).toThrowError(invalid(/one state/));
    expect(() => SpiralDataLoader.fromStateDict(new MemorySource(settings), states)).toThrowError(invalid(/`world`/));
  });

  test('other epochs, other settings, another source, another past', async () => {
    const states = await statesAt(2);
    const mismatch = (message: RegExp): unknown =>
      expect.objectContaining({ code: 'state_mismatch', message: expect.stringMatching(message) });
    const other = (change: Partial<LoaderState>): LoaderState[] => [
      states[0]!,
      { ...states[1]!, ...change },
      states[2]!,
    ];
    expect(() => resume(other({ epoch: 3 }), 2)).toThrowError(mismatch(/epoch 0.*epoch 3/));
    expect(() => resume(other({ epoch: 1 }), 2)).toThrowError(mismatch(/epoch 0.*epoch 1/));
    expect(() => resume(other({ seed: 9 }), 2)).toThrowError(mismatch(/`seed` is 42.*9 for rank 1/));
    expect(() => resume(other({ batchSize: 9 }), 2)).toThrowError(mismatch(/batchSize/));
    expect(() => resume(other({ source: { table: 'another' } }), 2)).toThrowError(mismatch(/source/));
    const past = [{ worldSize: 1, places: Buffer.from([3, 1]).toString('base64') }];
    expect(() => resume(other({ past }), 2)).toThrowError(mismatch(/past/));
  });

  test('a rank that is behind though it has rows left, and none where it has ended', async () => {
    const [early, late] = [await statesAt(2), await statesAt(3)];
    const torn = resumed(settings, [early[0]!, late[1]!, late[2]!], 2);
    expect(await codeOf(take(torn[0]!))).toBe('state_mismatch');
    const ended = await statesAt(12);
    const samples = (await Promise.all(resumed(settings, ended, 2).map((loader) => take(loader)))).flat(2);
    const given = (await lockstep(ranksOf(settings, options, 3), 12)).given.flat();
    expect([...given, ...samples].sort()).toEqual(survivors(settings).sort());
  });

  test('a state that was moved and not used since, a state of one rank for another world, a forged past', async () => {
    const fresh = ranksOf(settings, { ...options, skipSamples: 5 }, 3).map((loader) => loader.stateDict());
    expect(() => resume(fresh, 2)).toThrowError(expect.objectContaining({ code: 'invalid_state' }));
    const states = await statesAt(2);
    const world = new World({ rank: 0, worldSize: 2 });
    expect(() => SpiralDataLoader.fromStateDict(new MemorySource(settings), states[0]!, { world })).toThrowError(
      expect.objectContaining({ code: 'state_mismatch', message: expect.stringMatching(/states of all ranks/) }),
    );
    for (const places of ['', 'AA==', 'AAAA', '////////', 3]) {
      const past = [{ worldSize: 2, places: places as string }];
      expect(() => SpiralDataLoader.fromStateDict(new MemorySource(settings), { ...states[0]!, past })).toThrowError(
        expect.objectContaining({ code: 'invalid_state' }),
      );
    }
  });

  test('order settings may not change with the world', async () => {
    const states = await statesAt(2);
    expect(() =>
      SpiralDataLoader.fromStateDict(new MemorySource(settings), states, {
        world: new World({ rank: 0, worldSize: 2 }),
        shuffleBufferSize: 5,
      }),
    ).toThrowError(expect.objectContaining({ code: 'state_mismatch' }));
    expect(loaderOf(settings, options).epoch).toBe(0);
  });
});

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { RecordBatch } from 'apache-arrow';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LoaderState } from '../../../src/loader/state.js';
import { World } from '../../../src/sharding/world.js';
import { StreamingDataset } from '../../../src/streaming/dataset/streaming-dataset.js';
import type { StreamingOptions } from '../../../src/streaming/dataset/streaming-options.js';
import { checkpointLaws } from '../../../src/testing/checkpoint-laws.js';
import { lawRuns } from '../../laws.js';
import { temporaryFolder } from '../../storage/temporary-folder.js';
import { sampleOf, writeSet } from '../written-set.js';

const count = 600;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;

beforeAll(async () => {
  folder = await temporaryFolder();
  await writeSet(folder.path, count);
});
afterAll(() => folder[Symbol.asyncDispose]());

const idsOf = (batch: RecordBatch): number[] => Array.from(batch.getChild('id')!, Number);
const make = (options: StreamingOptions = {}): StreamingDataset =>
  new StreamingDataset({ local: folder.path, world: { rank: 0, worldSize: 1 }, ...options });
const numbers = (length: number): number[] => Array.from({ length }, (_, at) => at);

/** The batches of the next epoch of `dataset`, by their ids; `steps` of them. */
async function epochOf(
  dataset: StreamingDataset,
  batchSize: number,
  steps = Number.POSITIVE_INFINITY,
): Promise<number[][]> {
  const batches: number[][] = [];
  if (steps === 0) return batches;
  for await (const batch of dataset.batches({ batchSize, feeder: false })) {
    if (batches.push(idsOf(batch)) === steps) break;
  }
  return batches;
}

/** Places of ranks in turn. */
function inTurns(ranks: readonly number[][]): number[] {
  const longest = Math.max(...ranks.map(({ length }) => length));
  return numbers(longest).flatMap((place) => ranks.flatMap((ids) => ids.slice(place, place + 1)));
}

describe('a streaming data set', () => {
  it('gives each sample once an epoch, in another order the next, and the same again to another', async () => {
    await using dataset = make({ shuffle: true, shuffleBlockSize: 100 });
    const [first, second] = [await epochOf(dataset, 50), await epochOf(dataset, 50)];
    expect(first.flat().sort((a, b) => a - b)).toEqual(numbers(count));
    expect(second.flat().sort((a, b) => a - b)).toEqual(numbers(count));
    expect(second).not.toEqual(first);
    await using other = make({ shuffle: true, shuffleBlockSize: 100 });
    expect(await epochOf(other, 50)).toEqual(first);
    expect((await epochOf(other, 50, 1))[0]).toEqual(second[0]);
    expect(other.epoch).toBe(2);
  });

  it('stands as it was written where nothing is shuffled and it is one part', async () => {
    await using dataset = make({ partitions: 1 });
    expect((await epochOf(dataset, 64)).flat()).toEqual(numbers(count));
    const samples = [];
    for await (const sample of dataset) samples.push(sample);
    expect(samples).toEqual(numbers(count).map(sampleOf));
  });

  it('gives the same sequence to any world, and what is left of it to any other, each sample once', async () => {
    const world = fc.integer({ min: 1, max: 5 });
    await fc.assert(
      fc.asyncProperty(
        fc.record({ before: world, after: world, batchSize: fc.integer({ min: 1, max: 40 }), shuffle: fc.boolean() }),
        fc.nat(1000),
        fc.constantFrom('keep' as const, 'pad' as const),
        async ({ before, after, batchSize, shuffle }, cut, uneven) => {
          const options = { shuffle, shuffleBlockSize: 128, uneven };
          await using whole = make(options);
          const expected = (await epochOf(whole, 32)).flat();
          const steps = cut % (Math.floor(count / before / batchSize) + 1);
          const ranks = await Promise.all(
            numbers(before).map(async (rank) => {
              await using dataset = make({ ...options, world: { rank, worldSize: before } });
              const ids = (await epochOf(dataset, batchSize, steps)).flat();
              await dataset.open();
              return { ids, state: dataset.stateDict(ids.length * before, true) };
            }),
          );
          const given = inTurns(ranks.map(({ ids }) => ids));
          expect(given).toEqual(expected.slice(0, given.length));
          const state: unknown = JSON.parse(JSON.stringify(ranks[0]!.state));
          const rest = await Promise.all(
            numbers(after).map(async (rank) => {
              await using dataset = make({ ...options, world: { rank, worldSize: after } });
              dataset.loadStateDict(state);
              return (await epochOf(dataset, 16)).flat();
            }),
          );
          const left = inTurns(rest);
          expect(left.slice(0, count - given.length)).toEqual(expected.slice(given.length));
          expect(left.length - (count - given.length)).toBeLessThan(uneven === 'keep' ? 1 : after);
        },
      ),
      { numRuns: lawRuns(8, 400) },
    );
  }, 120_000);

  it('counts on from where it was resumed, if so asked, and from the next epoch on as ever', async () => {
    await using whole = make({ shuffle: true });
    const [first, second] = [(await epochOf(whole, 30)).flat(), (await epochOf(whole, 30)).flat()];
    await using one = make({ shuffle: true });
    await epochOf(one, 30, 3);
    await using two = make({ shuffle: true });
    two.loadStateDict(one.stateDict(90));
    expect((await epochOf(two, 30, 2)).flat()).toEqual(first.slice(90, 150));
    expect(two.stateDict(60, false)).toEqual(two.stateDict(150, true));
    await using three = make({ shuffle: true });
    three.loadStateDict(two.stateDict(60, false));
    expect((await epochOf(three, 7)).flat()).toEqual(first.slice(150));
    expect((await epochOf(three, 7)).flat()).toEqual(second);
  });

  it('gives samples by their number, from the end where it is negative, and stretches of them', async () => {
    await using dataset = make();
    expect(await dataset.get(0)).toEqual(sampleOf(0));
    expect(await dataset.get(-1)).toEqual(sampleOf(count - 1));
    expect(await dataset.get([5, 599, 5, -600])).toEqual([5, 599, 5, 0].map(sampleOf));
    expect(await dataset.slice(-3)).toEqual([597, 598, 599].map(sampleOf));
    expect(await dataset.slice(100, 160)).toEqual(numbers(60).map((at) => sampleOf(100 + at)));
    expect(await dataset.slice(5, 2)).toEqual([]);
    expect(await dataset.get([])).toEqual([]);
    for (const index of [600, -601, 1.5]) {
      await expect(dataset.get(index)).rejects.toMatchObject({ code: 'invalid_size' });
    }
  });

  it('says its sizes once it is open', async () => {
    await using dataset = make({ epochSize: '1k', world: { rank: 1, worldSize: 3 } });
    expect(() => dataset.length).toThrow(/await dataset.open\(\)/);
    await dataset.open();
    const { numSamples, size, epochSize, length } = dataset;
    expect({ numSamples, size, epochSize, length }).toEqual({
      numSamples: 600,
      size: 600,
      epochSize: 1000,
      length: 334,
    });
    expect(dataset.numShards).toBeGreaterThan(8);
    expect(dataset.schema.fields.map(({ name }) => name)).toEqual(['id', 'text']);
  });

  it('gives 64-bit integers as numbers where it is asked to', async () => {
    await using dataset = make({ int64: 'number' });
    expect(await dataset.get(7)).toEqual({ ...sampleOf(7), id: 7 });
  });

  it('mixes streams by their weights', async () => {
    await using other = await temporaryFolder();
    await writeSet(other.path, 100);
    const place = { local: folder.path };
    await using dataset = new StreamingDataset({
      streams: [
        { ...place, choose: 60 },
        { local: other.path, repeat: 2 },
      ],
      shuffle: true,
      world: { rank: 0, worldSize: 1 },
    });
    const ids = (await epochOf(dataset, 32)).flat();
    expect(ids).toHaveLength(260);
    expect(new Set(ids).size).toBeGreaterThanOrEqual(100);
    expect(await dataset.get(count + 5)).toEqual(sampleOf(5));
    await using relative = new StreamingDataset({
      streams: [
        { ...place, proportion: 3 },
        { local: other.path, proportion: 1 },
      ],
      epochSize: 400,
    });
    expect((await epochOf(relative, 32)).flat()).toHaveLength(400);
  });

  it('gives ranks in a row the same samples by `replication`', async () => {
    const of = async (rank: number): Promise<number[]> => {
      await using dataset = make({ shuffle: true, replication: 2, world: { rank, worldSize: 4 }, uneven: 'keep' });
      return (await epochOf(dataset, 20)).flat();
    };
    const [a, b, c, d] = await Promise.all([of(0), of(1), of(2), of(3)]);
    expect([b, d]).toEqual([a, c]);
    expect([...a!, ...c!].sort((x, y) => x - y)).toEqual(numbers(count));
    await using odd = make({ replication: 2, world: { rank: 0, worldSize: 3 } });
    await expect(epochOf(odd, 5)).rejects.toMatchObject({ code: 'invalid_world' });
  });
});

describe('a loader over a streaming data set', () => {
  const options = { shuffle: true, shuffleBlockSize: 64 };
  const contentOf = (batch: RecordBatch): unknown => idsOf(batch);

  for (const law of checkpointLaws<RecordBatch>({
    makeLoader: (state) => {
      const loading = { batchSize: 70, feeder: false };
      return state === undefined ? make(options).toDataLoader(loading) : make(options).resumeDataLoader(state, loading);
    },
    contentOf,
  })) {
    it(law.name, () => law.run());
  }

  it('gives in the feeder what it gives without, and what `batches` does, epoch by epoch', async () => {
    await using dataset = make({ ...options, batchSize: 45 });
    const collected: number[][][] = [];
    for (const feeder of [true, false]) {
      await using loader = dataset.toDataLoader({ feeder });
      const batches: number[][] = [];
      for (let epoch = 0; epoch < 2; epoch++) for await (const batch of loader) batches.push(idsOf(batch));
      collected.push(batches);
    }
    const direct: number[][] = [];
    for (let epoch = 0; epoch < 2; epoch++) for await (const batch of dataset.batches()) direct.push(idsOf(batch));
    expect(collected[0]).toEqual(direct);
    expect(collected[1]).toEqual(direct);
  }, 60_000);

  it('names rows by their shards, so that what a transform draws for a sample is the same in any order and world', async () => {
    const draws = async (world: World, shuffleSeed: number): Promise<Map<number, string>> => {
      await using dataset = make({ shuffle: true, shuffleSeed, world, uneven: 'keep' });
      await using loader = dataset.toDataLoader({
        batchSize: 33,
        feeder: false,
        transformFn: (batch, { rowIds, random }) =>
          idsOf(batch).map((id, at): [number, string] => [
            id,
            `${rowIds.shards[at]}:${rowIds.rows[at]}:${random(at).uint32()}`,
          ]),
      });
      const drawn = new Map<number, string>();
      for await (const pairs of loader) for (const [id, draw] of pairs) drawn.set(id, draw);
      return drawn;
    };
    const whole = await draws(new World({ rank: 0, worldSize: 1 }), 1);
    const part = await draws(new World({ rank: 1, worldSize: 3 }), 2);
    expect(part.size).toBe(count / 3);
    for (const [id, draw] of part) expect(draw).toBe(whole.get(id));
  });

  it('plans, peeks and tells which rows a step had, and what is left, without reading', async () => {
    await using dataset = make({ ...options, world: { rank: 2, worldSize: 4 } });
    await using loader = dataset.toDataLoader({ batchSize: 40, feeder: false });
    const plan = await loader.plan();
    expect(plan.ranks.map(({ rows, padding }) => [rows, padding])).toEqual(
      [150, 150, 150, 150].map((rows) => [rows, 0]),
    );
    expect(plan.batches).toBe(4);
    const peeked = idsOf(await loader.peek());
    const batches: { ids: number[]; rows: string }[] = [];
    for await (const batch of loader) {
      const { shards, rows } = loader.rowIds!;
      batches.push({ ids: idsOf(batch), rows: `${shards.join()} ${rows.join()}` });
    }
    expect(batches).toHaveLength(4);
    expect(batches[0]!.ids).toEqual(peeked);
    for (const [step, { rows }] of batches.entries()) {
      const found = await loader.whichRows(step);
      expect(`${found.shards.join()} ${found.rows.join()}`).toBe(rows);
    }
    await using padded = make({ ...options, world: { rank: 0, worldSize: 7 } });
    await using other = padded.toDataLoader({ batchSize: 10 });
    const { ranks } = await other.plan();
    expect(ranks.map(({ rows }) => rows)).toEqual(Array(7).fill(86));
    expect(ranks.map(({ padding }) => padding)).toEqual([0, 0, 0, 0, 0, 1, 1]);
  });

  it('goes on in another world with the states of all ranks, in the order of the uninterrupted run', async () => {
    await using whole = make(options);
    const expected = (await epochOf(whole, 32)).flat();
    const states: LoaderState[] = [];
    for (const rank of [0, 1, 2]) {
      await using loader = make({ ...options, world: { rank, worldSize: 3 } }).toDataLoader({
        batchSize: 11,
        maxSteps: 4,
        feeder: false,
      });
      for await (const _ of loader);
      states.push(loader.stateDict());
    }
    const rest: number[][] = [];
    for (const rank of [0, 1]) {
      const world = new World({ rank, worldSize: 2 });
      await using loader = make({ ...options, world }).resumeDataLoader(states, {
        world,
        maxSteps: 1000,
        feeder: false,
      });
      const ids: number[] = [];
      for await (const batch of loader) ids.push(...idsOf(batch));
      rest.push(ids);
      expect(ids.length).toBe((count - 3 * 44) / 2);
    }
    expect(inTurns(rest)).toEqual(expected.slice(3 * 44));
    await using dataset = make(options);
    const torn = [states[0]!, states[1]!, { ...states[2]!, step: 3, samplesYielded: 33, window: [0, 33] as const }];
    const world = new World({ rank: 0, worldSize: 2 });
    await using loader = dataset.resumeDataLoader(torn, { world, feeder: false });
    await expect(loader.plan()).rejects.toMatchObject({ code: 'state_mismatch' });
  });

  it('refuses states of other settings or other data, and options that would order samples', async () => {
    await using dataset = make(options);
    await using loader = dataset.toDataLoader({ batchSize: 50, feeder: false });
    for await (const _ of loader) break;
    const state = loader.stateDict();
    await using seeded = make({ ...options, shuffleSeed: 5 }).resumeDataLoader(state);
    await expect(seeded.plan()).rejects.toMatchObject({ code: 'state_mismatch', message: /shuffleSeed/ });
    await using other = await temporaryFolder();
    await writeSet(other.path, 500);
    await using foreign = make({ ...options, local: other.path }).resumeDataLoader(state);
    await expect(foreign.plan()).rejects.toMatchObject({ code: 'state_mismatch', message: /data/ });
    for (const wrong of [{ shuffle: 'epoch' as const }, { uneven: 'keep' as const }, { shuffleShards: false }]) {
      expect(() => dataset.toDataLoader(wrong)).toThrow(/orders its samples itself/);
    }
    await using buffered = dataset.toDataLoader({ shuffleBufferSize: 100 });
    await expect(buffered.plan()).rejects.toMatchObject({ code: 'invalid_argument' });
  });
});

it('lets a process end by itself however a loader of it is left, also while it opens and where there is nothing to open', () => {
  const script = fileURLToPath(new URL('./leave-stream.ts', import.meta.url));
  const ways = ['missing', 'opening', 'break', 'close', 'end', 'abandon'];
  const args = ['--import', 'tsx', script, folder.path, ...ways];
  const run = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 110_000 });
  expect([run.status, run.stderr]).toEqual([0, '']);
  const told = JSON.parse(run.stdout) as { left: string[]; end: string }[];
  expect(told.map(({ end }) => end)).toEqual(['not_found', 'closed', '', 'closed', '', '']);
  // One that is left alone keeps its thread, which keeps nobody alive.
  expect(told.slice(0, 5).map(({ left }) => left)).toEqual([[], [], [], [], []]);
}, 120_000);

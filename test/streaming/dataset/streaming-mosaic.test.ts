import { readdirSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import type { RecordBatch } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StreamingDataset } from '../../../src/streaming/dataset/streaming-dataset.js';
import type { StreamingOptions } from '../../../src/streaming/dataset/streaming-options.js';
import { temporaryFolder } from '../../storage/temporary-folder.js';
import type { Run } from '../mosaic-run.js';
import { fixturesNote, hasOrderFixtures, orderFixture, setFixtures } from '../peer-fixtures.js';
import { writeSet } from '../written-set.js';

const camelCase = (name: string): string => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
const idsOf = (batch: RecordBatch): number[] => Array.from(batch.getChild('id')!, Number);

describe.skipIf(!hasOrderFixtures)(`runs of MosaicML's loader${fixturesNote}`, () => {
  it('are reproduced batch by batch from the data set that it read, with its states, on every rank', async () => {
    const { cases } = orderFixture<{ cases: Run[] }>('e2e_dataloader');
    expect(cases.length).toBeGreaterThan(20);
    for (const { world_size: worldSize, nodes, cfg, ranks } of cases) {
      const kw = Object.fromEntries(Object.entries(cfg.kw).map(([name, value]) => [camelCase(name), value]));
      for (const { rank, epochs, states, len_dataset: length } of ranks) {
        await using dataset = new StreamingDataset({
          ...(kw as StreamingOptions),
          order: 'mosaic',
          local: `${setFixtures}/ids_uneven`,
          batchSize: cfg.batch_size,
          numWorkers: cfg.num_workers,
          world: { rank, worldSize },
          localWorldSize: worldSize / nodes,
        });
        if (cfg.load !== undefined) dataset.loadStateDict(cfg.load);
        await dataset.open();
        expect(dataset.length).toBe(length);
        for (const expected of epochs) {
          const batches: number[][] = [];
          for await (const batch of dataset.batches({ feeder: false })) batches.push(idsOf(batch));
          expect(batches.slice(0, cfg.state_at)).toEqual(expected);
          for (const { after_batches: after, state } of states) {
            expect(dataset.stateDict(after * cfg.batch_size * worldSize, false)).toMatchObject(state);
          }
        }
      }
    }
  }, 60_000);
});

describe.skipIf(!hasOrderFixtures)(`data sets of MosaicML's writers${fixturesNote}`, () => {
  // Left out: what is refused, a folder of folders, and lists of 70,000 arrays, which take long to compare.
  const names = hasOrderFixtures
    ? readdirSync(setFixtures).filter((name) => !/\.json$|^pkl$|^splits$|^ndarray_bigshape$/.test(name))
    : ['–'];

  it.each(names)('%s is given whole, in an order and by numbers alike', async (name) => {
    await using dataset = new StreamingDataset({ local: `${setFixtures}/${name}`, intsAsText: true, shuffle: true });
    const samples = await dataset.slice();
    expect(samples).toHaveLength(dataset.size);
    const given: unknown[] = [];
    for await (const sample of dataset.samples({ feeder: false })) given.push(sample);
    const places = given.map((sample) => samples.findIndex((one) => isDeepStrictEqual(one, sample)));
    expect(places).not.toContain(-1);
    expect(given).toHaveLength(samples.length);
    expect(isDeepStrictEqual(await dataset.get([0, -1]), [samples[0], samples.at(-1)])).toBe(true);
  });
});

describe("MosaicML's order", () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeAll(async () => {
    folder = await temporaryFolder();
    await writeSet(folder.path, 300);
  });
  afterAll(() => folder[Symbol.asyncDispose]());
  const make = (options: StreamingOptions): StreamingDataset =>
    new StreamingDataset({ order: 'mosaic', local: folder.path, shuffle: true, batchSize: 16, ...options });

  it('is that of loaders too, through their own states and in another world', async () => {
    await using whole = make({ numCanonicalNodes: 2, world: { rank: 0, worldSize: 1 } });
    const expected: number[][] = [];
    for await (const batch of whole.batches({ feeder: false })) expected.push(idsOf(batch));
    await using dataset = make({ numCanonicalNodes: 2, world: { rank: 0, worldSize: 1 } });
    await using loader = dataset.toDataLoader({ feeder: false, maxSteps: 4 });
    const first: number[][] = [];
    for await (const batch of loader) first.push(idsOf(batch));
    expect(first).toEqual(expected.slice(0, 4));
    await using same = dataset.resumeDataLoader(loader.stateDict(), { feeder: false, maxSteps: 100 });
    const rest: number[][] = [];
    for await (const batch of same) rest.push(idsOf(batch));
    expect(rest).toEqual(expected.slice(4));
    // Two ranks of 8: the same global batches.
    const halves: number[][] = [];
    for (const rank of [0, 1]) {
      await using elastic = make({ numCanonicalNodes: 2, batchSize: 8, world: { rank, worldSize: 2 } });
      const state = await stateAfter(dataset, 64);
      elastic.loadStateDict(state);
      for await (const batch of elastic.batches({ feeder: false })) halves.push(idsOf(batch));
    }
    const [a, b] = [halves.slice(0, halves.length / 2), halves.slice(halves.length / 2)];
    for (const [step, batch] of a!.slice(0, -1).entries()) {
      expect([...batch, ...b![step]!].sort((x, y) => x - y)).toEqual([...expected[4 + step]!].sort((x, y) => x - y));
    }
  });

  it('asks for what it follows from', async () => {
    await using unsized = new StreamingDataset({ order: 'mosaic', local: folder.path });
    expect(() => unsized.toDataLoader()).toThrow(/`batchSize` beside `order: 'mosaic'`/);
    expect((await unsized.get(3))['id']).toBe(3n);
    await using dataset = make({});
    expect(() => dataset.batches({ batchSize: 5 })).toThrow(/Expected `batchSize` to be 16/);
    expect(() => make({ uneven: 'keep' })).toThrow(/Expected no `uneven` with `order: 'mosaic'`/);
    await using odd = make({ world: { rank: 0, worldSize: 6 }, localWorldSize: 4 });
    await expect(odd.batches().next()).rejects.toMatchObject({ code: 'invalid_world' });
  });

  it('takes up a state of MosaicML amid an epoch, which the native order refuses but at its end', async () => {
    const state = { epoch: 2, sample_in_epoch: 32, num_canonical_nodes: 1, shuffle_seed: 7, initial_physical_nodes: 1 };
    await using dataset = make({});
    dataset.loadStateDict(state);
    expect(dataset.epoch).toBe(2);
    await using native = new StreamingDataset({ local: folder.path });
    expect(() => native.loadStateDict(state)).toThrow(/order: 'mosaic'/);
    native.loadStateDict({ ...state, sample_in_epoch: 0 });
    expect(native.epoch).toBe(2);
    expect(() => native.loadStateDict({ epoch: 1 })).toThrow(/sample_in_epoch/);
  });
});

async function stateAfter(dataset: StreamingDataset, samples: number): Promise<unknown> {
  await dataset.open();
  return JSON.parse(JSON.stringify(dataset.stateDict(samples)));
}

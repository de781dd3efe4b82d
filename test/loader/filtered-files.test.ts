import { join } from 'node:path';
import type { RecordBatch } from 'apache-arrow';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Scan } from '../../src/client/scan.js';
import type { SpiralDataLoader } from '../../src/loader/data-loader.js';
import type { DataLoaderOptions } from '../../src/loader/options.js';
import { World } from '../../src/sharding/world.js';
import { spiralAt } from '../client/spiral-at.js';
import { duck } from '../format/duck.js';
import { temporaryFolder } from '../storage/temporary-folder.js';

const folder = await temporaryFolder();
afterAll(() => folder[Symbol.asyncDispose]());
const spiral = spiralAt();
afterAll(() => spiral.close());
let scan: Scan;
const survivors: number[] = [];

/** Six row groups in two files; a third of the rows survive, of the second group none. */
beforeAll(async () => {
  const path = (name: string): string => join(folder.path, `${name}.parquet`);
  const write = async (name: string, from: number): Promise<void> => {
    const select = `select i id, case when i between 2048 and 4095 then 9 else (i % 6)::int end score from range(${from}, ${from + 6144}) r(i)`;
    await (await duck()).run(`copy (${select}) to '${path(name)}' (format parquet, row_group_size 2048)`);
  };
  await write('a', 0);
  await write('b', 6144);
  for (let id = 0; id < 12_288; id++) if (!(id >= 2048 && id < 4096) && id % 6 < 2) survivors.push(id);
  const files = await spiral.files(folder.path);
  const made = await spiral.scan(files.select('id'), { where: files.col('score').lt(2) });
  // As another process opens it.
  scan = await spiral.resumeScan(made.stateJson());
});

const idsOf = (batch: RecordBatch): number[] => Array.from(batch.getChild('id')!.toArray() as BigInt64Array, Number);

async function take(loader: SpiralDataLoader, batches = Number.POSITIVE_INFINITY): Promise<number[][]> {
  const taken: number[][] = [];
  for await (const batch of loader) if (taken.push(idsOf(batch)) >= batches) break;
  return taken;
}

const ascending = (ids: readonly number[]): number[] => [...ids].sort((a, b) => a - b);
const options: DataLoaderOptions<RecordBatch> = {
  batchSize: 100,
  shuffleBufferSize: 700,
  interleaveShards: 3,
  seed: 5,
};

it('a loader over filtered files gives each survivor once, the same with and without the feeder, and resumes anywhere', async () => {
  await using here = scan.toDataLoader({ ...options, feeder: false });
  const expected = await take(here);
  expect(ascending(expected.flat())).toEqual(survivors);
  expect(expected.flat()).not.toEqual(survivors);
  await using fed = scan.toDataLoader({ ...options, feeder: true });
  expect(await take(fed)).toEqual(expected);
  for (const step of [0, 1, 17, expected.length - 1]) {
    await using first = scan.toDataLoader({ ...options, feeder: step === 17 });
    if (step > 0) await take(first, step);
    const state = JSON.parse(JSON.stringify(first.stateDict()));
    await using second = scan.resumeDataLoader(state, { feeder: step === 1 });
    expect(await take(second)).toEqual(expected.slice(step));
  }
});

it('ranks over filtered files share the survivors, and another number of ranks goes on with what is left', async () => {
  const worlds = [0, 1].map((rank) => new World({ rank, worldSize: 2 }));
  const loaders = worlds.map((world) => scan.toDataLoader({ ...options, world, feeder: false }));
  const before = await Promise.all(loaders.map((loader) => take(loader, 3)));
  const states = loaders.map((loader) => loader.stateDict());
  await Promise.all(loaders.map((loader) => loader.close()));
  const ranks = [0, 1, 2].map((rank) =>
    scan.resumeDataLoader(states, { world: new World({ rank, worldSize: 3 }), feeder: false }),
  );
  const after = await Promise.all(ranks.map((loader) => take(loader)));
  await Promise.all(ranks.map((loader) => loader.close()));
  expect(ascending([...before, ...after].flat(2))).toEqual(survivors);
});

it('computed shards of filtered files feed a loader as many rows as they say', async () => {
  const files = await spiral.files(folder.path);
  const where = files.col('score').lt(2);
  const shards = await spiral.computeShards(512, files.select('id'), { where });
  expect(shards.reduce((sum, { cardinality }) => sum + cardinality!, 0)).toBe(survivors.length);
  const filtered = await spiral.scan(files.select('id'), { where });
  await using loader = filtered.toDataLoader({ ...options, shards: shards.slice(2), feeder: true });
  expect(ascending((await take(loader)).flat())).toEqual(survivors.slice(1024));
});

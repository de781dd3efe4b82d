import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecordBatch } from 'apache-arrow';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Scan } from '../../src/client/scan.js';
import type { Spiral } from '../../src/client/spiral.js';
import type { Table } from '../../src/client/table.js';
import { randomStream } from '../../src/core/random.js';
import { ArrowFile } from '../../src/format/arrow-file.js';
import type { SpiralDataLoader } from '../../src/loader/data-loader.js';
import type { DataLoaderOptions } from '../../src/loader/options.js';
import type { LoaderState } from '../../src/loader/state.js';
import { World } from '../../src/sharding/world.js';
import { fileStore } from '../../src/storage/file-store.js';
import { newTable, refusal, spiralAt } from '../client/spiral-at.js';
import { lawRuns } from '../laws.js';
import { temporaryFolder } from '../storage/temporary-folder.js';

/** Rows of the table: `score` goes from 0 to 99 at random, and is null in every tenth row. */
const rows: Record<string, unknown>[] = [];
const survive = ({ score }: Record<string, unknown>): boolean => score !== null && (score as number) < 30;
const expected = (): number[] => rows.filter(survive).map(({ id }) => id as number);

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let spiral: Spiral;
let table: Table;
let scan: Scan;

/** Two writes side by side, a third across both of them that writes scores anew, and one apart of which none survives. */
beforeAll(async () => {
  folder = await temporaryFolder();
  spiral = spiralAt(folder.path, { 'limits.partition_max_bytes': 20_000 });
  table = await newTable(spiral, { id: 'int32' });
  const draw = randomStream('filtered');
  const byId = new Map<number, Record<string, unknown>>();
  const write = async (ids: readonly number[], cells: (id: number) => Record<string, unknown>): Promise<void> => {
    const written = ids.map((id) => ({ id, ...cells(id) }));
    await table.write(written, { batchRows: 16 });
    for (const row of written) byId.set(row.id, { ...byId.get(row.id), ...row });
  };
  const range = (from: number, to: number, step = 1): number[] =>
    Array.from({ length: Math.ceil((to - from) / step) }, (_, at) => from + at * step);
  const score = (id: number): number | null => (id % 10 === 0 ? null : draw.below(100));
  await write(range(0, 400), (id) => ({ score: score(id), text: `t${id}` }));
  await write(range(400, 800), (id) => ({ score: score(id), text: `t${id}` }));
  await write(range(300, 500, 3), (id) => ({ score: score(id) }));
  await write(range(1000, 1200), (id) => ({ score: 50 + (id % 50), text: `t${id}` }));
  rows.push(...[...byId.values()].sort((a, b) => Number(a['id']) - Number(b['id'])));
  scan = await spiral.scan(table.select('id', 'text'), { where: table.col('score').lt(30) });
});
afterAll(async () => {
  await spiral.close();
  await folder[Symbol.asyncDispose]();
});

const idsOf = (batch: RecordBatch): number[] => [...(batch.getChild('id')!.toArray() as Int32Array)];
const sorted = (ids: readonly number[]): number[] => [...ids].sort((a, b) => a - b);
const all = Number.POSITIVE_INFINITY;

async function take(loader: SpiralDataLoader, most = all): Promise<number[][]> {
  const batches: number[][] = [];
  if (most === 0) return batches;
  for await (const batch of loader) if (batches.push(idsOf(batch)) === most) break;
  return batches;
}

const throughJson = (state: LoaderState): LoaderState => JSON.parse(JSON.stringify(state)) as LoaderState;

const arbOptions: fc.Arbitrary<DataLoaderOptions> = fc.record(
  {
    seed: fc.nat(),
    shuffleShards: fc.boolean(),
    shuffleBufferSize: fc.oneof(fc.constant(0), fc.integer({ min: 2, max: 200 })),
    shuffleChunkRows: fc.integer({ min: 5, max: 100 }),
    interleaveShards: fc.integer({ min: 1, max: 3 }),
    batchSize: fc.integer({ min: 3, max: 60 }),
  },
  { requiredKeys: ['seed', 'shuffleBufferSize', 'interleaveShards', 'batchSize'] },
);

describe('a loader over a filtered scan', () => {
  it('gives each row that survives once, the same with and without a feeder, and resumes anywhere (laws 1, 3, 5)', () =>
    fc.assert(
      fc.asyncProperty(arbOptions, fc.boolean(), fc.nat(), async (options, feeder, pick) => {
        await using loader = scan.toDataLoader({ ...options, feeder });
        const whole = await take(loader);
        expect(sorted(whole.flat())).toEqual(expected());
        await using other = scan.toDataLoader({ ...options, feeder: !feeder });
        expect(await take(other)).toEqual(whole);
        const cut = pick % (whole.length + 1);
        await using first = scan.toDataLoader({ ...options, feeder: false });
        expect(await take(first, cut)).toEqual(whole.slice(0, cut));
        const reopened = await spiral.resumeScan(scan.stateJson());
        await using resumed = reopened.resumeDataLoader(throughJson(first.stateDict()), { feeder });
        expect(await take(resumed)).toEqual(whole.slice(cut));
      }),
      { numRuns: lawRuns(5, 300), endOnFailure: true },
    ));

  it('goes on in another world where one stopped, each row once (law 8a)', () =>
    fc.assert(
      fc.asyncProperty(
        arbOptions,
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 3 }),
        fc.nat(4),
        async (options, before, after, batches) => {
          const given: number[] = [];
          const states: LoaderState[] = [];
          for (let rank = 0; rank < before; rank++) {
            const world = new World({ rank, worldSize: before });
            await using loader = scan.toDataLoader({ ...options, world, feeder: false });
            given.push(...(await take(loader, batches)).flat());
            states.push(throughJson(loader.stateDict()));
          }
          // A rank whose epoch has ended by then stands in the next one: such states are not of one moment.
          fc.pre(states.every(({ epoch }) => epoch === 0));
          for (let rank = 0; rank < after; rank++) {
            const world = new World({ rank, worldSize: after });
            await using loader = scan.resumeDataLoader(states, { world, feeder: false });
            given.push(...(await take(loader)).flat());
          }
          expect(sorted(given)).toEqual(expected());
        },
      ),
      { numRuns: lawRuns(8, 400), endOnFailure: true },
    ));

  it('is not resumed from a state of another filter, or of none (law 7)', async () => {
    await using loader = scan.toDataLoader({ feeder: false });
    await take(loader, 1);
    const state = throughJson(loader.stateDict());
    for (const where of [table.col('score').lt(31), undefined]) {
      const other = await spiral.scan(table.select('id', 'text'), where === undefined ? {} : { where });
      await using resumed = other.resumeDataLoader(state, { feeder: false });
      expect(await refusal(take(resumed))).toMatchObject({
        code: 'state_mismatch',
        message: expect.stringContaining('filter'),
      });
    }
  });

  it('plans only what shards of `computeShards` tell, deals these among ranks, and gives as many rows', async () => {
    await using natural = scan.toDataLoader({ feeder: false });
    expect(await natural.plan()).toMatchObject({ rows: null, batches: null });
    const where = table.col('score').lt(30);
    const shards = await spiral.computeShards(20, table.select('id', 'text'), { where });
    const given: number[] = [];
    for (let rank = 0; rank < 3; rank++) {
      const world = new World({ rank, worldSize: 3 });
      await using loader = scan.toDataLoader({ shards, world, batchSize: 7, shuffleBufferSize: 40, feeder: false });
      const { ranks } = await loader.plan();
      const own = (await take(loader)).flat();
      expect(own).toHaveLength(ranks[rank]!.rows!);
      given.push(...own);
    }
    expect(sorted(given)).toEqual(expected());
  });

  it('over a scan of which nothing survives ends at once, and is refused where it would be endless', async () => {
    const none = await spiral.scan(table, { where: table.col('score').gt(1000) });
    await using loader = none.toDataLoader({ feeder: false });
    expect(await take(loader)).toEqual([]);
    await using endless = none.toDataLoader({ feeder: false, infinite: true });
    expect(await refusal(take(endless, 1))).toMatchObject({ code: 'no_rows' });
  });

  it('skips the same damaged rows whatever is read together, with a damaged filter column and another (law 8b)', async () => {
    for (const name of ['score', 'text']) {
      const path = (await table.inspect()).fragments[0]!.files[0]!.path;
      const place = join(folder.path, 'tables', table.id, path);
      const good = await readFile(place);
      const file = await ArrowFile.open(fileStore(join(folder.path, 'tables', table.id)), path);
      const column = file.schema.fields.findIndex((field) => field.name === name);
      const { buffer, buffers } = file.places[column]!;
      const bad = Buffer.from(good);
      for (const number of [3, 9]) {
        const batch = file.index.batches[number]!;
        bad[batch.bodyOffset + batch.offsets[buffer + buffers - 1]!]! ^= 0x01;
      }
      await writeFile(place, bad);
      try {
        const found = new Set<string>();
        for (const [batchSize, shuffleChunkRows] of [
          [1, 5],
          [7, 100],
          [64, 16],
        ] as const) {
          await using fresh = spiralAt(folder.path, { 'limits.partition_max_bytes': 20_000 });
          const own = await fresh.table(table.id);
          const damaged = await fresh.scan(own.select('id', 'text'), { where: own.col('score').lt(30) });
          await using loader = damaged.toDataLoader({
            batchSize,
            shuffleChunkRows,
            feeder: false,
            rowErrors: { max: 1000 },
          });
          found.add(sorted((await take(loader)).flat()).join());
        }
        expect(found.size).toBe(1);
        const [given] = found;
        expect(given!.split(',').length).toBeLessThan(expected().length);
        expect(given!.split(',').length).toBeGreaterThan(expected().length / 2);
      } finally {
        await writeFile(place, good);
      }
    }
  });
});

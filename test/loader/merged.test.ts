import type { RecordBatch } from 'apache-arrow';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Scan } from '../../src/client/scan.js';
import type { Spiral } from '../../src/client/spiral.js';
import { randomStream, shuffle } from '../../src/core/random.js';
import type { SpiralDataLoader } from '../../src/loader/data-loader.js';
import type { DataLoaderOptions } from '../../src/loader/options.js';
import { World } from '../../src/sharding/world.js';
import { newTable, spiralAt } from '../client/spiral-at.js';
import { lawRuns } from '../laws.js';
import { temporaryFolder } from '../storage/temporary-folder.js';

/** What the table holds, by key. */
const expected = new Map<number, Record<string, unknown>>();
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let spiral: Spiral;
let scan: Scan;

/** Five writes over random thirds of 900 keys, each with columns of its own, and two deletions between them. */
beforeAll(async () => {
  folder = await temporaryFolder();
  spiral = spiralAt(folder.path);
  const table = await newTable(spiral, { id: 'int32' });
  const none = { text: null, label: null, meta: { size: null } };
  for (let turn = 0; turn < 7; turn++) {
    const ids = shuffle(
      Array.from({ length: 900 }, (_, id) => id),
      randomStream('merged', turn),
    ).slice(0, turn % 3 === 2 ? 60 : 300);
    if (turn % 3 === 2) {
      await table.deleteKeys({ id: Int32Array.from(ids) });
      for (const id of ids) expected.delete(id);
      continue;
    }
    const cells = (id: number): Record<string, unknown> =>
      turn % 2 === 0 ? { text: `t${turn} ${id}`, meta: { size: id } } : { label: id + turn };
    await table.write(
      ids.map((id) => ({ id, ...cells(id) })),
      { batchRows: 16 },
    );
    for (const id of ids) expected.set(id, { ...(expected.get(id) ?? { id, ...none }), ...cells(id) });
  }
  await table.write(Array.from({ length: 100 }, (_, at) => ({ id: 2000 + at, label: at })));
  for (let at = 0; at < 100; at++) expected.set(2000 + at, { ...none, id: 2000 + at, label: at });
  scan = await spiral.scan(table);
});
afterAll(async () => {
  await spiral.close();
  await folder[Symbol.asyncDispose]();
});

function rowsOf(batch: RecordBatch): Record<string, unknown>[] {
  return batch.toArray().map((row) => JSON.parse(JSON.stringify(row)) as Record<string, unknown>);
}

async function take(loader: SpiralDataLoader, most: number): Promise<Record<string, unknown>[][]> {
  const batches: Record<string, unknown>[][] = [];
  if (most === 0) return batches;
  for await (const batch of loader) if (batches.push(rowsOf(batch)) === most) break;
  return batches;
}

const all = Number.POSITIVE_INFINITY;
const arbOptions: fc.Arbitrary<DataLoaderOptions> = fc.record(
  {
    seed: fc.nat(),
    shuffleShards: fc.boolean(),
    shuffleBufferSize: fc.oneof(fc.constant(0), fc.integer({ min: 2, max: 400 })),
    shuffleChunkRows: fc.integer({ min: 5, max: 200 }),
    interleaveShards: fc.integer({ min: 1, max: 3 }),
    batchSize: fc.integer({ min: 5, max: 150 }),
    feeder: fc.boolean(),
  },
  { requiredKeys: ['seed', 'shuffleBufferSize', 'interleaveShards', 'batchSize', 'feeder'] },
);

describe('a loader over a table whose writes overlap', () => {
  it('gives each row once, of each cell the newest, and goes on from any state as if it had not stopped (laws 3, 5)', () =>
    fc.assert(
      fc.asyncProperty(arbOptions, fc.nat(), async (options, pick) => {
        await using loader = scan.toDataLoader(options);
        const whole = await take(loader, all);
        const given = whole.flat().sort((a, b) => Number(a['id']) - Number(b['id']));
        expect(given).toEqual([...expected.keys()].sort((a, b) => a - b).map((id) => expected.get(id)));
        await using other = scan.toDataLoader({ ...options, feeder: !options.feeder });
        expect(await take(other, all)).toEqual(whole);
        const cut = pick % (whole.length + 1);
        await using first = scan.toDataLoader(options);
        expect(await take(first, cut)).toEqual(whole.slice(0, cut));
        const state = JSON.parse(JSON.stringify(first.stateDict()));
        await using resumed = scan.resumeDataLoader(state, { feeder: options.feeder ?? true });
        expect(await take(resumed, all)).toEqual(whole.slice(cut));
      }),
      { numRuns: lawRuns(5, 300), endOnFailure: true },
    ));

  it('deals every row to one rank, as many as the plan says', async () => {
    const ids: number[] = [];
    for (let rank = 0; rank < 3; rank++) {
      const options: DataLoaderOptions = { world: new World({ rank, worldSize: 3 }), uneven: 'split', batchSize: 50 };
      await using loader = scan.toDataLoader({ ...options, seed: 4, feeder: false });
      const plan = await loader.plan();
      const own = (await take(loader, all)).flat();
      expect(own).toHaveLength(plan.ranks[rank]!.rows!);
      ids.push(...own.map(({ id }) => Number(id)));
    }
    expect(ids.sort((a, b) => a - b)).toEqual([...expected.keys()].sort((a, b) => a - b));
  });
});

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Spiral } from '../../src/client/spiral.js';
import type { SpiralError } from '../../src/core/errors.js';
import { SpiralDataLoader } from '../../src/loader/data-loader.js';
import type { DataLoaderOptions } from '../../src/loader/options.js';
import { allowedRows, type RowErrors } from '../../src/loader/row-errors.js';
import type { LoaderSource } from '../../src/loader/source.js';
import type { LoaderState } from '../../src/loader/state.js';
import { transformModule } from '../../src/loader/transform-module.js';
import { World } from '../../src/sharding/world.js';
import { lawRuns } from '../laws.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { builtTransforms } from './built-transforms.js';
import { throughJson } from './loader-cases.js';
import { MemorySource } from './memory-source.js';
import { failsOnThree, nothingForBad, setBadRows, tellAlone, tellGood } from './transforms/bad-rows.js';
import { type Told, tell } from './transforms/samples.js';

type Options = DataLoaderOptions<Told>;

interface Line {
  readonly epoch: number;
  readonly step: number;
  readonly shard: number;
  readonly row: number;
  readonly column?: string;
  readonly code: string;
  readonly cause: string;
}

const rows = 240;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let spiral: Spiral;
let table: LoaderSource;
let reports = 0;

beforeAll(async () => {
  folder = await temporaryFolder();
  spiral = new Spiral({ config: { 'warehouse.uri': join(folder.path, 'warehouse') } });
  const written = await (await spiral.createProject('bad')).createTable('rows', { keySchema: { id: 'int32' } });
  for (let shard = 0; shard < 3; shard++) {
    const data = Array.from({ length: 80 }, (_, row) => ({ id: shard * 80 + row, shard, row, text: `t${row}` }));
    await written.write(data, { batchRows: 16 });
  }
  table = await spiral.scan(written);
});
afterAll(async () => {
  delete process.env['SPIRAL_TEST_BAD_ROWS'];
  await spiral.close();
  await folder[Symbol.asyncDispose]();
});

const memory = (): LoaderSource => new MemorySource({ shards: [80, 80, 80], batchRows: 16 });
const stored = (): LoaderSource => table;
const newReport = (): string => join(folder.path, `bad-${reports++}.jsonl`);
const moduleOf = (name: string) =>
  transformModule(builtTransforms('bad-rows'), name) as NonNullable<Options['transformFn']>;

async function linesOf(report: string): Promise<Line[]> {
  const text = await readFile(report, 'utf8');
  return text === ''
    ? []
    : text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Line);
}

/** Where batches are made and transformed: in this process or the feeder's thread, inline, in place, in map workers. */
const roads: readonly (readonly [source: () => LoaderSource, options: Options])[] = [
  [memory, { transformFn: tellGood }],
  [memory, { transformFn: moduleOf('tellGood') }],
  [memory, { transformFn: moduleOf('tellGood'), mapWorkers: 2 }],
  [stored, { transformFn: tellGood }],
  [stored, { transformFn: moduleOf('tellGood') }],
  [stored, { transformFn: moduleOf('tellGood'), mapWorkers: 2 }],
  [stored, { transformFn: tellGood, feeder: false }],
];
const arbRoad = fc.constantFrom(...roads.keys());

const arbOptions: fc.Arbitrary<Options> = fc.record({
  seed: fc.nat(),
  shuffleBufferSize: fc.oneof(fc.constant(0), fc.integer({ min: 2, max: 120 })),
  interleaveShards: fc.integer({ min: 1, max: 3 }),
  batchSize: fc.integer({ min: 1, max: 70 }),
  dropLast: fc.boolean(),
});
/** From no bad row to nearly all, strewn or in runs. */
const arbBad: fc.Arbitrary<string[]> = fc
  .array(fc.record({ shard: fc.nat(2), row: fc.nat(79), length: fc.constantFrom(1, 1, 2, 30) }), { maxLength: 8 })
  .map((runs) => [
    ...new Set(
      runs.flatMap(({ shard, row, length }) =>
        Array.from({ length: Math.min(length, 80 - row) }, (_, at) => `${shard}:${row + at}`),
      ),
    ),
  ]);

async function take(loader: SpiralDataLoader<Told>, most = Number.POSITIVE_INFINITY): Promise<Told[]> {
  const got: Told[] = [];
  if (most === 0) return got;
  for await (const told of loader) if (got.push(told) === most) break;
  return got;
}

/** All batches of an epoch without bad rows, as they would be if every row were good. */
async function sound(source: LoaderSource, { transformFn: _, mapWorkers: __, ...options }: Options): Promise<Told[]> {
  await using loader = new SpiralDataLoader<Told>(source, { ...options, transformFn: tell, feeder: false });
  return await take(loader);
}

const isBad =
  (bad: readonly string[]) =>
  (id: string): boolean =>
    bad.includes(id);

/** What is left of `whole` without its bad rows. */
function without(whole: readonly Told[], bad: readonly string[]): Told[] {
  return whole.flatMap((told) => {
    const good = [...told.ids.keys()].filter((at) => !bad.includes(told.ids[at]!));
    const picked = <T>(values: readonly T[]): T[] => good.map((at) => values[at]!);
    if (good.length === 0) return [];
    return [{ ...told, samples: picked(told.samples), ids: picked(told.ids), draws: picked(told.draws) }];
  });
}

/** The bad rows of `whole`, in the order in which they are met. */
const badLines = (whole: readonly Told[], bad: readonly string[]): Line[] =>
  whole.flatMap(({ epoch, step, ids }) =>
    ids.filter(isBad(bad)).map((id) => {
      const [shard, row] = id.split(':').map(Number) as [number, number];
      const column = row % 2 === 0 ? { column: 'text' } : {};
      return { epoch, step, shard, row, ...column, code: 'transform_failed', cause: `cannot decode ${id}` };
    }),
  );

describe('rows that a transform throws on', () => {
  test('are skipped, on every road: the others come as if nothing had happened, and the report names the bad', async () => {
    await fc.assert(
      fc.asyncProperty(arbOptions, arbBad, arbRoad, async (options, bad, road) => {
        setBadRows(bad);
        const [source, how] = roads[road]!;
        const report = newReport();
        const whole = await sound(source(), options);
        const all = { ...options, ...how, rowErrors: { max: rows, report } };
        await using loader = new SpiralDataLoader<Told>(source(), all);
        expect(await take(loader)).toStrictEqual(without(whole, bad));
        const lines = badLines(whole, bad);
        expect(await linesOf(report)).toEqual(lines);
        const received = whole.reduce((sum, { ids }) => sum + ids.length, 0);
        expect(loader.stats()).toMatchObject({ rowsSkipped: lines.length, rows: received - lines.length });
        expect(loader.stateDict()).toMatchObject({
          epoch: 1,
          step: whole.length,
          rowErrors: { rows: received, skipped: lines.length, epochRows: received, epochSkipped: lines.length },
        });
      }),
      { numRuns: lawRuns(7, 300) },
    );
  });

  test('are skipped by a loader that goes on from any batch, on another road: batches, counts and report agree', async () => {
    await fc.assert(
      fc.asyncProperty(arbOptions, arbBad, arbRoad, arbRoad, fc.nat(), async (options, bad, from, to, pick) => {
        setBadRows(bad);
        // Another source's state is not for this one.
        const [source, how] = roads[from]!;
        const [, other] = roads.filter(([of]) => of === source)[to % 3]!;
        const report = newReport();
        const rowErrors = { max: rows, report };
        const whole = await sound(source(), options);
        const expected = without(whole, bad);
        const cut = pick % (expected.length + 1);
        const first = new SpiralDataLoader<Told>(source(), { ...options, ...how, rowErrors, infinite: true });
        expect(await take(first, cut)).toStrictEqual(expected.slice(0, cut));
        const state = throughJson(first.stateDict());
        await first.close();
        if (cut > 0) expect(await linesOf(report)).toEqual(badLines(whole.slice(0, state.step), bad));
        await using resumed = SpiralDataLoader.fromStateDict<Told>(source(), state, {
          feeder: true,
          ...other,
          rowErrors,
          infinite: false,
        });
        expect(await take(resumed)).toStrictEqual(expected.slice(cut));
        const lines = badLines(whole, bad);
        expect(await linesOf(report)).toEqual(lines);
        expect(resumed.stateDict().rowErrors).toMatchObject({ skipped: lines.length });
      }),
      { numRuns: lawRuns(5, 300) },
    );
  });

  test('do not come back when an epoch is begun anew: its counts do', async () => {
    setBadRows(['0:3', '1:7', '2:70']);
    const options: Options = { shuffleShards: false, batchSize: 20, transformFn: tellGood, rowErrors: { max: 9 } };
    await using loader = new SpiralDataLoader<Told>(memory(), options);
    await take(loader);
    await take(loader, 5);
    expect(loader.stateDict().rowErrors).toEqual({ rows: 340, skipped: 5, epochRows: 240, epochSkipped: 3 });
    expect((await loader.peek()).step).toBe(12);
    await take(loader);
    expect(loader.stateDict().rowErrors).toEqual({ rows: 480, skipped: 6, epochRows: 480, epochSkipped: 6 });
    expect(loader.stats().rowsSkipped).toBe(8);
  });

  test('are none of `rowIds`, and all of `whichRows`', async () => {
    setBadRows(['0:3', '0:8']);
    const options: Options = { shuffleShards: false, batchSize: 10, transformFn: tellGood, rowErrors: { max: 9 } };
    await using loader = new SpiralDataLoader<Told>(memory(), options);
    await take(loader, 1);
    expect([...loader.rowIds!.rows]).toEqual([0, 1, 2, 4, 5, 6, 7, 9]);
    expect((await loader.whichRows(0)).length).toBe(10);
  });

  test.each([0, 3, 5])(
    'but one too many: the loader ends at that batch, and goes on from there (road %i)',
    async (road) => {
      const bad = ['0:5', '0:25', '0:26', '1:1'];
      setBadRows(bad);
      const [source, how] = roads[road]!;
      const report = newReport();
      const options: Options = { ...how, batchSize: 20, shuffleShards: false };
      const whole = await sound(source(), options);
      await using loader = new SpiralDataLoader<Told>(source(), { ...options, rowErrors: { max: 2, report } });
      const got: Told[] = [];
      const error = (await (async () => {
        for await (const told of loader) got.push(told);
      })().catch((thrown) => thrown)) as SpiralError;
      expect(got).toStrictEqual(without(whole.slice(0, 1), bad));
      expect(error).toMatchObject({
        code: 'too_many_row_errors',
        kind: 'limit',
        details: { skipped: 3, allowed: 2, rows: 40, epoch: 0, step: 1, shard: 0, row: 26, column: 'text' },
        cause: { code: 'transform_failed', cause: { message: 'cannot decode 0:26' } },
      });
      expect(await linesOf(report)).toEqual(badLines(whole.slice(0, 1), bad));
      const state = loader.stateDict();
      expect(state).toMatchObject({ step: 1, samplesYielded: 20, rowErrors: { rows: 20, skipped: 1 } });
      const more = { ...how, rowErrors: { max: 4 as const } };
      await using resumed = SpiralDataLoader.fromStateDict<Told>(source(), state, more);
      expect(await take(resumed)).toStrictEqual(without(whole, bad).slice(1));
    },
  );

  test('stop the loader at the first without `rowErrors`, or with none allowed', async () => {
    setBadRows(['0:5']);
    for (const how of [{}, { rowErrors: { max: 0, report: newReport() } }, { rowErrors: { max: '0%' as const } }]) {
      await using loader = new SpiralDataLoader<Told>(memory(), {
        transformFn: tellGood,
        shuffleShards: false,
        ...how,
      });
      await expect(take(loader)).rejects.toMatchObject({ code: 'transform_failed', details: { step: 0 } });
      expect(loader.stateDict().rowErrors).toBeUndefined();
    }
    expect(existsSync(join(folder.path, `bad-${reports - 1}.jsonl`))).toBe(false);
  });
});

describe('what is the fault of no row', () => {
  test.each<[string, NonNullable<Options['transformFn']>, string, number]>([
    ['a transform that fails on what it is given as a whole', tellAlone, 'transform_failed', 20],
    ['a transform that fails on the other rows together', failsOnThree, 'transform_failed', 3],
    ['a transform that returns nothing', nothingForBad as never, 'invalid_transform', 20],
    ['a map worker that dies', moduleOf('dieOfBad'), 'worker_died', 20],
  ])('ends the loader: %s', async (_, transformFn, code, size) => {
    // Of 20 rows of the first batch three are left where 17 are bad.
    setBadRows(size === 3 ? Array.from({ length: 17 }, (_, row) => `0:${row}`) : ['0:5']);
    const mapWorkers = typeof transformFn === 'function' ? 0 : 1;
    const options: Options = { batchSize: 20, shuffleShards: false, transformFn, mapWorkers, rowErrors: { max: 100 } };
    await using loader = new SpiralDataLoader<Told>(memory(), options);
    const error = (await take(loader).catch((thrown) => thrown)) as SpiralError;
    expect(error.code).toBe(code);
    expect(error.details['rows']).toHaveLength(size);
    expect(loader.stateDict()).toMatchObject({ step: 0, rowErrors: { skipped: 0 } });
  });
});

describe('the option rowErrors', () => {
  test.each<[unknown, string]>([
    [5, 'rowErrors'],
    [null, 'rowErrors'],
    [{}, 'rowErrors.max'],
    [{ max: -1 }, 'rowErrors.max'],
    [{ max: 1.5 }, 'rowErrors.max'],
    [{ max: '5' }, 'rowErrors.max'],
    [{ max: '-1%' }, 'rowErrors.max'],
    [{ max: '101%' }, 'rowErrors.max'],
    [{ max: 1, report: '' }, 'rowErrors.report'],
  ])('refuses %j', (rowErrors, name) => {
    expect(() => new SpiralDataLoader(memory(), { rowErrors: rowErrors as RowErrors })).toThrowError(
      expect.objectContaining({ code: 'invalid_argument', details: expect.objectContaining({ name }) }),
    );
  });

  test('refuses a report that cannot be written, before the first batch', async () => {
    const report = join(folder.path, 'no', 'such', 'folder.jsonl');
    await using loader = new SpiralDataLoader<Told>(memory(), { transformFn: tell, rowErrors: { max: 1, report } });
    await expect(take(loader)).rejects.toMatchObject({ code: 'invalid_argument', details: { found: report } });
    expect(loader.step).toBe(0);
  });

  test('takes a share of the rows received, of 1,000 at least, rounded up', () => {
    const allowed = (max: RowErrors['max'], ...received: number[]) => received.map((of) => allowedRows(max, of));
    expect(allowed(7, 0, 1e9)).toEqual([7, 7]);
    expect(allowed('0.1%', 1, 1000, 1001, 2000, 1_000_000)).toEqual([1, 1, 2, 2, 1000]);
    expect(allowed('0.001%', 1, 100_000, 100_001)).toEqual([1, 1, 2]);
    expect(allowed('2.9%', 1000, 10_000)).toEqual([29, 290]);
    expect(allowed('100%', 5000)).toEqual([5000]);
  });

  test('ends the loader by a share as by a number', async () => {
    const bad = Array.from({ length: 12 }, (_, at) => `0:${at * 5}`);
    setBadRows(bad);
    const options: Options = { batchSize: 10, shuffleShards: false, transformFn: tellGood };
    await using loader = new SpiralDataLoader<Told>(memory(), { ...options, rowErrors: { max: '1%' } });
    await expect(take(loader)).rejects.toMatchObject({
      code: 'too_many_row_errors',
      message: expect.stringContaining('at most 10 bad rows (1% of 60 received'),
      details: { skipped: 12, allowed: 10, rows: 60, step: 5 },
    });
    expect(loader.step).toBe(5);
  });

  test('is refused in a state that cannot be one, and may be missing', async () => {
    await using loader = new SpiralDataLoader<Told>(memory(), { rowErrors: { max: 1 }, transformFn: tell });
    const { rowErrors, ...old } = loader.stateDict();
    expect(rowErrors).toEqual({ rows: 0, skipped: 0, epochRows: 0, epochSkipped: 0 });
    for (const wrong of [null, 5, {}, { ...rowErrors, skipped: -1 }]) {
      const state = { ...old, rowErrors: wrong } as LoaderState;
      expect(() => SpiralDataLoader.fromStateDict(memory(), state)).toThrowError(
        expect.objectContaining({ code: 'invalid_state' }),
      );
    }
    await using resumed = SpiralDataLoader.fromStateDict<Told>(memory(), old, {
      rowErrors: { max: 1 },
      transformFn: tell,
    });
    expect(await take(resumed)).toHaveLength(8);
    expect(resumed.stateDict().rowErrors).toMatchObject({ rows: 240, skipped: 0 });
  });

  test('counts on in another world: the ranks share what the old ones had', async () => {
    setBadRows(['0:1', '1:1', '2:1', '2:5']);
    const options: Options = { batchSize: 20, shuffleShards: false, transformFn: tellGood, rowErrors: { max: 9 } };
    const states: LoaderState[] = [];
    for (let rank = 0; rank < 3; rank++) {
      const world = new World({ rank, worldSize: 3 });
      await using loader = new SpiralDataLoader<Told>(memory(), { ...options, world });
      await take(loader, 1);
      states.push(throughJson(loader.stateDict()));
    }
    const { transformFn, rowErrors } = { transformFn: tellGood, rowErrors: { max: 9 } };
    const counts = [0, 1].map((rank) => {
      const world = new World({ rank, worldSize: 2 });
      return SpiralDataLoader.fromStateDict<Told>(memory(), states, { transformFn, rowErrors, world }).stateDict()
        .rowErrors;
    });
    expect(counts).toEqual([
      { rows: 40, skipped: 3, epochRows: 40, epochSkipped: 3 },
      { rows: 20, skipped: 1, epochRows: 20, epochSkipped: 1 },
    ]);
  });
});

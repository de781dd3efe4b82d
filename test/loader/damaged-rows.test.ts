import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecordBatch } from 'apache-arrow';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Scan } from '../../src/client/scan.js';
import { Spiral } from '../../src/client/spiral.js';
import { ArrowFile } from '../../src/format/arrow-file.js';
import { SpiralDataLoader } from '../../src/loader/data-loader.js';
import type { DataLoaderOptions } from '../../src/loader/options.js';
import type { LoaderSource } from '../../src/loader/source.js';
import { World } from '../../src/sharding/world.js';
import { fileStore } from '../../src/storage/file-store.js';
import { lawRuns } from '../laws.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { arbShuffle, loaderOf, lockstep, ranksOf, rowsOf, survivors, throughJson } from './loader-cases.js';
import { MemorySource, type MemorySourceSettings, take } from './memory-source.js';

const rows = 300;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let spiral: Spiral;
let scan: Scan;
/** Ids of the rows that cannot be read. */
const lost = new Set<number>();

beforeAll(async () => {
  folder = await temporaryFolder();
  spiral = new Spiral({ config: { 'warehouse.uri': folder.path } });
  const table = await (await spiral.createProject('damage')).createTable('rows', { keySchema: { id: 'int32' } });
  for (let first = 0; first < rows; first += 100) {
    const ids = Array.from({ length: 100 }, (_, at) => first + at);
    const write = (text: string, batchRows: number): Promise<string> =>
      newFileWith('text', () =>
        table.write(
          ids.map((id) => ({ id, text: `${text} ${id}` })),
          { batchRows },
        ),
      );
    const file = await write('old', 32);
    if (first === 0) await damage(file, 1, first);
    // Written again, `text` lies in stored batches across those of the first write, whose damage then harms nobody.
    if (first === 100) {
      await damage(file, 0, undefined);
      const again = await write('new', 12);
      await damage(again, 1, first);
      await damage(again, 6, first);
    }
    if (first === 200) await write('new', 70);
  }
  scan = await spiral.scan(table);
});
afterAll(async () => {
  await spiral.close();
  await folder[Symbol.asyncDispose]();
});

/** Opens a file of the warehouse for as long as `use` takes. */
async function opened<T>(path: string, use: (file: ArrowFile) => T): Promise<T> {
  const store = fileStore(folder.path);
  try {
    return use(await ArrowFile.open(store, path));
  } finally {
    await store.close();
  }
}

/** The data file with `column` that `write` makes. */
async function newFileWith(column: string, write: () => Promise<unknown>): Promise<string> {
  const list = async (): Promise<string[]> => {
    const store = fileStore(folder.path);
    const paths: string[] = [];
    for await (const { path } of store.list('tables/')) if (path.includes('/data/')) paths.push(path);
    await store.close();
    return paths;
  };
  const before = await list();
  await write();
  for (const path of (await list()).filter((file) => !before.includes(file))) {
    if (await opened(path, ({ schema }) => schema.fields.some(({ name }) => name === column))) return path;
  }
  throw new Error(`No new file has ${column}.`);
}

/** Damages a byte of the last buffer of stored batch `number`; its rows, of which `first` is the file's first, are lost. */
async function damage(path: string, number: number, first: number | undefined): Promise<void> {
  const [at, from, to] = await opened(path, ({ index, rowStarts }) => {
    const batch = index.batches[number]!;
    const buffer = [...batch.lengths.keys()].filter((one) => batch.lengths[one]! > 0).at(-1)!;
    return [batch.bodyOffset + batch.offsets[buffer]!, rowStarts[number]!, rowStarts[number + 1]!] as const;
  });
  const bytes = await readFile(join(folder.path, path));
  bytes[at]! ^= 0xff;
  await writeFile(join(folder.path, path), bytes);
  for (let row = from; first !== undefined && row < to; row++) lost.add(first + row);
}

/** The ids of each batch, their texts being those that were written. */
async function takeIds(loader: SpiralDataLoader, most = Number.POSITIVE_INFINITY): Promise<number[][]> {
  const batches: number[][] = [];
  if (most === 0) return batches;
  for await (const batch of loader) if (batches.push(idsOf(batch)) === most) break;
  return batches;
}

function idsOf(batch: RecordBatch): number[] {
  const ids = [...(batch.getChild('id') as Iterable<number>)];
  expect([...(batch.getChild('text') as Iterable<string>)]).toEqual(
    ids.map((id) => `${id < 100 ? 'old' : 'new'} ${id}`),
  );
  return ids;
}

describe('rows whose stored bytes are damaged', () => {
  const arbPlain: fc.Arbitrary<DataLoaderOptions> = fc.record({
    seed: fc.nat(),
    shuffleBufferSize: fc.oneof(fc.constant(0), fc.integer({ min: 2, max: 150 })),
    interleaveShards: fc.integer({ min: 1, max: 3 }),
    shuffleChunkRows: fc.integer({ min: 5, max: 100 }),
    batchSize: fc.integer({ min: 1, max: 80 }),
    dropLast: fc.boolean(),
  });
  // Under a limit, batches across windows are put together of copies.
  const arbOptions = fc
    .tuple(arbPlain, fc.option(fc.integer({ min: 60_000, max: 200_000 }), { nil: undefined }))
    .map(([options, memoryBytesMax]) => (memoryBytesMax === undefined ? options : { ...options, memoryBytesMax }));

  test('are skipped, feeder on and off, from any batch on; the report names them with their column', async () => {
    expect(lost.size).toBe(32 + 12 + 12);
    await fc.assert(
      fc.asyncProperty(arbOptions, fc.boolean(), fc.integer({ min: 1, max: 3 }), fc.nat(), async (...drawn) => {
        const [options, feeder, decodeThreads, pick] = drawn;
        const report = join(folder.path, 'bad.jsonl');
        await rm(report, { force: true });
        // The order of an epoch does not depend on which rows can be read.
        await using plan = scan.toDataLoader({ ...options, shuffleShards: false });
        const steps = (await plan.plan()).batches!;
        const wanted: { ids: number[]; bad: number[] }[] = [];
        for (let step = 0; step < steps; step++) {
          const { shards, rows: within } = await plan.whichRows(step);
          const ids = Array.from(within, (row, at) => shards[at]! * 100 + row);
          wanted.push({ ids: ids.filter((id) => !lost.has(id)), bad: ids.filter((id) => lost.has(id)) });
        }
        const given = wanted.map(({ ids }) => ids).filter((ids) => ids.length > 0);
        const rowErrors = { max: rows, report };
        const first = scan.toDataLoader({
          ...options,
          shuffleShards: false,
          rowErrors,
          feeder,
          decodeThreads,
          infinite: true,
        });
        const cut = pick % (given.length + 1);
        expect(await takeIds(first, cut)).toEqual(given.slice(0, cut));
        const state = throughJson(first.stateDict());
        await first.close();
        await using resumed = scan.resumeDataLoader(state, {
          rowErrors,
          feeder: !feeder,
          decodeThreads,
          infinite: false,
        });
        expect(await takeIds(resumed)).toEqual(given.slice(cut));
        const bad = wanted.flatMap((batch, step) => batch.bad.map((id) => ({ step, id })));
        expect(resumed.stateDict().rowErrors).toMatchObject({ skipped: bad.length });
        const lines = (await readFile(report, 'utf8')).split('\n').filter((line) => line !== '');
        expect(lines.map((line) => JSON.parse(line))).toEqual(
          bad.map(({ step, id }) => ({
            epoch: 0,
            step,
            shard: Math.floor(id / 100),
            row: id % 100,
            column: 'text',
            code: 'corrupt_file',
            cause: expect.stringContaining("column 'text' of batch"),
          })),
        );
      }),
      { numRuns: lawRuns(10, 300) },
    );
  });

  test('end the loader without `rowErrors`, and where there are too many', async () => {
    await using loader = scan.toDataLoader();
    await expect(takeIds(loader)).rejects.toMatchObject({ code: 'corrupt_file' });
    await using few = scan.toDataLoader({ shuffleShards: false, batchSize: 50, rowErrors: { max: 31 } });
    await expect(takeIds(few)).rejects.toMatchObject({
      code: 'too_many_row_errors',
      details: { skipped: 32, allowed: 31, step: 1, column: 'text' },
      cause: { code: 'corrupt_file' },
    });
    expect(few.stateDict()).toMatchObject({ step: 1, rowErrors: { rows: 50, skipped: 18 } });
  });

  test('end the loader where nobody can say which they are, as without checksums', async () => {
    await using other = new Spiral({ config: { 'warehouse.uri': folder.path, verify: 'never' } });
    const unverified = await other.scan(await (await other.project('damage')).table('rows'));
    expect((await unverified.openSource()).cutsWithin).toBeUndefined();
    const source: LoaderSource = {
      identity: scan.identity,
      openSource: async () => ({ ...(await scan.openSource()), cutsWithin: undefined }),
    };
    await using loader = new SpiralDataLoader(source, { rowErrors: { max: '100%' } });
    await expect(takeIds(loader)).rejects.toMatchObject({ code: 'corrupt_file' });
  });

  test('are no rows of a file that is gone', async () => {
    await using other = await temporaryFolder();
    await using own = new Spiral({ config: { 'warehouse.uri': other.path } });
    const table = await (await own.createProject('gone')).createTable('rows', { keySchema: { id: 'int32' } });
    await table.write({ id: Int32Array.of(1, 2, 3) });
    const store = fileStore(other.path);
    for await (const { path } of store.list('tables/')) if (path.includes('/data/')) await rm(join(other.path, path));
    await store.close();
    await using loader = (await own.scan(table)).toDataLoader({ rowErrors: { max: '100%' } });
    await expect(takeIds(loader)).rejects.toMatchObject({ code: 'not_found' });
  });
});

/** Shards of 0 to 50 rows, of which some stored batches are damaged, some under a filter. */
const arbDamaged: fc.Arbitrary<MemorySourceSettings> = fc
  .record({
    shards: fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 6 }),
    batchRows: fc.integer({ min: 1, max: 20 }),
    modulus: fc.integer({ min: 2, max: 5 }),
    filtered: fc.boolean(),
  })
  .filter(({ shards }) => shards.some((count) => count > 0))
  .map(({ shards, batchRows, modulus, filtered }) => ({
    shards,
    batchRows,
    damaged: (shard: number, batch: number) => (shard + batch) % modulus === 0,
    ...(filtered ? { keep: (shard: number, row: number) => (shard + row) % 3 !== 0 } : {}),
  }));

const isLost = ({ batchRows, damaged }: MemorySourceSettings, sample: string): boolean => {
  const [shard, row] = sample.split(':').map(Number) as [number, number];
  return damaged!(shard, Math.floor(row / batchRows));
};
const lostRows = (settings: MemorySourceSettings): number =>
  survivors({ ...settings, keep: undefined }).filter((sample) => isLost(settings, sample)).length;
const goodRows = (settings: MemorySourceSettings): string[] =>
  survivors(settings).filter((sample) => !isLost(settings, sample));

describe('damaged rows of any source, under a filter too', () => {
  const rowErrors = { max: '100%' } as const;

  test('are skipped alike from any batch on: all others come, each once', async () => {
    await fc.assert(
      fc.asyncProperty(arbDamaged, arbShuffle, fc.nat(), async (settings, options, pick) => {
        const whole = loaderOf(settings, { ...options, rowErrors });
        const batches = await take(whole);
        expect(batches.flat().sort()).toEqual(goodRows(settings).sort());
        expect(whole.stats().rowsSkipped).toBe(lostRows(settings));
        const cut = pick % (batches.length + 1);
        const first = loaderOf(settings, { ...options, rowErrors });
        expect(await take(first, cut)).toEqual(batches.slice(0, cut));
        const state = throughJson(first.stateDict());
        await first.close();
        const resumed = SpiralDataLoader.fromStateDict(new MemorySource(settings), state, { rowErrors });
        // A loader that received nothing, or ended its epoch, has gone nowhere or to the next.
        if (state.epoch === whole.epoch - 1) expect(await take(resumed)).toEqual(batches.slice(cut));
      }),
      { numRuns: lawRuns(80, 5000) },
    );
  });

  test('are skipped where another world goes on', async () => {
    await fc.assert(
      fc.asyncProperty(
        arbDamaged,
        arbShuffle,
        fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 4 })),
        fc.nat(4),
        async (settings, options, [before, after], batches) => {
          const loaders = ranksOf(settings, { ...options, maxSteps: batches, rowErrors }, before);
          const given: string[][][] = [];
          // Each to the same step: a batch without a good row is one, though it is not given.
          for (const loader of loaders) given.push(await take(loader));
          const states = loaders.map((loader) => throughJson(loader.stateDict()));
          const resumed = Array.from({ length: after }, (_, rank) =>
            SpiralDataLoader.fromStateDict(new MemorySource(settings), states, {
              world: new World({ rank, worldSize: after }),
              maxSteps: 1_000_000,
              rowErrors,
            }),
          );
          const rest = await lockstep(resumed, Number.POSITIVE_INFINITY, options.epoch);
          expect([...given.flat(2), ...rest.given.flat()].sort()).toEqual(goodRows(settings).sort());
          const skipped = rest.states.reduce((sum, state) => sum + state.rowErrors!.skipped, 0);
          expect(skipped).toBe(lostRows(settings));
        },
      ),
      { numRuns: lawRuns(60, 3000) },
    );
  });

  test('keep their places: an order without them is that with them', async () => {
    await fc.assert(
      fc.asyncProperty(arbDamaged, arbShuffle, async ({ keep: _, ...settings }, options) => {
        const size = Math.min(options.batchSize!, rowsOf(settings));
        const loader = loaderOf(settings, { ...options, rowErrors });
        const { damaged: __, ...healthy } = settings;
        const all = await take(loaderOf(healthy, options));
        expect(all.every((batch, at) => at === all.length - 1 || batch.length === size)).toBe(true);
        const good = all.map((batch) => batch.filter((sample) => !isLost(settings, sample)));
        expect(await take(loader)).toEqual(good.filter((batch) => batch.length > 0));
      }),
      { numRuns: lawRuns(80, 5000) },
    );
  });
});

import type { RecordBatch } from 'apache-arrow';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Scan } from '../../src/client/scan.js';
import { Spiral } from '../../src/client/spiral.js';
import { SpiralDataLoader } from '../../src/loader/data-loader.js';
import type { DataLoaderOptions } from '../../src/loader/options.js';
import type { LoaderState } from '../../src/loader/state.js';
import { transformModule } from '../../src/loader/transform-module.js';
import { lawRuns } from '../laws.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { builtTransforms } from './built-transforms.js';
import { arbFiltered, arbShuffle, loaderOf, throughJson } from './loader-cases.js';
import { MemorySource, type MemorySourceSettings, take } from './memory-source.js';

const rows = 3000;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let spiral: Spiral;
let scan: Scan;

beforeAll(async () => {
  folder = await temporaryFolder();
  spiral = new Spiral({ config: { 'warehouse.uri': folder.path } });
  const project = await spiral.createProject('limits');
  const table = await project.createTable('rows', { keySchema: { row: 'int32' } });
  for (let from = 0; from < rows; from += 1000) {
    const numbers = Int32Array.from({ length: 1000 }, (_, at) => from + at);
    const values = Array.from({ length: 8 }, (_, at) => [`value${at}`, Float64Array.from(numbers)] as const);
    await table.write({ row: numbers, ...Object.fromEntries(values) }, { batchRows: 256 });
  }
  scan = await spiral.scan(table);
});
afterAll(async () => {
  await spiral.close();
  await folder[Symbol.asyncDispose]();
});

const fixedRows = transformModule(builtTransforms('row-numbers'), 'rowNumbers');

const arbOptions: fc.Arbitrary<DataLoaderOptions<never>> = fc.record({
  seed: fc.nat(),
  shuffleBufferSize: fc.oneof(fc.constant(0), fc.integer({ min: 2, max: 1500 })),
  interleaveShards: fc.integer({ min: 1, max: 4 }),
  batchSize: fc.integer({ min: 1, max: 300 }),
});

/** The row numbers of each batch, and the statistics afterwards. */
async function run(options: DataLoaderOptions<never>) {
  await using loader = scan.toDataLoader<RecordBatch | Int32Array>(options as DataLoaderOptions<RecordBatch>);
  const batches: number[][] = [];
  for await (const given of loader) {
    const numbers = given instanceof Int32Array ? given : (given.getChild('row')!.toArray() as Int32Array);
    batches.push([...numbers]);
  }
  return { batches, stats: loader.stats() };
}

/** The least limit that `options` can do with, as the refusal says it. */
async function least(options: DataLoaderOptions<never>): Promise<number> {
  const refused = await run({ ...options, feeder: false, memoryBytesMax: 1 }).catch((error) => error);
  expect(refused).toMatchObject({ code: 'limit_exceeded', details: { name: 'memoryBytesMax' } });
  return refused.details.min as number;
}

/** A loader over a fresh source that goes on from `state`. */
function resumed(settings: MemorySourceSettings, state: LoaderState, options: DataLoaderOptions): SpiralDataLoader {
  return SpiralDataLoader.fromStateDict(new MemorySource(settings), state, options);
}

describe('a limit on memory (law 10)', () => {
  test('never changes the batches, and what is held stays under it', async () => {
    await fc.assert(
      fc.asyncProperty(
        arbOptions,
        fc.oneof(fc.constant(1), fc.double({ min: 1, max: 20, noNaN: true })),
        fc.constantFrom('here', 'feeder', 'map here', 'map in the feeder' as const),
        async (options, times, where) => {
          const maps = where.startsWith('map') ? { transformFn: fixedRows as never, mapWorkers: 1 } : {};
          const given = { ...options, ...maps };
          const { batches } = await run({ ...options, feeder: false });
          const memoryBytesMax = Math.ceil((await least(given)) * times);
          const limited = await run({ ...given, feeder: where.endsWith('feeder'), memoryBytesMax });
          expect(limited.batches).toEqual(batches);
          const { bytesMax, peakBytes } = limited.stats.memory;
          expect(bytesMax).toBe(memoryBytesMax);
          expect(peakBytes).toBeGreaterThan(0);
          expect(peakBytes).toBeLessThanOrEqual(memoryBytesMax);
        },
      ),
      { numRuns: lawRuns(8, 150) },
    );
  }, 600_000);

  test('never changes the samples, under a filter too, and every state resumes under any other limit', async () => {
    await fc.assert(
      fc.asyncProperty(arbFiltered, arbShuffle, fc.nat(), fc.nat(200_000), async (settings, options, pick, more) => {
        const limits = { memoryBytesMax: 60_000 + more };
        const whole = await take(loaderOf(settings, options));
        const limited = loaderOf(settings, { ...options, ...limits });
        const cut = pick % (whole.length + 1);
        const first = await take(limited, cut);
        expect(first).toEqual(whole.slice(0, cut));
        const state = throughJson(limited.stateDict());
        const rest = await take(resumed(settings, state, {}));
        expect(rest).toEqual(whole.slice(cut));
        const unlimited = loaderOf(settings, options);
        await take(unlimited, cut);
        expect(await take(resumed(settings, throughJson(unlimited.stateDict()), limits))).toEqual(whole.slice(cut));
      }),
      { numRuns: lawRuns(40, 1000) },
    );
  });

  test('that is too small for one window is refused before the first read, with what it takes', async () => {
    const source = new MemorySource({ shards: [5000], batchRows: 100 });
    const loader = new SpiralDataLoader(source, { shuffleBufferSize: 4000, batchSize: 10, memoryBytesMax: 50_000 });
    await expect(take(loader)).rejects.toMatchObject({
      code: 'limit_exceeded',
      message: expect.stringMatching(
        /memoryBytesMax.* at least \d+ bytes, got 50000: \d+ for a window of 4000 rows of about 29 bytes.*shuffleBufferSize/,
      ),
    });
    expect(source.reads).toEqual([]);
  });

  test('holds no more than a few batches where nothing is shuffled, however large the data', async () => {
    const source = new MemorySource({ shards: [9000], batchRows: 100 });
    await using limited = new SpiralDataLoader(source, { batchSize: 50, memoryBytesMax: 100_000 });
    await using free = new SpiralDataLoader(source, { batchSize: 50 });
    expect(await take(limited)).toEqual(await take(free));
    expect(limited.stats().memory.peakBytes).toBeLessThan(100_000);
    expect(free.stats().memory.peakBytes).toBeGreaterThan(100_000);
    expect(free.stats().memory.bytesMax).toBe(null);
  });
});

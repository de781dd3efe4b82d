import { availableParallelism } from 'node:os';
import type { RecordBatch } from 'apache-arrow';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Scan } from '../../src/client/scan.js';
import { Spiral } from '../../src/client/spiral.js';
import { randomStream } from '../../src/core/random.js';
import type { SpiralDataLoader } from '../../src/loader/data-loader.js';
import type { DataLoaderOptions } from '../../src/loader/options.js';
import { World } from '../../src/sharding/world.js';
import { fileStore } from '../../src/storage/file-store.js';
import { faultStore } from '../../src/testing/fault-store.js';
import { WarehouseOver } from '../client/warehouse-over.js';
import { lawRuns } from '../laws.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { withThreads } from './with-threads.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let spiral: Spiral;
let scan: Scan;
const rows = 1200;

beforeAll(async () => {
  folder = await temporaryFolder();
  spiral = new Spiral({ config: { 'warehouse.uri': folder.path } });
  const project = await spiral.createProject('threads');
  const table = await project.createTable('rows', {
    keySchema: { id: 'int32' },
  });
  for (let from = 0; from < rows; from += 300) {
    await table.write(
      Array.from({ length: 300 }, (_, at) => ({
        id: from + at,
        text: (from + at) % 11 === 0 ? null : 'x'.repeat(at % 9) + (from + at),
        vector: [at, from, 0.5],
        meta: { half: (from + at) / 2 },
      })),
      { batchRows: 64 },
    );
  }
  scan = await spiral.scan(table);
});
afterAll(async () => {
  await spiral.close();
  await folder[Symbol.asyncDispose]();
});

const arbOptions: fc.Arbitrary<DataLoaderOptions> = fc.record({
  seed: fc.nat(),
  shuffleBufferSize: fc.oneof(fc.constant(0), fc.integer({ min: 2, max: 500 })),
  interleaveShards: fc.integer({ min: 1, max: 3 }),
  batchSize: fc.integer({ min: 1, max: 150 }),
  dropLast: fc.boolean(),
  uneven: fc.constantFrom('keep', 'drop', 'pad', 'split'),
});
const arbThreads = fc.integer({ min: 2, max: 3 });

function contentOf(batch: RecordBatch): string {
  return JSON.stringify(batch.toArray(), (_, value) => (ArrayBuffer.isView(value) ? [...(value as never)] : value));
}

async function take(loader: SpiralDataLoader, most: number = Number.POSITIVE_INFINITY): Promise<string[]> {
  const batches: string[] = [];
  if (most === 0) return batches;
  for await (const batch of loader) if (batches.push(contentOf(batch)) === most) break;
  return batches;
}

describe('several decode threads', () => {
  test('give the batches and states that this process would make, in the same order', async () => {
    await fc.assert(
      fc.asyncProperty(
        arbOptions,
        arbThreads,
        fc.integer({ min: 1, max: 3 }),
        async (options, decodeThreads, worldSize) => {
          const world = new World({ rank: worldSize - 1, worldSize });
          await using own = scan.toDataLoader({ ...options, world, feeder: false });
          await using fed = scan.toDataLoader({ ...options, world, decodeThreads });
          for (let epoch = 0; epoch < 2; epoch++) {
            expect(await take(fed)).toEqual(await take(own));
            expect(fed.stateDict()).toEqual(own.stateDict());
          }
        },
      ),
      { numRuns: lawRuns(6, 200) },
    );
  });

  test('resume at any batch, whatever their number was before', async () => {
    await fc.assert(
      fc.asyncProperty(arbOptions, arbThreads, arbThreads, fc.nat(), async (options, before, after, pick) => {
        await using own = scan.toDataLoader({ ...options, feeder: false });
        const whole = await take(own);
        const cut = pick % (whole.length + 1);
        await using first = scan.toDataLoader({ ...options, infinite: true, decodeThreads: before });
        expect(await take(first, cut)).toEqual(whole.slice(0, cut));
        const next = { infinite: false, decodeThreads: after };
        await using resumed = scan.resumeDataLoader(first.stateDict(), next);
        expect(await take(resumed)).toEqual(whole.slice(cut));
      }),
      { numRuns: lawRuns(5, 200) },
    );
  });

  test('begin behind skipped samples', async () => {
    for (const skipSamples of [0, 1, 333, rows - 1, rows]) {
      const options = { batchSize: 50, shuffleBufferSize: 90, skipSamples };
      await using own = scan.toDataLoader({ ...options, feeder: false });
      await using fed = scan.toDataLoader({ ...options, decodeThreads: 2 });
      expect(await take(fed)).toEqual(await take(own));
      expect(fed.stateDict()).toEqual(own.stateDict());
    }
    await using gone = scan.toDataLoader({ skipSamples: rows + 1, decodeThreads: 2 });
    await expect(take(gone)).rejects.toMatchObject({ code: 'invalid_size', details: { max: rows } });
  });

  test('know the rows of their batches, and say how many they are', async () => {
    const ids = async (options: DataLoaderOptions<number>): Promise<unknown[]> => {
      const seen: unknown[] = [];
      await using loader = scan.toDataLoader<number>({
        ...options,
        batchSize: 47,
        shuffleBufferSize: 100,
        transformFn: (_, { rowIds, random }) => seen.push([...rowIds.shards], [...rowIds.rows], random(0).unit()),
      });
      for await (const _ of loader);
      expect(loader.stats().decodeThreads).toBe(options.decodeThreads ?? 0);
      return seen;
    };
    expect(await ids({ decodeThreads: 3 })).toEqual(await ids({ feeder: false }));
    expect(await ids({ decodeThreads: 1 })).toEqual(await ids({ feeder: false }));
  });

  test('of which any dies at any moment: the same batches, none lost, none twice', async () => {
    const draw = randomStream('decode thread deaths');
    const options = { batchSize: 16, shuffleBufferSize: 100, interleaveShards: 2, seed: 5 };
    await using own = scan.toDataLoader({ ...options, feeder: false });
    const whole = await take(own);
    for (let run = 0; run < lawRuns(3, 60); run++) {
      await withThreads(async (threads) => {
        await using loader = scan.toDataLoader({ ...options, decodeThreads: 2 });
        const got: string[] = [];
        let deaths = 0;
        for await (const batch of loader) {
          got.push(contentOf(batch));
          if (deaths < 6 && threads.length > 0 && draw.below(5) === 0) {
            deaths++;
            const [thread] = threads.splice(draw.below(threads.length), 1);
            const dying = thread!.terminate();
            if (draw.below(2) === 0) await dying;
          }
        }
        expect(got).toEqual(whole);
        expect(threads.length + deaths).toBeGreaterThanOrEqual(2);
      });
    }
  });

  test('are added in the middle of an epoch where the loop waits for data, which alters no batch', async () => {
    const slow = faultStore(fileStore(folder.path), { delayMsMax: 60, only: ({ op }) => op === 'getRange' });
    const far = new Scan(await new WarehouseOver(slow).openScan(JSON.parse(scan.stateJson())), { batchReadahead: 8 });
    const options = { batchSize: 8, shuffleBufferSize: 64, infinite: true };
    const got: string[] = [];
    await using loader = far.toDataLoader(options);
    let left = 20;
    for await (const batch of loader) {
      got.push(contentOf(batch));
      // On a machine with one core there is never another.
      if ((loader.stats().decodeThreads > 1 || availableParallelism() === 1) && --left === 0) break;
    }
    await using own = scan.toDataLoader({ ...options, feeder: false });
    expect(await take(own, got.length)).toEqual(got);
  });

  test('are added over epochs each of which is too short to judge', async () => {
    const slow = faultStore(fileStore(folder.path), { delayMsMax: 8, only: ({ op }) => op === 'getRange' });
    const far = new Scan(await new WarehouseOver(slow).openScan(JSON.parse(scan.stateJson())), { batchReadahead: 8 });
    const options = { batchSize: 32, shuffleBufferSize: 64 };
    await using loader = far.toDataLoader(options);
    await using own = scan.toDataLoader({ ...options, feeder: false });
    let isGrown = false;
    for (let epoch = 0; epoch < 200 && !isGrown; epoch++) {
      expect(await take(loader)).toEqual(await take(own));
      isGrown = loader.stats().decodeThreads > 1;
    }
    expect(isGrown || availableParallelism() === 1).toBe(true);
  });

  test('are not added while the trainer is the slow one', async () => {
    await using loader = scan.toDataLoader({ batchSize: 8, shuffleBufferSize: 64, maxSteps: 60 });
    for await (const _ of loader) for (const blocked = performance.now() + 20; performance.now() < blocked; );
    expect(loader.stats().decodeThreads).toBe(1);
  });

  test('leave a pass without a trace: break, abort, close', async () => {
    for (const decodeThreads of [2, 3]) {
      const abort = new AbortController();
      await using loader = scan.toDataLoader({
        batchSize: 10,
        shuffleBufferSize: 50,
        decodeThreads,
        signal: abort.signal,
      });
      expect(await take(loader, 5)).toHaveLength(5);
      // Left early: the next iteration begins the epoch anew.
      const iterator = loader[Symbol.asyncIterator]();
      await iterator.next();
      abort.abort();
      await expect(iterator.next().then(() => iterator.next())).rejects.toMatchObject({ code: 'cancelled' });
    }
  });

  test('are refused in numbers that make no sense', () => {
    for (const decodeThreads of [0, -1, 1.5, 65, 'many' as 'auto']) {
      expect(() => scan.toDataLoader({ decodeThreads })).toThrowError(
        expect.objectContaining({ code: 'invalid_size' }),
      );
    }
  });
});

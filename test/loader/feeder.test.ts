import { spawnSync } from 'node:child_process';
import { getEventListeners } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { RecordBatch } from 'apache-arrow';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Scan } from '../../src/client/scan.js';
import { Spiral } from '../../src/client/spiral.js';
import { randomStream } from '../../src/core/random.js';
import { macrotask } from '../../src/core/runtime.js';
import type { SpiralDataLoader } from '../../src/loader/data-loader.js';
import { Feeder } from '../../src/loader/feeder.js';
import { wireSettings } from '../../src/loader/feeder-protocol.js';
import { type DataLoaderOptions, loaderSettings } from '../../src/loader/options.js';
import { World } from '../../src/sharding/world.js';
import { lawRuns } from '../laws.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { typescript } from '../typescript.js';
import { withThreads } from './with-threads.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let spiral: Spiral;
let scan: Scan;
const rows = 1200;

beforeAll(async () => {
  folder = await temporaryFolder();
  spiral = new Spiral({ config: { 'warehouse.uri': folder.path } });
  const project = await spiral.createProject('feeder');
  const table = await project.createTable('rows', { keySchema: { id: 'int32' } });
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
  batchSize: fc.integer({ min: 1, max: 200 }),
  dropLast: fc.boolean(),
});

function contentOf(batch: RecordBatch): string {
  return JSON.stringify(batch.toArray(), (_, value) => (ArrayBuffer.isView(value) ? [...(value as never)] : value));
}

async function take(loader: SpiralDataLoader, most: number = Number.POSITIVE_INFINITY): Promise<string[]> {
  const batches: string[] = [];
  if (most === 0) return batches;
  for await (const batch of loader) if (batches.push(contentOf(batch)) === most) break;
  return batches;
}

describe('the feeder', () => {
  test('gives the batches that this process would make, in the same order, and the same states', async () => {
    await fc.assert(
      fc.asyncProperty(arbOptions, fc.integer({ min: 1, max: 3 }), async (options, worldSize) => {
        const world = new World({ rank: worldSize - 1, worldSize });
        await using own = scan.toDataLoader({ ...options, world, feeder: false });
        await using fed = scan.toDataLoader({ ...options, world, feeder: true });
        for (let epoch = 0; epoch < 2; epoch++) {
          expect(await take(fed)).toEqual(await take(own));
          expect(fed.stateDict()).toEqual(own.stateDict());
        }
      }),
      { numRuns: lawRuns(12, 200) },
    );
  });

  test('resumes at any batch as this process would', async () => {
    await fc.assert(
      fc.asyncProperty(arbOptions, fc.nat(), async (options, pick) => {
        await using own = scan.toDataLoader({ ...options, feeder: false });
        const whole = await take(own);
        const cut = pick % (whole.length + 1);
        const first = scan.toDataLoader({ ...options, infinite: true });
        expect(await take(first, cut)).toEqual(whole.slice(0, cut));
        await using resumed = scan.resumeDataLoader(first.stateDict(), { infinite: false });
        await first.close();
        expect(await take(resumed)).toEqual(whole.slice(cut));
      }),
      { numRuns: lawRuns(10, 200) },
    );
  });

  test('knows the rows of its batches', async () => {
    const ids = async (feeder: boolean): Promise<unknown[]> => {
      const seen: unknown[] = [];
      await using loader = scan.toDataLoader<number>({
        shuffleBufferSize: 100,
        feeder,
        transformFn: (_, { rowIds, random }) => seen.push([...rowIds.shards], [...rowIds.rows], random(0).unit()),
      });
      for await (const _ of loader);
      return seen;
    };
    expect(await ids(true)).toEqual(await ids(false));
  });

  test('that dies at any moment is started again: the same batches, none lost, none twice', async () => {
    const draw = randomStream('feeder deaths');
    const options = { batchSize: 16, shuffleBufferSize: 200, interleaveShards: 2, seed: 5 };
    await using own = scan.toDataLoader({ ...options, feeder: false });
    const whole = await take(own);
    for (let run = 0; run < lawRuns(3, 40); run++) {
      await withThreads(async (threads) => {
        await using loader = scan.toDataLoader({ ...options, decodeThreads: 1 });
        const got: string[] = [];
        let deaths = 0;
        for await (const batch of loader) {
          got.push(contentOf(batch));
          if (deaths < 4 && draw.below(6) === 0) {
            deaths++;
            const dying = threads.at(-1)!.terminate();
            if (draw.below(2) === 0) await dying;
          }
        }
        expect(got).toEqual(whole);
        expect(threads.length).toBeLessThanOrEqual(deaths + 1);
      });
    }
  });

  test('that never lives is given up with its cause', async () => {
    await withThreads(async (threads) => {
      await using loader = scan.toDataLoader();
      const killer = setInterval(() => threads.at(-1)?.terminate(), 1);
      await expect(take(loader)).rejects.toMatchObject({
        code: 'feeder_died',
        message: expect.stringMatching(/at last with: it ended with code [01]/),
      });
      clearInterval(killer);
    });
  });

  test('that is closed while a batch is waited for is not started again', async () => {
    await withThreads(async (threads) => {
      const loader = scan.toDataLoader({ batchSize: 10 });
      const waiting = loader[Symbol.asyncIterator]().next();
      const ended = expect(waiting).rejects.toMatchObject({ code: 'closed' });
      while (threads.length === 0) await macrotask();
      await loader.close();
      await ended;
      expect(threads).toHaveLength(1);
    });
  });

  test('leaves nothing of a pass that is not read to its end with a signal that outlives it', async () => {
    const { schema } = await scan.openSource();
    const feeder = new Feeder(scan.recipe!, wireSettings(loaderSettings({ batchSize: 500, dropLast: true })), schema);
    const { signal } = new AbortController();
    for (let epoch = 0; epoch < 4; epoch++) {
      const pass = feeder.startPass({ epoch, step: 2 * epoch }, { start: { skip: 0 } }, signal);
      expect(await pass.next()).toMatchObject({ bad: [] });
    }
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    await feeder.close();
  });

  test('has the next batch ready for a consumer that blocks the event loop', async () => {
    await using loader = scan.toDataLoader({ batchSize: 10, shuffleBufferSize: 100 });
    const batches = loader[Symbol.asyncIterator]();
    await batches.next();
    let waits = 0;
    for (let step = 0; step < 40; step++) {
      for (const until = performance.now() + 10; performance.now() < until; );
      let turned = false;
      setImmediate(() => {
        turned = true;
      });
      expect((await batches.next()).done).toBe(false);
      if (turned) waits++;
    }
    // Besides the turns that the loader gives on purpose, it needs none.
    expect(waits).toBeLessThanOrEqual(35);
  });

  test('passes on what goes wrong with its place, behind the batches that went well', async () => {
    await using loader = scan.toDataLoader({ shuffleShards: false, batchSize: 100 });
    const state = { ...loader.stateDict(), samplesYielded: 100, window: [999_999, 3] as const };
    await using lost = scan.resumeDataLoader(state);
    expect(await take(lost)).toEqual([]);
    await using gone = scan.toDataLoader({ skipSamples: rows + 1 });
    await expect(take(gone)).rejects.toMatchObject({ code: 'invalid_size', details: { max: rows } });
  });
});

describe('a process with a loader', () => {
  test.each(['end', 'break', 'throw', 'abort', 'close', 'abandon'])('exits by itself after %s', (how) => {
    const script = fileURLToPath(new URL('./leave-loader.ts', import.meta.url));
    const run = spawnSync(process.execPath, [...typescript, script, folder.path, scan.stateJson(), how], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    expect(run.stderr).toBe('');
    expect(run.status).toBe(0);
    const { left, batches } = JSON.parse(run.stdout) as { left: string[]; batches: number };
    expect(batches).toBeGreaterThan(0);
    if (how !== 'abandon' && how !== 'end') expect(left).toEqual([]);
  });
});

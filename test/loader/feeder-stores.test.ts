import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { RecordBatch } from 'apache-arrow';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Scan } from '../../src/client/scan.js';
import type { Table } from '../../src/client/table.js';
import { SpiralError } from '../../src/core/errors.js';
import { uniqueId } from '../../src/core/random.js';
import type { SpiralDataLoader } from '../../src/loader/data-loader.js';
import type { DataLoaderOptions } from '../../src/loader/options.js';
import { scanRecipe } from '../../src/scan/recipe.js';
import { fileStore } from '../../src/storage/file-store.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import { openStore } from '../../src/storage/open-store.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { subStore } from '../../src/storage/sub-store.js';
import { type FaultStore, faultStore } from '../../src/testing/fault-store.js';
import { WarehouseOver, withProject } from '../client/warehouse-over.js';
import { lawRuns } from '../laws.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { typescript } from '../typescript.js';
import { withThreads } from './with-threads.js';

const rows = 600;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;

/** A table of four versions in `store`. */
async function tableIn(store: ObjectStore): Promise<Table> {
  const project = new WarehouseOver(await withProject(store, 'p')).project('p');
  const table = await project.createTable('rows', { keySchema: { id: 'int32' } });
  for (let from = 0; from < rows; from += 200) {
    const part = Array.from({ length: 200 }, (_, at) => ({ id: from + at, text: `t${from + at}`, kind: `k${at % 5}` }));
    await table.write(part, { batchRows: 64 });
  }
  return table;
}

/** A scan of the table's newest version, through `store`. */
async function scanOf(store: ObjectStore, table: Table): Promise<Scan> {
  return new Scan(await new WarehouseOver(store).openScan(scanRecipe([{ table: table.id, version: 4 }], table.node)), {
    batchReadahead: 8,
  });
}

/** Stores that a thread cannot open by their URIs. */
const stores: Record<string, () => Promise<ObjectStore>> = {
  'memory://': async () => openStore(`memory://${uniqueId('feeder-')}/below`),
  'a store of the caller’s, with a delay of its own, over files': async () =>
    faultStore(fileStore(folder.path), { delayMsMax: 1, only: ({ op }) => op === 'getRange' }),
};
const scans = new Map<string, Scan>();

beforeAll(async () => {
  folder = await temporaryFolder();
  for (const [name, make] of Object.entries(stores)) {
    const store = await make();
    scans.set(name, await scanOf(store, await tableIn(store)));
  }
});
afterAll(() => folder[Symbol.asyncDispose]());

const arbOptions: fc.Arbitrary<DataLoaderOptions> = fc.record({
  seed: fc.nat(),
  shuffleBufferSize: fc.oneof(fc.constant(0), fc.integer({ min: 2, max: 300 })),
  interleaveShards: fc.integer({ min: 1, max: 3 }),
  batchSize: fc.integer({ min: 1, max: 100 }),
});

function contentOf(batch: RecordBatch): string {
  return JSON.stringify(batch.toArray());
}

async function take(loader: SpiralDataLoader, most: number = Number.POSITIVE_INFINITY): Promise<string[]> {
  const batches: string[] = [];
  if (most === 0) return batches;
  for await (const batch of loader) if (batches.push(contentOf(batch)) === most) break;
  return batches;
}

describe.each(Object.keys(stores))('over %s', (name) => {
  test('the feeder gives what this process would, from the beginning and from any state', async () => {
    const scan = scans.get(name)!;
    await fc.assert(
      fc.asyncProperty(arbOptions, fc.nat(), async (options, pick) => {
        await using own = scan.toDataLoader({ ...options, feeder: false });
        await withThreads(async (threads) => {
          await using fed = scan.toDataLoader(options);
          const whole = await take(own);
          expect(await take(fed)).toEqual(whole);
          expect(fed.stateDict()).toEqual(own.stateDict());
          const cut = pick % (whole.length + 1);
          await using first = scan.toDataLoader(options);
          expect(await take(first, cut)).toEqual(whole.slice(0, cut));
          await using resumed = scan.resumeDataLoader(first.stateDict());
          expect(await take(resumed)).toEqual(whole.slice(cut));
          expect(threads).toHaveLength(cut === 0 ? 2 : 3);
        });
      }),
      { numRuns: lawRuns(2, 60) },
    );
  });
});

test('a feeder that dies is served anew', async () => {
  const scan = scans.get('memory://')!;
  const options = { batchSize: 16, shuffleBufferSize: 100 };
  await using own = scan.toDataLoader({ ...options, feeder: false });
  await withThreads(async (threads) => {
    await using loader = scan.toDataLoader(options);
    const got: string[] = [];
    for await (const batch of loader) if (got.push(contentOf(batch)) % 12 === 1) await threads.at(-1)!.terminate();
    expect(got).toEqual(await take(own));
    expect(threads.length).toBeGreaterThan(1);
  });
});

test('a wrapper around files is read itself, though a thread could open the files', async () => {
  const files = fileStore(folder.path);
  const store: FaultStore = faultStore(subStore(files, uniqueId('wrapped-')));
  const scan = await scanOf(store, await tableIn(store));
  const before = store.operations;
  await using loader = scan.toDataLoader({ batchSize: 64 });
  expect(await take(loader)).toHaveLength(Math.ceil(rows / 64));
  const read = store.log.slice(before);
  expect(read.filter(({ op, path }) => op === 'getRange' && path.includes('/data/')).length).toBeGreaterThanOrEqual(3);
  await files.close();
});

describe('a store that fails', () => {
  /** What a loader gives until it fails, and how it fails. */
  async function untilError(loader: SpiralDataLoader): Promise<{ given: string[]; error: unknown }> {
    const given: string[] = [];
    try {
      for await (const batch of loader) given.push(contentOf(batch));
    } catch (error) {
      return { given, error };
    } finally {
      await loader.close();
    }
    throw new Error('Expected the loader to fail.');
  }

  test('in the middle of an epoch gives the batches before and the same error, feeder or not', async () => {
    const memory = memoryStore();
    const table = await tableIn(memory);
    const watched = faultStore(memory);
    await take((await scanOf(watched, table)).toDataLoader({ shuffleShards: false, feeder: false }));
    // The file that is read last.
    const { path } = watched.log.findLast(({ op }) => op === 'getRange')!;
    const failing = faultStore(memory);
    const getRange = failing.getRange.bind(failing);
    const system = Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
    failing.getRange = async (of, ...rest) => {
      if (of === path) throw new SpiralError('unavailable', 'Lost.', { details: { path, at: 1 }, cause: system });
      return getRange(of, ...rest);
    };
    const scan = await scanOf(failing, table);
    const inOrder = { shuffleShards: false, batchSize: 50 };
    for (const options of [{ shuffleBufferSize: 0 }, { shuffleBufferSize: 100 }]) {
      const own = await untilError(scan.toDataLoader({ ...inOrder, ...options, feeder: false }));
      const fed = await untilError(scan.toDataLoader({ ...inOrder, ...options }));
      expect(fed.given).toEqual(own.given);
      // Windows before the last file are given; unshuffled all is one window.
      if (options.shuffleBufferSize > 0) expect(fed.given.length).toBeGreaterThan(0);
      expect(fed.given.length).toBeLessThan(rows / 50);
      for (const { error } of [own, fed]) {
        expect(error).toMatchObject({
          name: 'SpiralError',
          code: 'unavailable',
          message: 'Lost.',
          details: { path, at: 1 },
          cause: { code: 'EIO', message: system.message },
        });
      }
    }
  });

  test('for good, in the middle of a run, ends it; one that was closed says so', async () => {
    const memory = memoryStore();
    const table = await tableIn(memory);
    for (const how of ['crash', 'close'] as const) {
      const store = faultStore(memory);
      const scan = await scanOf(store, table);
      let dead = false;
      const getRange = store.getRange.bind(store);
      store.getRange = async (...args) => {
        if (dead && how === 'crash') throw new SpiralError('unavailable', 'It is gone.');
        return getRange(...args);
      };
      const loader = scan.toDataLoader({ batchSize: 8, shuffleBufferSize: 64 });
      const run = (async () => {
        for await (const _ of loader) {
          dead = true;
          if (how === 'close') await store.close();
        }
      })();
      await expect(run).rejects.toMatchObject({ code: how === 'crash' ? 'unavailable' : 'closed' });
      await loader.close();
    }
  });

  test('to answer at all keeps nobody from leaving', async () => {
    const memory = memoryStore();
    const table = await tableIn(memory);
    const store = faultStore(memory);
    const signals: AbortSignal[] = [];
    store.getRange = (_path, _offset, _length, options) => {
      signals.push(options!.signal!);
      return new Promise(() => {});
    };
    const scan = await scanOf(store, table);
    for (const how of ['close', 'abort'] as const) {
      const abort = new AbortController();
      const loader = scan.toDataLoader({ batchSize: 8, signal: abort.signal });
      const code = how === 'close' ? 'closed' : 'cancelled';
      const ended = expect(take(loader)).rejects.toMatchObject({ code });
      const before = signals.length;
      while (signals.length === before) await new Promise((resolve) => setImmediate(resolve));
      if (how === 'close') await loader.close();
      else abort.abort();
      await ended;
      expect(signals.every((signal) => signal.aborted)).toBe(true);
    }
  });
});

test('batches of small windows are not held back for those behind them', async () => {
  const memory = memoryStore();
  const table = await tableIn(memory);
  const store = faultStore(memory);
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const paths = new Set<string>();
  let waiting = 0;
  for (const op of ['getRange', 'getTail'] as const) {
    const read = store[op].bind(store) as (path: string, ...rest: unknown[]) => Promise<never>;
    store[op] = async (path: string, ...rest: unknown[]): Promise<never> => {
      paths.add(path);
      // The third file is there, but slow.
      if ([...paths].indexOf(path) === 2) {
        waiting++;
        await released;
      }
      return read(path, ...rest);
    };
  }
  const options = { batchSize: 8, shuffleBufferSize: 16, shuffleShards: false };
  const scan = await scanOf(store, table);
  await using loader = scan.toDataLoader(options);
  const given: string[] = [];
  const reading = (async (): Promise<void> => {
    for await (const batch of loader) given.push(contentOf(batch));
  })();
  await expect.poll(() => waiting, { timeout: 20_000 }).toBeGreaterThan(0);
  // Of 400 rows, all but those that share a window with one of the third file.
  await expect.poll(() => given.length, { timeout: 20_000 }).toBeGreaterThanOrEqual((400 - 16) / 8);
  release();
  await reading;
  await using own = scan.toDataLoader({ ...options, feeder: false });
  expect(given).toEqual(await take(own));
});

test('a process exits by itself however it left its loaders over memory', () => {
  const script = fileURLToPath(new URL('./leave-served-loader.ts', import.meta.url));
  const ways = ['break', 'throw', 'abort', 'close', 'end', 'abandon'];
  const args = [...typescript, script, ...ways];
  const run = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 });
  expect([run.status, run.stderr]).toEqual([0, '']);
  const told = JSON.parse(run.stdout) as { left: string[]; batches: number }[];
  expect(told.map(({ batches }) => batches)).toEqual([5, 5, 5, 5, 50, 1]);
  // A loader that ended, or was left alone, keeps its thread, which keeps nobody alive.
  expect(told.slice(0, 4).map(({ left }) => left)).toEqual([[], [], [], []]);
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { macrotask } from '../../src/core/runtime.js';
import { SpiralDataLoader } from '../../src/loader/data-loader.js';
import type { DataLoaderOptions } from '../../src/loader/options.js';
import { lawRuns } from '../laws.js';
import { MemorySource, take } from './memory-source.js';

/** 15 windows of 8,192 rows where nothing is shuffled; reads take turns of the event loop as drawn. */
function source(delays: readonly number[] = [0]): MemorySource {
  return new MemorySource({
    shards: [50_000, 70_000],
    batchRows: 4096,
    delay: (read) => delays[read % delays.length]!,
  });
}

const plain: DataLoaderOptions = { batchSize: 4096, feeder: false };

test('read-ahead that nobody fixed grows while the loop waits, says so, and never alters the order', async () => {
  await using fixed = new SpiralDataLoader(source(), { ...plain, batchReadahead: 1 });
  const wanted = await take(fixed);
  expect(fixed.stats().readAhead).toEqual({ batches: 2, why: 'Fixed by batchReadahead: 1.' });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 20 }), async (delays) => {
      await using loader = new SpiralDataLoader(source(delays), plain);
      expect(await take(loader)).toEqual(wanted);
    }),
    { numRuns: lawRuns(4, 50) },
  );
  await using slow = new SpiralDataLoader(source([40]), plain);
  expect(await take(slow)).toEqual(wanted);
  expect(slow.stats().readAhead!.batches).toBeGreaterThan(2);
  expect(slow.stats().readAhead!.why).toMatch(/waited for.*at most \d+ windows/);
});

test('the first batch waits for few reads, however many shards there are, and a resumed one for no row before it', async () => {
  const rows = new MemorySource({ shards: Array.from({ length: 500 }, () => 32), batchRows: 32 });
  const open = await rows.openSource();
  const read: number[] = [];
  const counted = {
    identity: rows.identity,
    openSource: async () => ({
      ...open,
      readBlock: async (...[shard, ...of]: Parameters<typeof open.readBlock>) => {
        read.push(shard.segments[0]!.part);
        // What is asked for at once is asked for before any of it is there.
        await macrotask();
        return open.readBlock(shard, ...of);
      },
    }),
  };
  for (const filtered of [false, true]) {
    const source = {
      identity: rows.identity,
      openSource: async () => ({ ...(await counted.openSource()), filtered }),
    };
    read.length = 0;
    await using loader = new SpiralDataLoader(source, { batchSize: 32, feeder: false, shuffleShards: false });
    const batches = loader[Symbol.asyncIterator]();
    const first = batches.next();
    while (read.length === 0) await macrotask();
    expect(read).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    await first;
    for (let batch = 1; batch < 300; batch++) await batches.next();
    await loader.close();
    if (filtered) continue;
    read.length = 0;
    await using resumed = SpiralDataLoader.fromStateDict(source, loader.stateDict(), { feeder: false });
    const next = resumed[Symbol.asyncIterator]().next();
    while (read.length === 0) await macrotask();
    expect(read).toEqual([300, 301, 302, 303, 304, 305, 306, 307]);
    await next;
  }
});

test('windows that are read ahead are read at once, not one after the other', async () => {
  let [under, most] = [0, 0];
  const rows = source([30]);
  const open = await rows.openSource();
  const counted = {
    identity: rows.identity,
    openSource: async () => ({
      ...open,
      readBlock: async (...of: Parameters<typeof open.readBlock>) => {
        most = Math.max(most, ++under);
        return open.readBlock(...of).finally(() => under--);
      },
    }),
  };
  await using loader = new SpiralDataLoader(counted, { ...plain, batchReadahead: 8 });
  for await (const _ of loader) if (loader.step === 4) break;
  // Two blocks a window, four windows ahead.
  expect(most).toBeGreaterThanOrEqual(6);
});

test('small windows share reads, and none reads a stored batch again', async () => {
  const rows = new MemorySource({ shards: [20_000, 10_000], batchRows: 5000 });
  await using loader = new SpiralDataLoader(rows, { batchSize: 100, shuffleBufferSize: 100, feeder: false });
  expect((await take(loader)).flat()).toHaveLength(30_000);
  expect(rows.rowsRead).toBe(30_000);
  // Six stored batches, of 300 windows.
  expect(rows.reads.length).toBeLessThan(30);
});

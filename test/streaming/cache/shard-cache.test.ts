import { appendFile, chmod, mkdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSpiralError } from '../../../src/core/errors.js';
import { sleep } from '../../../src/core/runtime.js';
import { memoryStore } from '../../../src/storage/memory-store.js';
import { ShardCache, type ShardPin } from '../../../src/streaming/cache/shard-cache.js';
import { faultStore } from '../../../src/testing/fault-store.js';
import { lawRuns } from '../../laws.js';
import { temporaryFolder } from '../../storage/temporary-folder.js';
import { bytesIn, leftovers } from '../cache-folder.js';
import { ByteShards, shardBytes } from './byte-shards.js';

async function expectBytes(folder: string, source: ByteShards, shard: number): Promise<void> {
  const found = await readFile(join(folder, source.names(shard)[0]!));
  expect(Buffer.compare(found, shardBytes(shard, source.sizes[shard]!)), `bytes of shard ${shard}`).toBe(0);
}

/** The fewest fetches that serve `order` in a cache of `room` shards, by Belady's rule. */
function fewestFetches(order: readonly number[], room: number): number {
  const here = new Set<number>();
  let fetches = 0;
  for (const [at, shard] of order.entries()) {
    if (here.has(shard)) continue;
    fetches++;
    if (here.size === room) {
      const need = (held: number): number => (order.indexOf(held, at) < 0 ? order.length : order.indexOf(held, at));
      here.delete([...here].reduce((last, held) => (need(held) > need(last) ? held : last)));
    }
    here.add(shard);
  }
  return fetches;
}

describe('a cache of one process', () => {
  it('downloads as few shards as the known order and the limit allow, whatever it fetches ahead', async () => {
    const order = fc.integer({ min: 2, max: 7 }).chain((count) =>
      fc.record({
        count: fc.constant(count),
        room: fc.integer({ min: 1, max: count }),
        order: fc.array(fc.nat(count - 1), { minLength: 1, maxLength: 30 }),
        downloads: fc.integer({ min: 1, max: 3 }),
        ahead: fc.nat(8),
        delayMsMax: fc.constantFrom(0, 3),
      }),
    );
    const law = fc.asyncProperty(order, async ({ count, room, order, downloads, ahead, delayMsMax }) => {
      const remote = memoryStore();
      await using folder = await temporaryFolder();
      const sizes = Array.from({ length: count }, () => 64);
      await ByteShards.put(sizes, remote);
      const source = new ByteShards(sizes, faultStore(remote, { delayMsMax }));
      const options = { source, limitBytes: 64 * room + 63, downloads, ahead: { most: ahead } };
      const cache = new ShardCache(folder.path, options);
      cache.expect(order);
      for (const shard of order) {
        const pin = await cache.pin(shard);
        await expectBytes(folder.path, source, shard);
        expect(bytesIn(folder.path) ?? 0).toBeLessThanOrEqual(options.limitBytes);
        if (delayMsMax > 0) await sleep(1);
        pin.release();
      }
      expect(source.fetched.length).toBe(fewestFetches(order, room));
      expect(cache.stats().downloads).toBe(source.fetched.length);
      await cache.close();
      expect(await leftovers(folder.path)).toEqual([]);
    });
    await fc.assert(law, { numRuns: lawRuns(25, 400) });
  });

  it('keeps its limit and gives the right bytes, whatever is pinned, released, evicted, damaged and fails', async () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ do: fc.constant('pin' as const), shard: fc.nat(5) }) },
      { weight: 5, arbitrary: fc.record({ do: fc.constant('release' as const), shard: fc.nat(5) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('evict' as const), shard: fc.nat(5) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('damage' as const), shard: fc.nat(5) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const), shard: fc.constant(0) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('expect' as const), shard: fc.nat(5) }) },
    );
    const law = fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.nat(), async (steps, seed) => {
      const remote = memoryStore();
      await using folder = await temporaryFolder();
      const sizes = [100, 1, 57, 200, 90, 33];
      await ByteShards.put(sizes, remote);
      const faulty = faultStore(remote, { seed, failShare: 0.2, delayMsMax: 2 });
      const source = new ByteShards(sizes, faulty);
      const open = (): ShardCache => new ShardCache(folder.path, { source, limitBytes: 300, standstillMs: 1 });
      let cache = open();
      const pins: { shard: number; pin: ShardPin }[] = [];
      for (const { do: what, shard } of steps) {
        const held = pins.some((pin) => pin.shard === shard);
        if (what === 'pin') {
          try {
            const pin = await cache.pin(shard);
            pins.push({ shard, pin });
            await expectBytes(folder.path, source, shard);
          } catch (error) {
            const least = new Set([...pins.map((pin) => pin.shard), shard]);
            const needed = [...least].reduce((sum, number) => sum + sizes[number]!, 0);
            if (isSpiralError(error, 'limit_exceeded')) expect(error.details['least']).toBe(needed);
            else expect(error).toMatchObject({ code: 'unavailable' });
            if (isSpiralError(error, 'limit_exceeded')) expect(needed).toBeGreaterThan(300);
          }
        } else if (what === 'release') pins.splice(0, 1)[0]?.pin.release();
        else if (what === 'evict') expect(await cache.evict(shard).then((gone) => gone && held)).toBe(false);
        else if (what === 'expect') cache.expect([shard, (shard + 1) % 6, (shard + 3) % 6, shard]);
        else if (what === 'damage' && !held)
          await appendFile(join(folder.path, `data/shard.${shard}`), 'x').catch(() => {});
        else if (what === 'reopen') {
          pins.splice(0);
          await cache.close();
          expect(await leftovers(folder.path)).toEqual([]);
          cache = open();
        }
        if (what !== 'damage') expect(await cache.sizeBytes()).toBeLessThanOrEqual(300);
        for (const pin of pins) await expectBytes(folder.path, source, pin.shard);
      }
      await cache.close();
      expect(bytesIn(folder.path)).toBeLessThanOrEqual(305);
      expect(await leftovers(folder.path)).toEqual([]);
    });
    await fc.assert(law, { numRuns: lawRuns(25, 400) });
  });

  it('fetches a shard once for all who ask for it at a time', async () => {
    await using folder = await temporaryFolder();
    const source = new ByteShards([10, 10]);
    await using cache = opened(new ShardCache(folder.path, { source }));
    const pins = await Promise.all(Array.from({ length: 20 }, (_, at) => cache.pin(at % 2)));
    expect(source.fetched.sort()).toEqual([0, 1]);
    expect(pins.length).toBe(20);
    for (const pin of pins.slice(1)) pin.release();
    expect(await cache.evict(0)).toBe(false);
    expect(await cache.evict(1)).toBe(true);
    pins[0]!.release();
    pins[0]!.release();
    expect(await cache.evict(0)).toBe(true);
    expect(await cache.sizeBytes()).toBe(0);
  });

  it('checks what it finds once, and remembers it over restarts; damaged files are fetched again', async () => {
    await using folder = await temporaryFolder();
    const source = new ByteShards([50, 60, 70]);
    await mkdir(join(folder.path, 'data'));
    for (const shard of [0, 1])
      await writeFile(join(folder.path, `data/shard.${shard}`), shardBytes(shard, source.sizes[shard]!));
    await truncate(join(folder.path, 'data/shard.1'), 59);
    const visit = async (): Promise<ShardCache> => {
      const cache = new ShardCache(folder.path, { source });
      for (const shard of [0, 1, 2]) {
        const pin = await cache.pin(shard);
        await expectBytes(folder.path, source, shard);
        pin.release();
      }
      await cache.close();
      return cache;
    };
    const first = await visit();
    expect(first.stats()).toMatchObject({ checked: 2, damaged: 1, downloads: 2, hits: 0 });
    expect(source.fetched).toEqual([1, 2]);
    expect((await visit()).stats()).toMatchObject({ checked: 0, damaged: 0, downloads: 0, hits: 3 });
    // Another time means that it may have been changed: it is checked again, and was not.
    await utimes(join(folder.path, 'data/shard.0'), 1, 1);
    await rm(join(folder.path, 'data/shard.2'));
    expect((await visit()).stats()).toMatchObject({ checked: 1, damaged: 0, downloads: 1, hits: 1 });
  });

  it('names the least limit that works, for the largest shard and for what is pinned at once', async () => {
    await using folder = await temporaryFolder();
    const source = new ByteShards([50, 60, 70]);
    await writeFile(join(folder.path, 'notes.txt'), '12345');
    await expect(new ShardCache(folder.path, { source, limitBytes: 74 }).pin(0)).rejects.toMatchObject({
      code: 'limit_exceeded',
      details: { least: 75, limit: 74 },
    });
    expect(await leftovers(folder.path)).toEqual([]);
    await using cache = opened(new ShardCache(folder.path, { source, limitBytes: 184, standstillMs: 20 }));
    const pins = [await cache.pin(0), await cache.pin(1)];
    await expect(cache.pin(2)).rejects.toMatchObject({ code: 'limit_exceeded', details: { least: 185 } });
    const waiting = cache.pin(2);
    pins[0]!.release();
    (await waiting).release();
    expect(await readFile(join(folder.path, 'notes.txt'), 'utf8')).toBe('12345');
  });

  it('takes a folder over from other data, and refuses to while another uses it', async () => {
    await using folder = await temporaryFolder();
    const [first, second] = [new ByteShards([50, 60], undefined, 'one'), new ByteShards([50], undefined, 'two')];
    const one = new ShardCache(folder.path, { source: first });
    for (const shard of [0, 1]) (await one.pin(shard)).release();
    const two = new ShardCache(folder.path, { source: second });
    await expect(two.pin(0)).rejects.toMatchObject({ code: 'already_exists' });
    await one.close();
    (await two.pin(0)).release();
    expect(second.fetched).toEqual([0]);
    expect(bytesIn(folder.path)).toBe(50);
    await two.close();
  });

  it('shrinks to a limit that is smaller than before', async () => {
    await using folder = await temporaryFolder();
    const source = new ByteShards([50, 50, 50, 50]);
    const before = new ShardCache(folder.path, { source });
    for (const shard of [0, 1, 2, 3]) (await before.pin(shard)).release();
    await before.close();
    await using cache = opened(new ShardCache(folder.path, { source, limitBytes: 120 }));
    expect(await cache.sizeBytes()).toBe(100);
    expect(bytesIn(folder.path)).toBe(100);
  });

  it('ends waits by signals and by closing, and leaves nothing that is half done', async () => {
    await using folder = await temporaryFolder();
    const source = new ByteShards([50, 50, 50]);
    source.fetch = async (shard, _, { signal }) => {
      source.fetched.push(shard);
      await sleep(60_000, signal);
    };
    const cache = new ShardCache(folder.path, { source });
    const ending = new AbortController();
    const given = cache.pin(0, ending.signal);
    const kept = cache.pin(1);
    while (source.fetched.length < 2) await sleep(1);
    ending.abort();
    await expect(given).rejects.toMatchObject({ code: 'cancelled' });
    const closing = cache.close();
    await expect(kept).rejects.toMatchObject({ code: 'closed' });
    await closing;
    await expect(cache.pin(0)).rejects.toMatchObject({ code: 'closed' });
    expect(await leftovers(folder.path)).toEqual([]);
    expect(bytesIn(folder.path)).toBe(0);
  });

  it.skipIf(process.getuid?.() === 0)('says that it may not write, and goes on once it may', async () => {
    await using folder = await temporaryFolder();
    const source = new ByteShards([50]);
    const cache = new ShardCache(folder.path, { source });
    await chmod(folder.path, 0o500);
    await expect(cache.pin(0)).rejects.toMatchObject({ code: 'permission_denied' });
    await chmod(folder.path, 0o700);
    (await cache.pin(0)).release();
    await cache.close();
  });
});

function opened(cache: ShardCache): ShardCache & AsyncDisposable {
  return Object.assign(cache, { [Symbol.asyncDispose]: () => cache.close() });
}

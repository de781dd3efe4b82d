import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SpiralError } from '../../src/core/errors.js';
import { type CacheRule, cachedStore } from '../../src/storage/cached-store.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import { PieceCache } from '../../src/storage/piece-cache.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { StoreCaches } from '../../src/storage/store-caches.js';
import { faultStore } from '../../src/testing/fault-store.js';
import { bytesOf } from '../../src/testing/store-law-probes.js';
import { lawRuns } from '../laws.js';
import { temporaryFolder } from './temporary-folder.js';
import { watched } from './watched-store.js';

/** Room for sixteen pieces on disk. */
const smallDisk = 4096 + 16 * (4096 + 8);

const cacheOf = (
  pieceBytes: number,
  memoryBytesMax = 0,
  disk?: { folder: string; capacityBytes: number },
): PieceCache =>
  new PieceCache({ pieceBytes, memoryBytesMax, disk: disk === undefined ? undefined : { ...disk, name: 'test' } });

describe('reads through a cache are those without one', () => {
  const range = fc.tuple(fc.nat(450), fc.integer({ min: 0, max: 450 }));

  it('for objects that never change, in any order and at once, by two caches of one folder', async () => {
    const sizes = { a: 400, b: 399, c: 0, d: 1, e: 64, f: 65, g: 128 };
    const paths = Object.keys(sizes);
    const call = fc.record({
      who: fc.nat(1),
      path: fc.constantFrom(...paths, 'missing'),
      what: fc.oneof(range, fc.constantFrom('get', 'head'), fc.integer({ min: 1, max: 500 })),
    });
    const property = fc.asyncProperty(
      fc.array(fc.array(call, { maxLength: 12 }), { maxLength: 12 }),
      fc.constantFrom(0, 100, 10_000),
      fc.boolean(),
      async (rounds, memoryBytesMax, onDisk) => {
        await using folder = await temporaryFolder();
        const plain = memoryStore();
        for (const [path, size] of Object.entries(sizes)) await plain.put(path, bytesOf(path, size));
        const disk = { folder: folder.path, capacityBytes: smallDisk };
        const caches = [0, 1].map(() => cacheOf(64, memoryBytesMax, onDisk ? disk : undefined));
        const stores = caches.map((cache) => cachedStore(plain, () => ({ cache, by: 'name' })));
        for (const round of rounds) {
          await Promise.all(
            round.map(async ({ who, path, what }) => {
              const ask = (store: ObjectStore): Promise<unknown> => {
                if (what === 'get') return store.get(path);
                if (what === 'head') return store.head(path);
                return typeof what === 'number' ? store.getTail(path, what) : store.getRange(path, ...what);
              };
              const [found, expected] = await Promise.all([answer(ask(stores[who]!)), answer(ask(plain))]);
              expect(found).toEqual(expected);
            }),
          );
          await Promise.all(caches.map((cache) => cache.settled()));
        }
        await Promise.all(caches.map((cache) => cache.close()));
      },
    );
    await fc.assert(property, { numRuns: lawRuns(60, 3000) });
  });

  it('for objects that are replaced: of the version that was looked at, or refused', async () => {
    const step = fc.oneof(
      { weight: 1, arbitrary: fc.record({ by: fc.constantFrom(0, 1, 'another'), write: fc.nat(300) }) },
      { weight: 1, arbitrary: fc.record({ by: fc.nat(1), look: fc.constantFrom('head', 'get', 'tail') }) },
      {
        weight: 4,
        arbitrary: fc.record({ by: fc.nat(1), from: fc.nat(100), length: fc.integer({ min: 1, max: 150 }) }),
      },
    );
    const property = fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      await using folder = await temporaryFolder();
      const plain = memoryStore();
      const caches = [0, 1].map(() => cacheOf(64, 200, { folder: folder.path, capacityBytes: smallDisk }));
      const stores = caches.map((cache) => cachedStore(plain, () => ({ cache, by: 'head' })));
      const versions: Uint8Array[] = [bytesOf('first', 300)];
      await plain.put('a', versions[0]!);
      // The version that each has looked at; undefined: any that there was since, as the memory does not pin one.
      const looked: (number | undefined)[] = [undefined, undefined];
      const read = [0, 0];
      for (const one of steps) {
        const newest = versions.length - 1;
        if ('write' in one) {
          const bytes = bytesOf(`version ${versions.length}`, one.write);
          versions.push(bytes);
          if (typeof one.by === 'number') {
            await stores[one.by]!.put('a', bytes);
            looked[one.by] = undefined;
            read[one.by] = newest + 1;
          } else await plain.put('a', bytes);
        } else if ('look' in one) {
          const store = stores[one.by]!;
          if (one.look === 'head') expect((await store.head('a'))?.size).toBe(versions[newest]!.length);
          if (one.look === 'get') expect(await store.get('a')).toEqual(versions[newest]);
          if (one.look === 'tail') {
            const { bytes, size } = await store.getTail('a', 100);
            expect([bytes, size]).toEqual([versions[newest]!.slice(-100), versions[newest]!.length]);
          }
          looked[one.by] = one.look === 'get' ? undefined : newest;
          read[one.by] = newest;
        } else {
          const cut = (bytes: Uint8Array): unknown =>
            one.from + one.length > bytes.length ? 'corrupt_file' : bytes.slice(one.from, one.from + one.length);
          const found = await answer(stores[one.by]!.getRange('a', one.from, one.length));
          const at = looked[one.by];
          const allowed = at === undefined ? versions.slice(read[one.by]) : [versions[at]!];
          expect([...allowed.map(cut), ...(at === newest ? [] : ['file_changed'])]).toContainEqual(found);
        }
      }
      await Promise.all(caches.map((cache) => cache.close()));
    });
    await fc.assert(property, { numRuns: lawRuns(80, 4000) });
  });

  it('for a store that fails now and then', async () => {
    await using folder = await temporaryFolder();
    const plain = memoryStore();
    const bytes = bytesOf('a', 100_000);
    await plain.put('a', bytes);
    const cache = cacheOf(1000, 20_000, { folder: folder.path, capacityBytes: 40 * 4104 });
    const store = cachedStore(faultStore(plain, { seed: 4, failShare: 0.2 }), () => ({ cache, by: 'name' }));
    let failed = 0;
    for (let turn = 0; turn < 300; turn++) {
      const offset = (turn * 7919) % 90_000;
      const found = await answer(store.getRange('a', offset, 5000));
      if (found === 'unavailable') failed++;
      else expect(found).toEqual(bytes.slice(offset, offset + 5000));
    }
    expect(failed).toBeGreaterThan(5);
    expect(failed).toBeLessThan(250);
    await cache.close();
  });
});

describe('a cached store', () => {
  const bytes = bytesOf('a', 1000);

  async function made(by: CacheRule['by']) {
    const plain = memoryStore();
    await plain.put('a', bytes);
    const watch = watched(plain);
    const cache = cacheOf(100, 10_000);
    return { ...watch, plain, cache, cached: cachedStore(watch.store, () => ({ cache, by })) };
  }

  it('asks once for what many want at once, and for neighbours together', async () => {
    const { cached, asked } = await made('name');
    await cached.getTail('a', 1);
    const reads = Array.from({ length: 20 }, (_, at) => cached.getRange('a', 10 * at, 300));
    for (const [at, found] of (await Promise.all(reads)).entries()) {
      expect(found).toEqual(bytes.slice(10 * at, 10 * at + 300));
    }
    expect(asked).toEqual(['tail a', 'a 0+300', 'a 300+100', 'a 400+100']);
    await cached.getRange('a', 250, 500);
    expect(asked.slice(4)).toEqual(['a 500+300']);
    await cached.getRange('a', 0, 800);
    expect(asked.length).toBe(5);
  });

  it('lets one of those that wait leave, and ends the request when the last has left', async () => {
    const { cached, aborted, hold, letGo, asked } = await made('name');
    await cached.getTail('a', 1);
    hold();
    const controllers = Array.from({ length: 4 }, () => new AbortController());
    const [one, two, three, four] = controllers.map(({ signal }, at) =>
      answer(cached.getRange('a', at < 2 ? 0 : 500, 250, { signal })),
    );
    await until(() => asked.length === 3);
    controllers[0]!.abort();
    expect(await one).toBe('cancelled');
    controllers[2]!.abort();
    controllers[3]!.abort();
    expect(await Promise.all([three, four])).toEqual(['cancelled', 'cancelled']);
    expect(aborted).toEqual(['a 500+300']);
    const again = answer(cached.getRange('a', 500, 250));
    letGo();
    expect(await two).toEqual(bytes.slice(0, 250));
    expect(await again).toEqual(bytes.slice(500, 750));
    expect(aborted).toEqual(['a 500+300']);
  });

  it('keeps its limit in memory, and what was used last', async () => {
    const { cached, asked, cache } = await made('name');
    await cached.getTail('a', 1);
    const small = cacheOf(100, 300);
    const store = cachedStore(watched(memoryStore()).store, () => ({ cache: small, by: 'name' }));
    await store.put('b', bytes);
    await store.getTail('b', 1);
    for (let at = 0; at < 10; at++) {
      await store.getRange('b', 100 * at, 100);
      expect(small.stats.memoryBytes).toBeLessThanOrEqual(300);
    }
    expect(small.stats.misses).toBe(11);
    await store.getRange('b', 800, 200);
    expect(small.stats.misses).toBe(11);
    await store.getRange('b', 0, 100);
    expect(small.stats.misses).toBe(12);
    expect([asked.length, cache.stats.misses]).toEqual([1, 1]);
  });

  it('gives memory of its own: what a caller does to it, others do not see', async () => {
    await using folder = await temporaryFolder();
    const plain = memoryStore();
    await plain.put('a', bytes);
    // As stores may: a Buffer, whose slices are views.
    const asBuffer = { ...watched(plain).store, get: async (path: string) => Buffer.from(await plain.get(path)) };
    for (let reader = 0; reader < 3; reader++) {
      const cache = cacheOf(100, 10_000, { folder: folder.path, capacityBytes: smallDisk * 10 });
      const cached = cachedStore(asBuffer, () => ({ cache, by: 'name' }));
      for (let turn = 0; turn < 3; turn++) {
        for (const [from, to] of [
          [0, 1000],
          [0, 500],
          [100, 200],
        ] as const) {
          const found = to === 1000 ? await cached.get('a') : await cached.getRange('a', from, to - from);
          expect(Buffer.compare(found, bytes.subarray(from, to))).toBe(0);
          found.fill(0);
        }
        const tail = await cached.getTail('a', 90);
        expect(tail).toEqual({ bytes: bytes.slice(-90), size: 1000 });
        tail.bytes.slice(10, 20).fill(0);
        tail.bytes.fill(0);
      }
      expect(new Uint8Array(await cached.get('a'))).toEqual(bytes);
      await cache.close();
    }
  });

  it('does not cache what was changed through it, nor gives what it deleted', async () => {
    const { cached } = await made('name');
    expect(await cached.get('a')).toEqual(bytes);
    await cached.delete('a');
    for (const read of [cached.get('a'), cached.getRange('a', 0, 5), cached.getTail('a', 5)]) {
      expect(await answer(read)).toBe('not_found');
    }
    await cached.put('a', bytesOf('b', 700));
    expect(await cached.get('a')).toEqual(bytesOf('b', 700));
    expect((await cached.getTail('a', 3)).size).toBe(700);
  });

  it('refuses what is wrong as the store does, before it looks anywhere', async () => {
    const { cached } = await made('name');
    expect(await answer(cached.getRange('../a', 0, 1))).toBe('path_outside_root');
    expect(await answer(cached.getRange('a', -1, 1))).toBe('invalid_size');
    expect(await answer(cached.getRange('a', 0, 2, { into: new Uint8Array(1) }))).toBe('invalid_argument');
    expect(await answer(cached.put('', bytes))).toBe('invalid_argument');
    await cached.get('a');
    expect(await answer(cached.getRange('a', 999, 2))).toBe('corrupt_file');
    await cached.close();
    expect(await answer(cached.get('a'))).toBe('closed');
    expect(await answer(cached.getRange('a', 0, 1))).toBe('closed');
  });
});

describe('numbered objects', () => {
  const entry = (number: number): string => `log/${String(number).padStart(20, '0')}`;

  it('are had from the store once, by one list for a hundred, and are those of the store that is there', async () => {
    await using folder = await temporaryFolder();
    const disk = { folder: folder.path, capacityBytes: smallDisk * 200 };
    const plain = memoryStore('numbered');
    for (let number = 1; number <= 120; number++) await plain.put(entry(number), bytesOf(`e${number}`, 50 + number));
    const reader = () => {
      const watch = watched(plain);
      const cache = cacheOf(100, 0, disk);
      return { ...watch, cache, cached: cachedStore(watch.store, () => ({ cache, by: 'list' })) };
    };
    const readAll = async ({ cached, cache }: ReturnType<typeof reader>, label: string): Promise<void> => {
      const numbers = Array.from({ length: 120 }, (_, at) => at + 1);
      for (const number of numbers) {
        expect(await cached.get(entry(number))).toEqual(bytesOf(`${label}${number}`, 50 + number));
      }
      await cache.close();
    };
    const first = reader();
    await readAll(first, 'e');
    expect(first.asked.filter((one) => one.startsWith('list'))).toHaveLength(2);
    const second = reader();
    await readAll(second, 'e');
    expect(second.asked).toHaveLength(2);
    // The folder is restored from a backup, and goes on otherwise: the same names, other bytes.
    for (let number = 1; number <= 120; number++) await plain.put(entry(number), bytesOf(`f${number}`, 50 + number));
    await readAll(reader(), 'f');
    const late = reader();
    await late.cached.get(entry(120));
    expect(await answer(late.cached.get(entry(121)))).toBe('not_found');
    await plain.put(entry(121), bytesOf('late', 5));
    expect(await late.cached.get(entry(121))).toEqual(bytesOf('late', 5));
  });

  it('are read without a cache where the store gives no list', async () => {
    const plain = memoryStore();
    await plain.put(entry(1), bytesOf('e', 50));
    const list = (): AsyncIterable<never> => ({
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.reject(new SpiralError('permission_denied', 'no lists')),
      }),
    });
    const cache = cacheOf(100, 1000);
    const cached = cachedStore({ ...watched(plain).store, list }, () => ({ cache, by: 'list' }));
    expect(await cached.get(entry(1))).toEqual(bytesOf('e', 50));
    expect(cache.stats.misses).toBe(0);
  });
});

describe('what is cached', () => {
  const settings = { memoryBytesMax: 1000, diskBytesMax: 0, folder: '' };
  const caches = new StoreCaches({ keys: settings, manifests: settings, fragments: settings });

  it.each<[Parameters<StoreCaches['rules']>[0], string, CacheRule['by'] | undefined]>([
    ['table', 'data/abc.arrow', 'name'],
    ['table', 'data/abc.rows', undefined],
    ['table', 'log/00000000000000000001', 'list'],
    ['table', 'log/hint', undefined],
    ['table', 'checkpoints/00000000000000000128', 'list'],
    ['table', 'kept/00000000000000000128', 'list'],
    ['table', 'upkeep/00000000000000000001', undefined],
    ['table', 'table', undefined],
    ['table', 'other/data/abc.arrow', undefined],
    ['index', 'ranges/abc', 'name'],
    ['index', 'log/00000000000000000001', undefined],
    ['index', 'index', undefined],
    ['files', 'data/abc.arrow', 'head'],
    ['files', 'ranges/abc', 'head'],
  ])('of a %s, %s: by %s', (content, path, by) => {
    expect(caches.rules(content)(path)?.by).toBe(by);
  });

  it('is what far stores hold, and nothing of near ones or without settings', () => {
    const near = memoryStore();
    expect(caches.around(near, 'table')).toBe(near);
    const far = { ...watched(near).store, uri: 's3://bucket/x' };
    expect(caches.around(far, 'table')).not.toBe(far);
    expect(new StoreCaches({}).around(far, 'table')).toBe(far);
  });
});

/** What a read gives: its value, or the code of its error. */
async function answer(read: Promise<unknown>): Promise<unknown> {
  try {
    return await read;
  } catch (error) {
    return (error as { code?: string }).code ?? error;
  }
}

async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setImmediate(resolve));
}

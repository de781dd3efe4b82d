import { describe, expect, it } from 'vitest';
import { memoryStore } from '../../src/storage/memory-store.js';
import { takeBody } from '../../src/storage/put-body.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { storeLaws } from '../../src/testing/store-laws.js';

/** `store` with some of its operations done wrong. */
function broken(store: ObjectStore, wrong: Partial<ObjectStore>): ObjectStore {
  return new Proxy(store, {
    get: (target, key) => {
      if (key in wrong) return Reflect.get(wrong, key);
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

async function brokenLaws(wrong: (store: ObjectStore) => Partial<ObjectStore>): Promise<string[]> {
  const found: string[] = [];
  const make = async () => {
    const store = memoryStore();
    return { store: broken(store, wrong(store)), dispose: async () => {} };
  };
  for (const law of storeLaws(make)) {
    await law.run().catch((error: Error) => {
      expect(error.name).toBe('AssertionError');
      found.push(law.name);
    });
  }
  return found;
}

describe('storeLaws', () => {
  it('find nothing in a store that keeps them', async () => {
    expect(await brokenLaws(() => ({}))).toEqual([]);
  });

  it.each<[string, string, (store: ObjectStore) => Partial<ObjectStore>]>([
    [
      'looks before it writes',
      'lets one of 50 racers create an object',
      (store) => ({
        putIfAbsent: async (path, body, options) => {
          if ((await store.head(path, options)) !== undefined) return false;
          await store.put(path, body, options);
          return true;
        },
      }),
    ],
    [
      'shows a body piece by piece',
      'leaves nothing of a body that fails half way',
      (store) => ({
        put: async (path, body, options) => {
          const pieces: Uint8Array[] = [];
          const keep = async (more: readonly Uint8Array[]): Promise<void> => {
            pieces.push(...more.map((piece) => piece.slice()));
            await store.put(path, pieces);
          };
          await takeBody(body, keep, 'put', options?.signal);
        },
      }),
    ],
    [
      'lists in the order of UTF-16',
      'lists recursively, sorted by bytes, by prefix',
      (store) => ({
        list: async function* (prefix, options) {
          const infos = [];
          for await (const info of store.list(prefix, options)) infos.push(info);
          yield* infos.sort((a, b) => (a.path < b.path ? -1 : 1));
        },
      }),
    ],
    [
      'gives what there is of a range',
      'says corrupt_file for a range beyond the end',
      (store) => ({
        getRange: async (path, offset, length) => (await store.get(path)).slice(offset, offset + length),
      }),
    ],
    [
      'gives views of one buffer',
      'gives back what was put, of any size and in any form',
      (store) => ({
        get: async (path, options) => {
          const bytes = await store.get(path, options);
          const pool = new Uint8Array(bytes.length + 8);
          pool.set(bytes, 8);
          return pool.subarray(8);
        },
      }),
    ],
  ])('find a store that %s', async (_, law, wrong) => {
    expect(await brokenLaws(wrong)).toContain(law);
  });
});

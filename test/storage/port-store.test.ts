import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { MessageChannel } from 'node:worker_threads';
import { afterEach, describe, expect, test } from 'vitest';
import { SpiralError } from '../../src/core/errors.js';
import { listPageMax, storeCallsMax } from '../../src/core/limits.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import { portStore } from '../../src/storage/port-store.js';
import { serveStore } from '../../src/storage/serve-store.js';
import type { ObjectInfo, ObjectStore, RangeOptions, StoreOptions } from '../../src/storage/store.js';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const end of open.splice(0)) await end.close();
});

/** A store in memory with some operations of its own, and the same served over a port. */
function served(own: (store: ObjectStore) => Partial<ObjectStore>): { store: ObjectStore; far: ObjectStore } {
  const memory = memoryStore();
  const store = Object.assign(
    {
      uri: 'own://store',
      get: memory.get.bind(memory),
      getRange: memory.getRange.bind(memory),
      getTail: memory.getTail.bind(memory),
      head: memory.head.bind(memory),
      put: memory.put.bind(memory),
      putIfAbsent: memory.putIfAbsent.bind(memory),
      list: memory.list.bind(memory),
      delete: memory.delete.bind(memory),
      close: memory.close.bind(memory),
    },
    own(memory),
  );
  const { port1, port2 } = new MessageChannel();
  const far = portStore(port2, store.uri);
  open.push(serveStore(store, port1), far);
  return { store, far };
}

const bytes = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, at) => at);

/** Resolves once `condition` holds. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setImmediate();
}

test('errors of the store arrive as they were thrown', async () => {
  const system = Object.assign(new Error('EIO: i/o error'), { code: 'EIO', syscall: 'read' });
  const failure = new SpiralError('unavailable', 'The disk failed.', { details: { path: 'a', at: 5 }, cause: system });
  const { far } = served(() => ({
    getRange: async () => {
      throw failure;
    },
    head: async () => {
      throw new TypeError('no head');
    },
  }));
  const error = await far.getRange('a', 0, 1).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(SpiralError);
  expect(error).toMatchObject({ code: 'unavailable', message: 'The disk failed.', details: { path: 'a', at: 5 } });
  expect((error as Error).cause).toMatchObject({ message: 'EIO: i/o error', code: 'EIO', syscall: 'read' });
  await expect(far.head('a')).rejects.toMatchObject({ name: 'TypeError', message: 'no head' });
});

test('ranges are handed over, and never the own bytes of a store that lends them', async () => {
  const intos: Uint8Array[] = [];
  const keeping = served((memory) => ({
    getRange: (path: string, offset: number, length: number, options?: RangeOptions) => {
      intos.push(options!.into!);
      return memory.getRange(path, offset, length, options);
    },
  }));
  await keeping.store.put('a', bytes(100));
  expect(await keeping.far.getRange('a', 10, 50)).toEqual(bytes(100).subarray(10, 60));
  expect(intos.map((into) => into.byteLength)).toEqual([0]);

  const mine = bytes(64);
  const lending = served(() => ({
    get: async () => mine,
    getTail: async () => ({ bytes: mine, size: 64 }),
    getRange: async () => mine,
  }));
  for (const got of [
    await lending.far.get('a'),
    await lending.far.getRange('a', 0, 64),
    (await lending.far.getTail('a', 64)).bytes,
  ]) {
    expect(got).toEqual(bytes(64));
    got.fill(9);
  }
  expect(mine).toEqual(bytes(64));
});

test('what is put stays the caller’s: also views of one buffer, and Buffers of the pool', async () => {
  const { far } = served(() => ({}));
  const room = Buffer.from('0123456789');
  await far.put('a', room.subarray(2, 5));
  await far.put('b', [room.subarray(0, 2), room.subarray(8)]);
  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield room.subarray(1, 3);
    room[9] = 0x41;
    yield room.subarray(9);
  }
  await far.put('c', pieces());
  expect(await far.putIfAbsent('d', room.subarray(0, 1))).toBe(true);
  expect(room.toString()).toBe('012345678A');
  const texts = await Promise.all(
    ['a', 'b', 'c', 'd'].map(async (path) => Buffer.from(await far.get(path)).toString()),
  );
  expect(texts).toEqual(['234', '0189', '12A', '0']);
});

test('no more than so many reads are with the store at once, and all are answered', async () => {
  let running = 0;
  let most = 0;
  const { store, far } = served((memory) => ({
    getRange: async (path: string, offset: number, length: number, options?: RangeOptions) => {
      most = Math.max(most, ++running);
      await sleep(1);
      running--;
      return memory.getRange(path, offset, length, options);
    },
  }));
  await store.put('a', bytes(200));
  const reads = await Promise.all(Array.from({ length: 5 * storeCallsMax }, (_, at) => far.getRange('a', at, 1)));
  expect(reads.map(([byte]) => byte)).toEqual([...bytes(5 * storeCallsMax)]);
  expect(most).toBe(storeCallsMax);
});

describe('an aborted call', () => {
  test('that reads rejects at once, whether it was sent or waits; others go on and no memory is written', async () => {
    const signals: AbortSignal[] = [];
    let answer: (() => void) | undefined;
    const { store, far } = served((memory) => ({
      getRange: async (path: string, offset: number, length: number, options?: RangeOptions) => {
        signals.push(options!.signal!);
        await new Promise<void>((resolve) => {
          const before = answer;
          answer = () => {
            before?.();
            resolve();
          };
        });
        return memory.getRange(path, offset, length, { into: options!.into });
      },
    }));
    await store.put('a', bytes(200));
    const abort = new AbortController();
    const into = new Uint8Array(10);
    const others = Array.from({ length: storeCallsMax - 1 }, (_, at) => far.getRange('a', at, 1));
    const sent = far.getRange('a', 5, 10, { signal: abort.signal, into });
    const waiting = far.getRange('a', 5, 10, { signal: abort.signal, into });
    await until(() => signals.length === storeCallsMax);
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(sent).rejects.toMatchObject({ code: 'cancelled', cause: reason });
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled', cause: reason });
    await until(() => signals.some((signal) => signal.aborted));
    expect(signals.filter((signal) => signal.aborted)).toHaveLength(1);
    answer!();
    expect((await Promise.all(others)).map(([byte]) => byte)).toEqual([...bytes(storeCallsMax - 1)]);
    answer = undefined;
    const after = far.getRange('a', 0, 1);
    await until(() => answer !== undefined);
    answer!();
    await after;
    expect(signals).toHaveLength(storeCallsMax + 1);
    expect(into).toEqual(new Uint8Array(10));
  });

  test('that writes is cancelled only where it took no effect', async () => {
    const abort = new AbortController();
    const { store, far } = served((memory) => ({
      putIfAbsent: async (path: string, body: Uint8Array) => {
        abort.abort();
        await sleep(2);
        return memory.putIfAbsent(path, body);
      },
    }));
    expect(await far.putIfAbsent('a', bytes(3), { signal: abort.signal })).toBe(true);
    expect(await store.get('a')).toEqual(bytes(3));
    await expect(far.putIfAbsent('b', bytes(3), { signal: abort.signal })).rejects.toMatchObject({ code: 'cancelled' });
    expect(await store.head('b')).toBeUndefined();
  });
});

describe('a streamed body', () => {
  test('may be read from the same store, in any number of puts at once', async () => {
    const { store, far } = served(() => ({}));
    await store.put('a', bytes(90));
    async function* copy(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < 90; at += 30) yield await far.getRange('a', at, 30);
    }
    const puts = Array.from({ length: 2 * storeCallsMax }, (_, at) => far.put(`copies/${at}`, copy()));
    await Promise.all(puts);
    for (let at = 0; at < puts.length; at++) expect(await store.get(`copies/${at}`)).toEqual(bytes(90));
  });

  test('that fails passes on the very error; one that the store refuses is told so', async () => {
    const { store, far } = served((memory) => ({
      put: async (path: string, body: never, options?: StoreOptions) => {
        if (path !== 'full') return memory.put(path, body, options);
        for await (const _ of body as AsyncIterable<Uint8Array>) {
          throw new SpiralError('storage_full', 'The disk is full.');
        }
      },
    }));
    const failure = new Error('the producer failed');
    let left = 0;
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield bytes(5);
      throw failure;
    }
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield bytes(5);
      } finally {
        left++;
      }
    }
    expect(await far.put('a', failing()).catch((error: unknown) => error)).toBe(failure);
    expect(await store.head('a')).toBeUndefined();
    await expect(far.put('full', endless())).rejects.toMatchObject({ code: 'storage_full' });
    expect(left).toBe(1);
  });
});

describe('a list', () => {
  const info = (at: number): ObjectInfo => ({ path: `${at}`, size: at, modifiedMs: at, etag: `${at}` });

  test('comes whole in pages, and fails behind what came before', async () => {
    const failure = new SpiralError('unavailable', 'The list broke off.', { details: { at: 3 } });
    const { far } = served(() => ({
      list: async function* (prefix: string) {
        const count = Number(prefix);
        for (let at = 0; at < count; at++) yield { ...info(at), more: () => {} };
        if (count === 3) throw failure;
      },
    }));
    for (const count of [0, 1, listPageMax - 1, listPageMax, listPageMax + 1, 3 * listPageMax]) {
      const infos: ObjectInfo[] = [];
      for await (const found of far.list(`${count}`)) infos.push(found);
      expect(infos).toEqual(Array.from({ length: count }, (_, at) => info(at)));
    }
    const infos: ObjectInfo[] = [];
    const broken = (async () => {
      for await (const found of far.list('3')) infos.push(found);
    })();
    await expect(broken).rejects.toMatchObject({ code: 'unavailable', details: { at: 3 } });
    expect(infos).toHaveLength(3);
  });

  test('that is left early is left in the store, too', async () => {
    let ended = false;
    const { far } = served(() => ({
      list: async function* () {
        try {
          for (let at = 0; ; at++) yield info(at);
        } finally {
          ended = true;
        }
      },
    }));
    for await (const found of far.list('')) if (found.size > listPageMax) break;
    await until(() => ended);
  });
});

test('closing either end rejects what is under way, and aborts it in the store', async () => {
  for (const closeStore of [true, false]) {
    const signals: AbortSignal[] = [];
    const store: Partial<ObjectStore> = {
      get: (_, options) => {
        signals.push(options!.signal!);
        return new Promise(() => {});
      },
    };
    const { port1, port2 } = new MessageChannel();
    const server = serveStore(store as ObjectStore, port1);
    const far = portStore(port2, 'own://hanging');
    const reads = Array.from({ length: storeCallsMax + 5 }, () => far.get('a').catch((error: unknown) => error));
    await until(() => signals.length === storeCallsMax);
    if (closeStore) await far.close();
    else server.close();
    for (const error of await Promise.all(reads)) expect(error).toMatchObject({ code: 'closed' });
    await until(() => signals.every((signal) => signal.aborted));
    await expect(far.get('a')).rejects.toMatchObject({ code: 'closed' });
  }
});

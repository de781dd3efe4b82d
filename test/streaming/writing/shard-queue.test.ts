import { describe, expect, it } from 'vitest';
import { macrotask, sleep } from '../../../src/core/runtime.js';
import { GrowingBytes } from '../../../src/format/growing-bytes.js';
import { memoryStore } from '../../../src/storage/memory-store.js';
import type { ObjectInfo, ObjectStore, PutBody, RangeOptions, StoreOptions } from '../../../src/storage/store.js';
import { MdsLayout } from '../../../src/streaming/writing/mds-layout.js';
import { ShardQueue } from '../../../src/streaming/writing/shard-queue.js';
import {
  type WriterOptions,
  type WriterSettings,
  writerSettings,
} from '../../../src/streaming/writing/writer-settings.js';
import { WriterTarget } from '../../../src/streaming/writing/writer-target.js';
import { refusal } from '../../client/spiral-at.js';

/** Puts of shards wait until they are let through; `waiting` and `most` count them. */
class GatedStore implements ObjectStore {
  readonly #store = memoryStore();
  readonly uri: string = this.#store.uri;
  readonly #gates: (() => void)[] = [];
  most = 0;

  get waiting(): number {
    return this.#gates.length;
  }

  /** Lets a put through: that which waits longest, or a later one. */
  open(at = 0): void {
    this.#gates.splice(at, 1)[0]?.();
  }

  async put(path: string, body: PutBody, options?: StoreOptions): Promise<void> {
    if (path.startsWith('shard')) {
      const passed = new Promise<void>((go) => this.#gates.push(go));
      this.most = Math.max(this.most, this.#gates.length);
      await passed;
    }
    await this.#store.put(path, body, options);
  }

  get(path: string, options?: StoreOptions): Promise<Uint8Array> {
    return this.#store.get(path, options);
  }

  getRange(path: string, offset: number, length: number, options?: RangeOptions): Promise<Uint8Array> {
    return this.#store.getRange(path, offset, length, options);
  }

  getTail(path: string, length: number, options?: StoreOptions): Promise<{ bytes: Uint8Array; size: number }> {
    return this.#store.getTail(path, length, options);
  }

  head(path: string, options?: StoreOptions): Promise<ObjectInfo | undefined> {
    return this.#store.head(path, options);
  }

  putIfAbsent(path: string, body: Uint8Array, options?: StoreOptions): Promise<boolean> {
    return this.#store.putIfAbsent(path, body, options);
  }

  list(prefix: string, options?: StoreOptions): AsyncIterable<ObjectInfo> {
    return this.#store.list(prefix, options);
  }

  delete(path: string, options?: StoreOptions): Promise<void> {
    return this.#store.delete(path, options);
  }

  async close(): Promise<void> {}
}

const settingsOf = (options: Partial<WriterOptions>): WriterSettings =>
  writerSettings('the test', { out: 'none', columns: { id: 'int' }, ...options }, []);

function queueOver(
  store: ObjectStore,
  options: Partial<WriterOptions>,
): { queue: ShardQueue; add: (id: number) => void } {
  const settings = settingsOf(options);
  const layout = new MdsLayout({ id: 'int' }, settings.common);
  const queue = new ShardQueue(new WriterTarget([store]), layout, settings);
  const add = (id: number): void => {
    const bytes = new GrowingBytes(16);
    layout.append({ id }, bytes);
    queue.add(bytes.bytes.subarray(0, bytes.length), [0]);
  };
  return { queue, add };
}

async function pathsOf(store: ObjectStore): Promise<string[]> {
  const found: string[] = [];
  for await (const { path } of store.list('')) found.push(path);
  return found;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(1);
}

describe('the shards of a writer', () => {
  it('are stored several at once, never more than `maxWorkers`, and there is no room for more meanwhile', async () => {
    const store = new GatedStore();
    const { queue, add } = queueOver(store, { maxWorkers: 3 });
    await queue.begin();
    let added = 0;
    const adding = (async () => {
      for (; added < 20; added++) {
        add(added);
        await queue.room();
      }
    })();
    for (let stored = 0; stored < 20; stored++) {
      const most = Math.min(stored + 3, 20);
      await until(() => store.waiting === most - stored);
      for (let turn = 0; turn < 5; turn++) await macrotask();
      expect(added).toBeLessThan(stored + 3);
      store.open();
    }
    await adding;
    await queue.finish();
    expect(store.most).toBe(3);
    expect(queue.shards).toBe(20);
  });

  it('that lie behind one that never came are taken away; those before it stay, with a checkpoint', async () => {
    const store = new GatedStore();
    const { queue, add } = queueOver(store, { maxWorkers: 4 });
    await queue.begin();
    for (let id = 0; id < 4; id++) add(id);
    await until(() => store.waiting === 4);
    // All but shard 2, which is then cancelled.
    for (const at of [0, 0, 1]) store.open(at);
    await until(() => queue.shards === 2);
    for (let turn = 0; turn < 20; turn++) await macrotask();
    expect(await pathsOf(store)).toContain('shard.00003.mds');
    const ending = queue.abandon(false);
    store.open();
    await ending;
    expect(await pathsOf(store)).toEqual(['shard.00000.mds', 'shard.00001.mds', 'writer.checkpoint']);
    expect((await refusal(queue.finish())).code).toBe('cancelled');
  });
});

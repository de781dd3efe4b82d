import { describe, expect, it } from 'vitest';
import { fileStore } from '../../src/storage/file-store.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import { retryStore } from '../../src/storage/retry-store.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { type FaultPlan, faultStore, isCrash } from '../../src/testing/fault-store.js';
import { temporaryFolder } from './temporary-folder.js';

const bytes = (size: number): Uint8Array => new Uint8Array(size).fill(7);

async function* streamed(): AsyncGenerator<Uint8Array> {
  yield bytes(10);
  yield bytes(10);
}

/** Five operations: a streamed file, a whole file, a look, a commit, a removal. */
async function job(store: ObjectStore): Promise<void> {
  await store.put('data/a', streamed());
  await store.put('data/b', bytes(20));
  await store.head('data/a');
  await store.putIfAbsent('log/1', bytes(5));
  await store.delete('data/b');
}

async function contentOf(store: ObjectStore): Promise<string[]> {
  const found: string[] = [];
  for await (const info of store.list('')) found.push(`${info.path}:${info.size}`);
  return found;
}

const stages = [
  [],
  ['data/a:20'],
  ['data/a:20', 'data/b:20'],
  ['data/a:20', 'data/b:20'],
  ['data/a:20', 'data/b:20', 'log/1:5'],
  ['data/a:20', 'log/1:5'],
];

describe('a crash', () => {
  it.each(['before', 'during', 'after'] as const)(
    'at every operation (%s it) leaves a whole stage of the job',
    async (crash) => {
      await using folder = await temporaryFolder();
      const whole = faultStore(memoryStore());
      await job(whole);
      expect(whole.operations).toBe(5);
      for (let at = 1; at <= whole.operations; at++) {
        const survivor = fileStore(`${folder.path}/${at}`);
        const store = faultStore(survivor, { crashAfter: at, crash });
        const error = await job(store).catch((reason: unknown) => reason);
        expect(isCrash(error)).toBe(true);
        expect(store.crashed).toBe(true);
        expect(store.operations).toBe(at);
        await expect(store.get('data/a')).rejects.toSatisfy(isCrash);
        await expect(contentOf(store)).rejects.toSatisfy(isCrash);
        await store.close();
        expect(await contentOf(survivor)).toEqual(stages[crash === 'after' ? at : at - 1]);
        await survivor.close();
      }
    },
  );

  it('refuses the answers of operations that are under way', async () => {
    const inner = memoryStore();
    const store = faultStore(inner, { crashAfter: 3 });
    const outcomes = await Promise.allSettled(['a', 'b', 'c', 'd'].map((path) => store.put(path, bytes(1))));
    expect(outcomes.every((outcome) => outcome.status === 'rejected' && isCrash(outcome.reason))).toBe(true);
    expect(await contentOf(inner)).toEqual(['a:1', 'b:1']);
  });
});

describe('faults by plan', () => {
  async function outcomesOf(plan: FaultPlan): Promise<{ failed: boolean[]; kept: boolean[] }> {
    const inner = memoryStore();
    const store = faultStore(inner, plan);
    const paths = Array.from({ length: 200 }, (_, at) => `o/${at}`);
    const outcomes = await Promise.allSettled(paths.map((path) => store.putIfAbsent(path, bytes(1))));
    const kept = await Promise.all(paths.map(async (path) => (await inner.head(path)) !== undefined));
    return { failed: outcomes.map((outcome) => outcome.status === 'rejected'), kept };
  }

  it('repeat for one seed and differ for another', async () => {
    const first = await outcomesOf({ seed: 1, failShare: 0.3 });
    expect(await outcomesOf({ seed: 1, failShare: 0.3 })).toEqual(first);
    expect(await outcomesOf({ seed: 2, failShare: 0.3 })).not.toEqual(first);
  });

  it('that fail take no effect, and those that lose the answer do', async () => {
    const failing = await outcomesOf({ failShare: 0.5 });
    expect(failing.kept).toEqual(failing.failed.map((failed) => !failed));
    expect(new Set(failing.failed).size).toBe(2);
    const losing = await outcomesOf({ loseAnswerShare: 0.5, delayMsMax: 2 });
    expect(losing.kept.every(Boolean)).toBe(true);
    expect(new Set(losing.failed).size).toBe(2);
  });

  it('that break off have read a part, and written nothing', async () => {
    const inner = memoryStore();
    for (let at = 0; at < 20; at++) await inner.put(`o/${at}`, bytes(1000));
    const before = await contentOf(inner);
    const store = faultStore(inner, { truncateShare: 1 });
    const into = new Uint8Array(1000);
    const listed: string[] = [];
    const all = async (): Promise<void> => {
      for await (const { path } of store.list('')) listed.push(path);
    };
    const broken = [store.get('o/1'), store.getTail('o/1', 10), store.getRange('o/1', 0, 1000, { into }), all()];
    const written = [store.put('o/1', bytes(5)), store.put('new', streamed()), store.putIfAbsent('new', bytes(5))];
    for (const work of [...broken, ...written, store.head('o/1'), store.delete('o/1')]) {
      await expect(work).rejects.toMatchObject({ code: 'unavailable' });
    }
    expect(into.lastIndexOf(7)).toBeLessThan(999);
    expect(listed.length).toBeLessThan(20);
    expect(await contentOf(inner)).toEqual(before);
    expect((await inner.get('o/1')).length).toBe(1000);
  });

  it('are got over by trying again, whatever broke off', async () => {
    const inner = memoryStore();
    const plan = { seed: 3, failShare: 0.1, loseAnswerShare: 0.1, truncateShare: 0.3, keepLog: false };
    const faults = faultStore(inner, { ...plan, spikeShare: 0.01, spikeMs: 20 });
    const store = retryStore(faults, { triesMax: 100, backoffMs: 0, savedMax: 1e6 });
    const bodyOf = (at: number): Uint8Array => new Uint8Array(100).fill(at);
    for (let at = 0; at < 100; at++) await store.put(`o/${at}`, bodyOf(at));
    const into = new Uint8Array(50);
    for (let at = 0; at < 100; at++) {
      expect(await store.get(`o/${at}`)).toEqual(bodyOf(at));
      expect(await store.getRange(`o/${at}`, 25, 50, { into })).toEqual(bodyOf(at).subarray(0, 50));
      expect(await store.putIfAbsent(`p/${at}`, bodyOf(at))).toBe(true);
    }
    expect(await contentOf(store)).toEqual(await contentOf(inner));
    expect(faults.log).toEqual([]);
    expect(faults.operations).toBeGreaterThan(500);
  });

  it('apply only to the operations that are chosen, and are logged', async () => {
    const store = faultStore(memoryStore(), { failShare: 1, only: ({ op, path }) => op === 'get' && path === 'a' });
    await store.put('a', bytes(1));
    await store.put('b', bytes(1));
    await expect(store.get('a')).rejects.toMatchObject({ code: 'unavailable' });
    expect(await store.get('b')).toEqual(bytes(1));
    expect(await contentOf(store)).toEqual(['a:1', 'b:1']);
    expect(store.log).toEqual([
      { op: 'put', path: 'a' },
      { op: 'put', path: 'b' },
      { op: 'get', path: 'a' },
      { op: 'get', path: 'b' },
      { op: 'list', path: '' },
    ]);
  });
});

import { describe, expect, it } from 'vitest';
import { diagnosis, nodeFinding } from '../../src/client/diagnosis.js';
import { uniqueId } from '../../src/core/random.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { faultStore } from '../../src/testing/fault-store.js';

const states = async (store: ObjectStore): Promise<Record<string, string>> =>
  Object.fromEntries((await diagnosis(() => store)).map(({ check, state }) => [check, state]));

describe('diagnosis', () => {
  it('finds a store that works, and leaves nothing in it', async () => {
    const store = memoryStore(uniqueId('diagnosis-'));
    expect(await states(store)).toMatchObject({
      'Node.js': 'ok',
      store: 'ok',
      'write and read': 'ok',
      'conditional write': 'ok',
      clock: 'ok',
      delete: 'ok',
    });
    for await (const { path } of store.list('')) throw new Error(`${path} was left.`);
  });

  it('finds a store on which two writers win', async () => {
    const store = memoryStore(uniqueId('diagnosis-'));
    const loose = Object.assign(Object.create(store) as ObjectStore, { putIfAbsent: async () => true });
    for (const name of ['put', 'getRange', 'head', 'delete', 'list'] as const) {
      Object.assign(loose, { [name]: (store[name] as () => unknown).bind(store) });
    }
    expect((await states(loose))['conditional write']).toBe('failed');
  });

  it('finds a store that fails, without an error', async () => {
    const store = faultStore(memoryStore(uniqueId('diagnosis-')), { seed: 1, failShare: 1 });
    const found = await states(store);
    expect(Object.values(found)).toContain('failed');
  });

  it.each([
    ['20.14.9', 'failed'],
    ['18.20.0', 'failed'],
    ['20.15.0', 'ok'],
    ['22.1.0', 'ok'],
  ])('of Node.js %s: %s', (version, state) => {
    expect(nodeFinding(version).state).toBe(state);
  });
});

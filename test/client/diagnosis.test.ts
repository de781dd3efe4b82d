import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cacheFindings } from '../../src/client/cache-findings.js';
import { diagnosis, nodeFinding } from '../../src/client/diagnosis.js';
import { uniqueId } from '../../src/core/random.js';
import { Spiral } from '../../src/index.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { faultStore } from '../../src/testing/fault-store.js';
import { temporaryFolder } from '../storage/temporary-folder.js';

const states = async (store: ObjectStore): Promise<Record<string, string>> =>
  Object.fromEntries((await diagnosis(() => store, {})).map(({ check, state }) => [check, state]));

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

  it('finds folders of caches that can be written, and leaves nothing in them, and such as cannot', async () => {
    await using place = await temporaryFolder();
    const file = join(place.path, 'file');
    await writeFile(file, '');
    const memory = { memoryBytesMax: 0, diskBytesMax: 2 ** 30 };
    const good = join(place.path, 'new', 'er');
    const findings = await cacheFindings({
      keys: { ...memory, folder: good },
      manifests: { ...memory, folder: join(file, 'below') },
      fragments: { ...memory, folder: good },
    });
    expect(findings.map(({ check, state }) => [check, state])).toEqual([
      ['cache of keys, fragments', 'ok'],
      ['cache of manifests', 'note'],
    ]);
    expect(findings[1]!.found).toContain('ENOTDIR');
    expect(findings[1]!.remedy).toContain('manifests_cache.disk_path');
    expect(await readdir(place.path)).toEqual(['file']);
    expect(await cacheFindings({ keys: { ...memory, diskBytesMax: 0, folder: file }, manifests: undefined })).toEqual(
      [],
    );
    await using spiral = new Spiral({
      config: { 'warehouse.uri': join(place.path, 'warehouse'), 'keys_cache.disk_path': join(file, 'below') },
    });
    const found = (await spiral.diagnose()).find(({ check }) => check === 'cache of keys');
    expect(found).toMatchObject({ state: 'note' });
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

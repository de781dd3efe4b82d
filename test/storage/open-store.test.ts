import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { fileStore } from '../../src/storage/file-store.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import { openStore } from '../../src/storage/open-store.js';
import { subStore } from '../../src/storage/sub-store.js';
import { temporaryFolder } from './temporary-folder.js';

const one = new Uint8Array([1]);

describe('openStore', () => {
  it('opens plain paths, file:// and the uri of a store alike', async () => {
    await using folder = await temporaryFolder();
    const place = join(folder.path, 'a b#c%20?é');
    const store = openStore(place);
    await store.put('deep/er x/y', one);
    for (const uri of [`${place}/`, pathToFileURL(place).href, store.uri, `${store.uri}/`]) {
      expect(await openStore(uri).get('deep/er x/y'), uri).toEqual(one);
    }
    expect(await openStore(subStore(store, 'deep/er x').uri).get('y')).toEqual(one);
    expect(await openStore(join(place, 'deep')).get('er x/y')).toEqual(one);
  });

  it('resolves relative paths from the working directory', () => {
    expect(openStore('data/x').uri).toBe(pathToFileURL(join(process.cwd(), 'data/x')).href);
    expect(openStore('.').uri).toBe(pathToFileURL(process.cwd()).href);
    expect(openStore('/').uri).toBe('file:///');
  });

  it('opens memory by name, with a prefix, in the same thread', async () => {
    const store = openStore('memory://open-store-test');
    await store.put('a b/c', one);
    expect(await openStore('memory://open-store-test/a%20b').get('c')).toEqual(one);
    expect(await openStore('memory://open-store-test/a%20b/').get('c')).toEqual(one);
    expect(await openStore(subStore(store, 'a b').uri).get('c')).toEqual(one);
    expect(await memoryStore('open-store-test').get('a b/c')).toEqual(one);
    await expect(openStore('memory://open-store-other').get('a b/c')).rejects.toMatchObject({ code: 'not_found' });
    await expect(memoryStore().get('a b/c')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('refuses other schemes, naming what is supported and no credentials', () => {
    let found: Error | undefined;
    try {
      openStore('ftp://user:password@host/x?token=abc');
    } catch (error) {
      found = error as Error;
    }
    expect(found).toMatchObject({ code: 'unsupported', details: { scheme: 'ftp' } });
    expect(found?.message).toContain('file://');
    expect(found?.message).not.toMatch(/password|token|host/);
  });

  it('refuses what is no uri', () => {
    const wrong = [
      '',
      undefined,
      5,
      'memory://',
      'memory:///x',
      'memory://a/%zz',
      'file://host/x',
      'file:///a?b',
      'file:///a#b',
    ];
    for (const uri of wrong as string[]) {
      expect(() => openStore(uri), uri).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
    }
    expect(() => openStore('memory://a/../b')).toThrow(expect.objectContaining({ code: 'path_outside_root' }));
  });
});

describe('subStore', () => {
  it('leaves the store open that it is a view of', async () => {
    const store = memoryStore();
    const view = subStore(store, 'a');
    await view.put('b', one);
    await view.close();
    expect(await store.get('a/b')).toEqual(one);
    await expect(view.get('b')).rejects.toMatchObject({ code: 'closed' });
  });

  it('refuses a prefix that leads out', async () => {
    await using folder = await temporaryFolder();
    expect(() => subStore(fileStore(folder.path), '../x')).toThrow(
      expect.objectContaining({ code: 'path_outside_root' }),
    );
  });
});

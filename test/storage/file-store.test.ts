import { chmod, mkdir, readdir, readFile, readlink, rename, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openFilesMax } from '../../src/core/limits.js';
import { fileStore } from '../../src/storage/file-store.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { race } from './races.js';
import { temporaryFolder } from './temporary-folder.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (found: Uint8Array): string => new TextDecoder().decode(found);

async function pathsOf(store: ObjectStore, prefix = ''): Promise<string[]> {
  const paths: string[] = [];
  for await (const info of store.list(prefix)) paths.push(info.path);
  return paths;
}

/** The files below `folder` that this process has open. */
async function openBelow(folder: string): Promise<string[]> {
  const descriptors = await readdir('/proc/self/fd');
  const places = await Promise.all(descriptors.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
  return places.filter((place) => place.startsWith(`${folder}/`));
}

describe('putIfAbsent', () => {
  it('has one winner a name among twenty writers in four processes', async () => {
    await using folder = await temporaryFolder();
    await race(folder.path, 4, 5, 50);
    expect(await readdir(join(folder.path, '.tmp'))).toEqual([]);
  });
});

describe('temporaries', () => {
  it('are gone after success, loss and failure', async () => {
    await using folder = await temporaryFolder();
    const store = fileStore(join(folder.path, 'made/by/the/store'));
    const temporaries = (): Promise<string[]> => readdir(join(folder.path, 'made/by/the/store/.tmp'));
    await store.put('a', bytes('a'));
    expect(await store.putIfAbsent('a', bytes('b'))).toBe(false);
    const failure = new Error('the producer failed');
    const failing = (async function* () {
      yield bytes('half');
      expect(await temporaries()).toHaveLength(1);
      throw failure;
    })();
    await expect(store.put('b', failing)).rejects.toBe(failure);
    await store.put('folder/x', bytes('x'));
    await expect(store.put('folder', bytes('y'))).rejects.toMatchObject({ code: 'already_exists' });
    await expect(store.put('a/below', bytes('y'))).rejects.toMatchObject({ code: 'already_exists' });
    await expect(store.put('n'.repeat(300), bytes('y'))).rejects.toMatchObject({ code: 'invalid_argument' });
    expect(await temporaries()).toEqual([]);
    expect(await pathsOf(store)).toEqual(['a', 'folder/x']);
    await store.close();
  });

  it('have the mode that the process gives its files, from the first byte on', async () => {
    await using folder = await temporaryFolder();
    const before = process.umask(0o077);
    try {
      const store = fileStore(folder.path);
      let mode = 0;
      await store.put(
        'a',
        (async function* () {
          yield bytes('x');
          const [name] = await readdir(join(folder.path, '.tmp'));
          mode = (await stat(join(folder.path, '.tmp', name!))).mode & 0o777;
        })(),
      );
      expect([mode, (await stat(join(folder.path, 'a'))).mode & 0o777]).toEqual([0o600, 0o600]);
      await store.close();
    } finally {
      process.umask(before);
    }
  });

  it('of dead processes are removed by the first write once they are a day old', async () => {
    await using folder = await temporaryFolder();
    await mkdir(join(folder.path, '.tmp'));
    await writeFile(join(folder.path, '.tmp/old'), 'x');
    await writeFile(join(folder.path, '.tmp/young'), 'x');
    await utimes(join(folder.path, '.tmp/old'), 1e9, 1e9);
    const store = fileStore(folder.path);
    expect(await pathsOf(store)).toEqual([]);
    await store.put('a', bytes('a'));
    expect(await readdir(join(folder.path, '.tmp'))).toEqual(['young']);
    await store.close();
  });
});

describe('links', () => {
  it('in place of the folder of unfinished files have nothing deleted or written elsewhere', async () => {
    await using folder = await temporaryFolder();
    for (const [name, target] of [
      ['outside', '../others'],
      ['inside', 'data'],
    ] as const) {
      const root = join(folder.path, name);
      await mkdir(root);
      await mkdir(join(root, target), { recursive: true });
      await writeFile(join(root, target, 'old'), 'x');
      await utimes(join(root, target, 'old'), 1e9, 1e9);
      await symlink(target, join(root, '.tmp'));
      const store = fileStore(root);
      const put = store.put('a', bytes('a'));
      if (name === 'outside') await expect(put).rejects.toMatchObject({ code: 'path_outside_root' });
      else await put;
      expect(await readdir(join(root, target)), name).toEqual(['old']);
      await store.close();
    }
  });

  it('that lead out of the root are refused', async () => {
    await using folder = await temporaryFolder();
    const root = join(folder.path, 'root');
    await mkdir(join(folder.path, 'root-beside'), { recursive: true });
    await mkdir(root);
    await writeFile(join(folder.path, 'root-beside/secret'), 'secret');
    await symlink('../root-beside/secret', join(root, 'file'));
    await symlink('../root-beside', join(root, 'folder'));
    const store = fileStore(root);
    const refused = { code: 'path_outside_root', kind: 'denied' };
    for (const path of ['file', 'folder/secret']) {
      await expect(store.get(path)).rejects.toMatchObject(refused);
      await expect(store.getRange(path, 0, 1)).rejects.toMatchObject(refused);
      await expect(store.getTail(path, 1)).rejects.toMatchObject(refused);
      await expect(store.head(path)).rejects.toMatchObject(refused);
    }
    for (const path of ['folder/new', 'folder/new/deep', 'folder/secret']) {
      await expect(store.put(path, bytes('x'))).rejects.toMatchObject(refused);
      await expect(store.putIfAbsent(path, bytes('x'))).rejects.toMatchObject(refused);
    }
    await expect(store.delete('folder/secret')).rejects.toMatchObject(refused);
    await expect(pathsOf(store)).rejects.toMatchObject(refused);
    await expect(pathsOf(store, 'folder/')).rejects.toMatchObject(refused);
    expect(await readdir(join(folder.path, 'root-beside'))).toEqual(['secret']);
    // Deleting or replacing the link itself touches nothing outside.
    await store.delete('file');
    expect(await readFile(join(folder.path, 'root-beside/secret'), 'utf8')).toBe('secret');
    await store.close();
  });

  it('inside the root, and to the root, are followed; linked folders are not listed twice', async () => {
    await using folder = await temporaryFolder();
    const root = join(folder.path, 'root');
    await mkdir(join(root, 'real'), { recursive: true });
    await writeFile(join(root, 'real/a'), 'content');
    await symlink('real', join(root, 'linked'));
    await symlink('real/a', join(root, 'z'));
    await symlink('nowhere', join(root, 'dangling'));
    await symlink(root, join(folder.path, 'entrance'));
    const store = fileStore(join(folder.path, 'entrance'));
    expect(text(await store.get('linked/a'))).toBe('content');
    expect(text(await store.getRange('z', 0, 3))).toBe('con');
    expect(await pathsOf(store)).toEqual(['real/a', 'z']);
    expect(await store.head('dangling')).toBeUndefined();
    await store.close();
  });
});

describe('reading', () => {
  it.skipIf(process.platform !== 'linux')(
    'of 1,000 files keeps a bounded number open, and none after close',
    async () => {
      await using folder = await temporaryFolder();
      const names = Array.from({ length: 1000 }, (_, at) => `f${at}`);
      for (const name of names) await writeFile(join(folder.path, name), `content of ${name}`);
      const store = fileStore(folder.path);
      const read = async (name: string): Promise<string> =>
        text(await store.getRange(name, 0, `content of ${name}`.length));
      for (let turn = 0; turn < 2; turn++) {
        expect(await Promise.all(names.map(read))).toEqual(names.map((name) => `content of ${name}`));
        const open = (await openBelow(folder.path)).length;
        expect(open).toBeGreaterThan(0);
        expect(open).toBeLessThanOrEqual(openFilesMax);
      }
      expect((await Promise.all(names.map((name) => store.get(name)))).map(text)).toEqual(
        names.map((name) => `content of ${name}`),
      );
      await store.close();
      expect(await openBelow(folder.path)).toEqual([]);
    },
  );

  it('sees what another store of this process has put or deleted', async () => {
    await using folder = await temporaryFolder();
    await mkdir(join(folder.path, 'below'));
    const reader = fileStore(folder.path);
    const writer = fileStore(join(folder.path, 'below'));
    await writer.put('a', bytes('one'));
    expect(text(await reader.getRange('below/a', 0, 3))).toBe('one');
    await writer.put('a', bytes('two'));
    expect(text(await reader.getRange('below/a', 0, 3))).toBe('two');
    await writer.delete('a');
    await expect(reader.getRange('below/a', 0, 3)).rejects.toMatchObject({ code: 'not_found' });
    await reader.close();
    await writer.close();
  });

  it('sees what another process has put through get and getTail, and ranges follow the tail', async () => {
    await using folder = await temporaryFolder();
    const store = fileStore(folder.path);
    const replaceFromOutside = async (content: string): Promise<void> => {
      await writeFile(join(folder.path, 'aside'), content);
      await rename(join(folder.path, 'aside'), join(folder.path, 'a'));
    };
    await replaceFromOutside('one');
    expect(text(await store.getRange('a', 0, 3))).toBe('one');
    await replaceFromOutside('two');
    expect(text(await store.get('a'))).toBe('two');
    expect(text((await store.getTail('a', 3)).bytes)).toBe('two');
    expect(text(await store.getRange('a', 0, 3))).toBe('two');
    await store.close();
  });

  it('names file, place and remedy of a truncated file', async () => {
    await using folder = await temporaryFolder();
    const store = fileStore(folder.path);
    await store.put('data/a', bytes('0123456789'));
    await expect(store.getRange('data/a', 8, 5)).rejects.toMatchObject({
      code: 'corrupt_file',
      details: { reason: 'truncated', path: 'data/a', offset: 8, expected: 5, found: 2 },
      message: expect.stringMatching(/data\/a.*found 2.*Restore/),
    });
    await store.close();
  });

  // Root may do everything, so there is nothing to refuse; file-errors.test.ts covers the wording for it too.
  it.skipIf(process.getuid?.() === 0)('without the right to is permission_denied (skipped for root)', async () => {
    await using folder = await temporaryFolder();
    const store = fileStore(folder.path);
    await store.put('a', bytes('a'));
    await chmod(join(folder.path, 'a'), 0);
    await expect(store.get('a')).rejects.toMatchObject({ code: 'permission_denied' });
    await chmod(folder.path, 0o500);
    await expect(store.put('new/b', bytes('b'))).rejects.toMatchObject({ code: 'permission_denied' });
    await chmod(folder.path, 0o700);
    await store.close();
  });

  it('of a root that does not exist finds nothing, and makes nothing', async () => {
    await using folder = await temporaryFolder();
    const store = fileStore(join(folder.path, 'no/such'));
    await expect(store.get('a')).rejects.toMatchObject({ code: 'not_found' });
    expect(await pathsOf(store)).toEqual([]);
    await store.delete('a');
    await store.close();
    expect(await readdir(folder.path)).toEqual([]);
  });
});

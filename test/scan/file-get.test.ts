import { execFileSync } from 'node:child_process';
import { mkdir, symlink, utimes, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { fileGet } from '../../src/scan/file-get.js';
import { temporaryFolder } from '../storage/temporary-folder.js';

const temporary = await temporaryFolder();
afterAll(() => temporary[Symbol.asyncDispose]());
const at = (name: string): string => join(temporary.path, name);
await mkdir(at('open'));
await mkdir(at('open-not'));
await writeFile(at('open/cat ä.txt'), 'meow');
await writeFile(at('open/empty'), '');
await writeFile(at('open/big'), Buffer.alloc(2001));
await writeFile(at('open/..dots'), 'dots');
await writeFile(at('open-not/secret'), 'secret');
await symlink(at('open-not/secret'), at('open/link'));
await symlink(at('open-not'), at('open/folder-link'));
await symlink(at('open/cat ä.txt'), at('open/inner-link'));
await symlink(at('open'), at('linked'));
execFileSync('mkfifo', [at('open/pipe')]);
await utimes(at('open/cat ä.txt'), 1000, 1000);
const get = (path: string): ReturnType<typeof fileGet> => fileGet(path, [at('open')], 2000);

describe('a fetch of a file', () => {
  it('gives its bytes, by path or URL', async () => {
    const path = at('open/cat ä.txt');
    const location = pathToFileURL(path).href;
    const cat = {
      bytes: Buffer.from('meow'),
      location,
      lastModified: 1_000_000,
      eTag: null,
      version: null,
      status: 200,
    };
    expect(await get(path)).toEqual(cat);
    expect(await get(location)).toEqual(cat);
    expect(await get(relative(process.cwd(), path))).toEqual(cat);
    expect(await get(at('open/inner-link'))).toMatchObject({ bytes: Buffer.from('meow') });
    expect(await get(at('open/empty'))).toMatchObject({ bytes: Buffer.alloc(0), status: 200 });
    expect(await get(at('open/..dots'))).toMatchObject({ bytes: Buffer.from('dots') });
    expect(await fileGet(at('linked/empty'), [at('linked')])).toMatchObject({ status: 200 });
  });

  it.each([
    ['open/none', 404],
    ['open/empty/below', 404],
    ['open', 400],
    ['open/pipe', 400],
    ['open/big', 413],
    [`open/${'x'.repeat(300)}`, 400],
    ['open-not/secret', 403],
    ['open-not/none', 403],
    ['open/../open-not/secret', 403],
    ['open/link', 403],
    ['open/folder-link/secret', 403],
  ] as const)('of %s fails with %i', async (name, status) => {
    expect(await get(`${temporary.path}/${name}`)).toMatchObject({ bytes: null, status });
  });

  it('of what is no path fails', async () => {
    for (const path of ['', 'a\0b', 'file://host/a', 'file:///%00', 'file:///a%2Fb']) {
      expect(await get(path)).toMatchObject({ bytes: null, location: path, status: 400 });
    }
    expect(await get('/etc/passwd')).toMatchObject({ status: 403 });
  });
});

import { mkdir, rmdir, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { uniqueId } from '../core/random.js';
import type { CacheName, StoreCacheSettings } from '../storage/store-caches.js';
import type { Finding } from './diagnosis.js';

/**
 * Whether the folders of the caches on disk can be written, a finding for each. Without one everything works, but far stores
 * are asked again for what they gave before: a note. Leaves nothing behind.
 */
export async function cacheFindings(caches: StoreCacheSettings): Promise<Finding[]> {
  const users = new Map<string, CacheName[]>();
  for (const [name, settings] of Object.entries(caches) as [CacheName, StoreCacheSettings[CacheName]][]) {
    if (settings === undefined || settings.diskBytesMax === 0) continue;
    users.set(settings.folder, [...(users.get(settings.folder) ?? []), name]);
  }
  return Promise.all(Array.from(users, ([folder, names]) => folderFinding(folder, names)));
}

async function folderFinding(folder: string, names: readonly CacheName[]): Promise<Finding> {
  const check = `cache of ${names.join(', ')}`;
  try {
    await tryFolder(folder);
    return { check, state: 'ok', found: `${folder} can be written`, remedy: null };
  } catch (error) {
    const settings = names.map((name) => `${name}_cache.disk_path`).join(', ');
    return {
      check,
      state: 'note',
      found: `${folder} cannot be written (${(error as NodeJS.ErrnoException).code}), so nothing is cached on disk`,
      remedy: `Mend its rights, or name another folder in ${settings}`,
    };
  }
}

/** Writes a file as the cache does, and takes away what was made for it. */
async function tryFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 });
  const probe = join(folder, uniqueId('diagnosis-'));
  try {
    await writeFile(probe, 'x', { flag: 'wx', mode: 0o600 });
    await unlink(probe);
  } finally {
    if (first !== undefined) await removeEmpty(folder, first);
  }
}

/** Folders from `folder` up to `first`, as long as nobody else has put anything there. */
async function removeEmpty(folder: string, first: string): Promise<void> {
  try {
    for (let at = folder; at.length >= first.length; at = dirname(at)) await rmdir(at);
  } catch {
    // Somebody uses it by now.
  }
}

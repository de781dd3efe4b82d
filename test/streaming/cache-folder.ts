import { type Dirent, readdirSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { sleep } from '../../src/core/runtime.js';

/** Files below `folder` by inode, so that one that is moved meanwhile counts once; the cache's own books are left out. */
function look(folder: string, found: Map<number, number> = new Map()): Map<number, number> {
  let entries: Dirent[] = [];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    // Gone meanwhile.
  }
  for (const entry of entries) {
    const place = join(folder, entry.name);
    if (entry.isDirectory() && !place.endsWith('.spiral-cache/members')) look(place, found);
    const stats = entry.isFile() ? statSync(place, { throwIfNoEntry: false }) : undefined;
    if (stats !== undefined && !/\.spiral-cache\/[^/]*$/.test(place)) found.set(stats.ino, stats.size);
  }
  return found;
}

/**
 * Bytes of all files of a cache folder, those that are being downloaded too; undefined where they changed while they were
 * counted, as what went and what came in its place would both count then.
 */
export function bytesIn(folder: string): number | undefined {
  const [first, second] = [look(folder), look(folder)];
  if (first.size !== second.size) return undefined;
  let bytes = 0;
  for (const [inode, size] of first) {
    if (second.get(inode) !== size) return undefined;
    bytes += size;
  }
  return bytes;
}

/** Looks again and again for the most bytes that a cache folder has, until `stop`. */
export function watchBytes(folder: string): { stop(): { most: number; looks: number } } {
  const seen = { most: 0, looks: 0 };
  let watching = true;
  void (async () => {
    while (watching) {
      const bytes = bytesIn(folder);
      if (bytes !== undefined) seen.looks++;
      seen.most = Math.max(seen.most, bytes ?? 0);
      await sleep(3);
    }
  })();
  return {
    stop: () => {
      watching = false;
      return seen;
    },
  };
}

/** Files of the cache's own that a member leaves only by dying. */
export async function leftovers(folder: string): Promise<string[]> {
  const files = await readdir(join(folder, '.spiral-cache'), { recursive: true }).catch(() => []);
  return files.filter((name) => !['ledger', 'names', 'members', 'downloads', 'index.note'].includes(name));
}

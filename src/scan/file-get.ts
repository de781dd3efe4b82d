import { constants, type FileHandle, open, realpath } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { fetchBytesMax } from '../core/limits.js';
import { type Fetched, failedFetch } from './fetched.js';

/** A pipe would be waited for, and a link that came after the path was resolved is not followed. */
const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;

const statuses: Readonly<Record<string, number>> = {
  ENOENT: 404,
  ENOTDIR: 404,
  ENAMETOOLONG: 400,
  ERR_INVALID_ARG_VALUE: 400,
  EACCES: 403,
  EPERM: 403,
  ELOOP: 403,
};

/**
 * The file at `path`, a path or a `file://` URL, relative ones from the working folder. Never fails, a failure is a status:
 * 400 for no path or what is no file, 403 for what lies, links resolved, below none of `folders` or must not be read, 404
 * where nothing is, 413 for more than `bytesMax` bytes, 500 where reading fails.
 */
export async function fileGet(
  path: string,
  folders: readonly string[],
  bytesMax: number = fetchBytesMax,
): Promise<Fetched> {
  let handle: FileHandle | undefined;
  let location = path;
  try {
    const asked = pathOf(path);
    if (asked === undefined) return failedFetch(path, 400);
    location = pathToFileURL(asked).href;
    // Nothing is told of what lies elsewhere, not even whether it is there.
    if (!folders.some((folder) => isBelow(asked, folder))) return failedFetch(location, 403);
    const real = await realpath(asked);
    const roots = await Promise.all(folders.map((folder) => realpath(folder).catch(() => undefined)));
    if (!roots.some((root) => root !== undefined && isBelow(real, root))) return failedFetch(location, 403);
    handle = await open(real, flags);
    const stat = await handle.stat();
    if (!stat.isFile()) return failedFetch(location, 400);
    if (stat.size > bytesMax) return failedFetch(location, 413);
    const bytes = await handle.readFile();
    if (bytes.length > bytesMax) return failedFetch(location, 413);
    return { bytes, location, lastModified: Math.floor(stat.mtimeMs), eTag: null, version: null, status: 200 };
  } catch (error) {
    return failedFetch(location, statuses[(error as NodeJS.ErrnoException).code ?? ''] ?? 500);
  } finally {
    await handle?.close();
  }
}

function pathOf(text: string): string | undefined {
  try {
    const path = /^file:/i.test(text) ? fileURLToPath(text) : text;
    return path === '' || path.includes('\0') ? undefined : resolve(path);
  } catch {
    return undefined;
  }
}

function isBelow(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

import { type BigIntStats, type Dirent, lstatSync, statSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { checkSignal } from '../core/abort.js';
import { fileWork, systemCode } from './file-errors.js';
import { statsEtag } from './file-read.js';
import { type FileRoot, folderOf } from './file-root.js';
import { comparePaths, isPath } from './object-path.js';
import { quickCalls } from './quick-calls.js';
import type { ObjectInfo } from './store.js';

/** Files asked about at once: hides the latency of a call, and bounds what a reader that leaves early has wasted. */
const statsAtOnce = 256;

function fileInfo(path: string, stats: BigIntStats): ObjectInfo {
  return { path, size: Number(stats.size), modifiedMs: Number(stats.mtimeMs), etag: statsEtag(stats) };
}

/**
 * The files whose path begins with `prefix`, sorted as lists are. Links to files are shown as their target; linked
 * folders are not entered (their files stand where they really are); names that no path may bear are passed over.
 *
 * @throws SpiralError `path_outside_root` at a link that leads out of the root, and as `list`.
 */
export async function* listFiles(
  root: FileRoot,
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<ObjectInfo> {
  yield* walk(root, folderOf(prefix), prefix, signal);
}

async function* walk(
  root: FileRoot,
  folder: string,
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<ObjectInfo> {
  checkSignal(signal, `list of ${prefix}`);
  let files: string[] = [];
  for (const entry of await entriesOf(root, folder, prefix)) {
    if (!entry.isFolder) files.push(entry.path);
    if (files.length >= statsAtOnce || entry.isFolder) {
      yield* infos(root, files, prefix, signal);
      files = [];
    }
    if (entry.isFolder) yield* walk(root, entry.path, prefix, signal);
  }
  yield* infos(root, files, prefix, signal);
}

interface Entry {
  readonly path: string;
  readonly isFolder: boolean;
}

/** The entries of a folder in the order of the paths below them: a folder sorts with the '/' that follows its name. */
async function entriesOf(root: FileRoot, folder: string, prefix: string): Promise<Entry[]> {
  let found: Dirent[];
  try {
    found = await readdir(await root.resolve(folder), { withFileTypes: true });
  } catch (error) {
    if (isMissing(error)) return [];
    return fileWork(Promise.reject(error), { uri: root.uri, path: folder, doing: 'list' });
  }
  const entries: (Entry & { order: string })[] = [];
  for (const entry of found) {
    const isFolder = entry.isDirectory();
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (!(isFolder || entry.isFile() || entry.isSymbolicLink()) || !path.startsWith(prefix) || !isPath(path)) continue;
    entries.push({ path, isFolder, order: isFolder ? `${path}/` : path });
  }
  return entries.sort((a, b) => comparePaths(a.order, b.order));
}

async function* infos(
  root: FileRoot,
  paths: readonly string[],
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<ObjectInfo> {
  const found = await Promise.all(paths.map((path) => headFile(root, path, 'list')));
  for (const info of found) {
    checkSignal(signal, `list of ${prefix}`);
    if (info !== undefined) yield info;
  }
}

/** What is known of the file at `path`; undefined where none is. @throws SpiralError as `head`. */
export async function headFile(root: FileRoot, path: string, doing: 'read' | 'list'): Promise<ObjectInfo | undefined> {
  try {
    if (isNowhere(root.place(path))) return undefined;
    const place = await root.resolve(path);
    const quick = quickCalls.try(() => statSync(place, { bigint: true }));
    const stats = quick ?? (await stat(place, { bigint: true }));
    return stats.isFile() ? fileInfo(path, stats) : undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    return fileWork(Promise.reject(error), { uri: root.uri, path, doing });
  }
}

/** Whether it is known at once, and without an error to be made, that nothing stands at `place`: who follows a log asks so time and again. */
function isNowhere(place: string): boolean {
  return quickCalls.try(() => lstatSync(place, { throwIfNoEntry: false }) ?? null) === null;
}

function isMissing(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

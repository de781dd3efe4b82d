import {
  close,
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { isSpiralError, SpiralError } from '../../core/errors.js';
import { systemCode } from '../../storage/file-errors.js';
import { fileStore, scratchStore } from '../../storage/file-store.js';
import { checkPath } from '../../storage/object-path.js';
import type { ObjectStore } from '../../storage/store.js';
import { ownFileFlags, printOf } from './cache-ledger.js';
import { thisBoot } from './cache-member.js';
import type { ShardSource } from './shard-source.js';

/** The folder of the cache's own files, below that of the shards. */
export const cacheOwnFolder = '.spiral-cache';

/**
 * The files of shards in a cache folder. Synchronous: called with the lock held. Names come from indexes, and a folder may
 * hold what others put there: nothing is written or deleted through a link that stands in it.
 */
export class CacheFiles {
  readonly folder: string;
  /** The folder of the cache's own files. */
  readonly own: string;
  readonly #source: ShardSource;
  /** What was not on the disk when the system fell is checked again, where the system names its boot: the ledger notes it. */
  readonly #isScratch: boolean = thisBoot() !== undefined;
  /** Of files that were deleted: their bytes are being given back. */
  readonly #freeing = new Set<Promise<void>>();

  constructor(folder: string, source: ShardSource) {
    this.folder = folder;
    this.own = join(folder, cacheOwnFolder);
    this.#source = source;
  }

  /** Makes the folders of the cache's own files. @throws SpiralError `path_outside_root` where a link stands for one. */
  makeOwn(): void {
    mkdirSync(this.folder, { recursive: true });
    for (const folder of [this.own, join(this.own, 'members'), join(this.own, 'downloads')]) {
      try {
        mkdirSync(folder);
      } catch (error) {
        if (systemCode(error) !== 'EEXIST') throw error;
      }
      this.#checkFolder(folder);
    }
  }

  /** Where the files of a shard come to, before they are moved here. */
  downloadStore(folder: string): ObjectStore {
    return this.#isScratch ? scratchStore(folder) : fileStore(folder);
  }

  /** Stands for sizes and times of the files of a shard; undefined where one is missing. */
  print(shard: number): number | undefined {
    let text = '';
    for (const name of this.#source.names(shard)) {
      const stats = statSync(join(this.folder, name), { bigint: true, throwIfNoEntry: false });
      if (stats === undefined) return undefined;
      text += `${stats.ino} ${stats.size} ${stats.mtimeNs}\n`;
    }
    return printOf(text);
  }

  /** Resolves once the disk has the bytes back of all that was deleted so far. */
  async freed(): Promise<void> {
    await Promise.all(this.#freeing);
  }

  /** Deletes the files of a shard that are there. */
  remove(shard: number): void {
    for (const name of this.#source.names(shard)) this.#remove(name);
  }

  /** Moves the files of a shard here from the folder `from`, and gives their bytes. */
  move(shard: number, from: string): number {
    const names = this.#source.names(shard);
    let bytes = 0;
    for (const name of names) bytes += statSync(join(from, name)).size;
    if (bytes > this.#source.bytesOf(shard)) {
      const message = `Expected shard ${shard} to take at most ${this.#source.bytesOf(shard)} bytes, found ${bytes}.`;
      throw new SpiralError('internal', message, { details: { shard, bytes } });
    }
    for (const name of names) {
      this.#makeFolders(name);
      renameSync(join(from, name), join(this.folder, name));
    }
    return bytes;
  }

  /** Deletes the files of what was kept here before, whatever it was. */
  removeOld(): void {
    for (const name of listed(join(this.own, 'names'))) this.#remove(name);
  }

  /**
   * The shards of which all files are here, with their bytes, and the bytes of all files that are of no shard. Files of
   * shards that are not whole are deleted. Notes what are files of shards, for `removeOld`.
   */
  takeStock(): { found: Map<number, number>; otherBytes: number } {
    const sizes = new Map<string, number>();
    this.#walk('', sizes);
    const found = new Map<number, number>();
    const all: string[] = [];
    for (let shard = 0; shard < this.#source.count; shard++) {
      const names = this.#source.names(shard);
      all.push(...names);
      const known = names.map((name) => sizes.get(name));
      const bytes = known.reduce<number>((sum, size) => sum + (size ?? 0), 0);
      const isWhole = known.every((size) => size !== undefined) && bytes <= this.#source.bytesOf(shard);
      if (isWhole) found.set(shard, bytes);
      else if (bytes > 0) this.remove(shard);
      for (const name of names) sizes.delete(name);
    }
    const file = openSync(join(this.own, 'names'), ownFileFlags | constants.O_TRUNC);
    try {
      writeFileSync(file, all.map((name) => JSON.stringify(name)).join('\n'));
    } finally {
      closeSync(file);
    }
    let otherBytes = 0;
    for (const size of sizes.values()) otherBytes += size;
    return { found, otherBytes };
  }

  #remove(name: string): void {
    try {
      for (const folder of foldersOf(name)) this.#checkFolder(join(this.folder, folder));
      const path = join(this.folder, name);
      const last = opened(path);
      try {
        unlinkSync(path);
      } finally {
        if (last !== undefined) this.#free(last);
      }
    } catch (error) {
      const code = systemCode(error);
      if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
    }
  }

  /** A file's bytes go with the last who has it open: megabytes take the system milliseconds, which this thread need not wait. */
  #free(file: number): void {
    const done: Promise<void> = new Promise<void>((resolve) => close(file, () => resolve())).finally(() =>
      this.#freeing.delete(done),
    );
    this.#freeing.add(done);
  }

  #makeFolders(name: string): void {
    for (const folder of foldersOf(name)) {
      mkdirSync(join(this.folder, folder), { recursive: true });
      this.#checkFolder(join(this.folder, folder));
    }
  }

  #checkFolder(path: string): void {
    if (lstatSync(path).isDirectory()) return;
    throw new SpiralError(
      'path_outside_root',
      `Expected ${path} to be a folder of the cache in ${this.folder}, found a link or a file. Remove it, or give the cache a ` +
        'folder that nobody else writes to.',
      { details: { folder: this.folder, path } },
    );
  }

  #walk(below: string, sizes: Map<string, number>): void {
    for (const entry of readdirSync(join(this.folder, below), { withFileTypes: true })) {
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      if (path === cacheOwnFolder) continue;
      if (entry.isDirectory()) this.#walk(path, sizes);
      else sizes.set(path, statSync(join(this.folder, path), { throwIfNoEntry: false })?.size ?? 0);
    }
  }
}

/** The file at `path`, or undefined where it cannot be opened, as a link or what one may not read. */
function opened(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  } catch {
    return undefined;
  }
}

/** Whether it helps to delete something; a limit on the size of each file is as full a disk by its code. */
export function isDiskFull(error: unknown): boolean {
  if (!isSpiralError(error, 'storage_full')) return false;
  return error.details['systemCode'] === 'ENOSPC' || error.details['systemCode'] === 'EDQUOT';
}

/** The folders in which `name` is, the outermost first. */
function foldersOf(name: string): string[] {
  const folders = [];
  for (let folder = dirname(name); folder !== '.'; folder = dirname(folder)) folders.unshift(folder);
  return folders;
}

/** The names in the file at `path`: of releases before this one as they are, else in JSON, as they may hold line breaks. */
function listed(path: string): string[] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => checkPath(line.startsWith('"') ? JSON.parse(line) : line));
  } catch {
    return [];
  }
}

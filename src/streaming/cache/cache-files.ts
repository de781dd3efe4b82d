import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isSpiralError, SpiralError } from '../../core/errors.js';
import { systemCode } from '../../storage/file-errors.js';
import { printOf } from './cache-ledger.js';
import type { ShardSource } from './shard-source.js';

/** The folder of the cache's own files, below that of the shards. */
export const cacheOwnFolder = '.spiral-cache';

/** The files of shards in a cache folder. Synchronous: called with the lock held. */
export class CacheFiles {
  readonly folder: string;
  /** The folder of the cache's own files. */
  readonly own: string;
  readonly #source: ShardSource;

  constructor(folder: string, source: ShardSource) {
    this.folder = folder;
    this.own = join(folder, cacheOwnFolder);
    this.#source = source;
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

  /** Deletes the files of a shard that are there. */
  remove(shard: number): void {
    for (const name of this.#source.names(shard)) remove(join(this.folder, name));
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
      const place = join(this.folder, name);
      mkdirSync(dirname(place), { recursive: true });
      renameSync(join(from, name), place);
    }
    return bytes;
  }

  /** Deletes the files of what was kept here before, whatever it was. */
  removeOld(): void {
    for (const name of listed(join(this.own, 'names'))) remove(join(this.folder, name));
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
    writeFileSync(join(this.own, 'names'), all.join('\n'));
    let otherBytes = 0;
    for (const size of sizes.values()) otherBytes += size;
    return { found, otherBytes };
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

/** Whether it helps to delete something; a limit on the size of each file is as full a disk by its code. */
export function isDiskFull(error: unknown): boolean {
  if (!isSpiralError(error, 'storage_full')) return false;
  return error.details['systemCode'] === 'ENOSPC' || error.details['systemCode'] === 'EDQUOT';
}

function listed(path: string): string[] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .filter((name) => name !== '');
  } catch {
    return [];
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
  }
}

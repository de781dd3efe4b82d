import type { ObjectStore } from '../storage/store.js';
import { ArrowFile } from './arrow-file.js';
import { ColumnBlocks } from './column-blocks.js';

/** Opened files kept: footers of a few KB each, and the marks of what was verified. */
const openedMax = 4096;

/**
 * Files that are open in this process, each opened and verified once however many scans read it. The least recently used
 * is let go first.
 */
export class FileCache {
  /** Columns of theirs that rows are taken of again and again. */
  readonly blocks: ColumnBlocks;
  readonly #files = new Map<string, Promise<ArrowFile>>();

  /** @param blockBytesMax Bytes of columns that are kept in memory. Default 0. */
  constructor(blockBytesMax = 0) {
    this.blocks = new ColumnBlocks(blockBytesMax);
  }

  /** The file at `path`, opened. @throws SpiralError as {@link ArrowFile.open}. */
  open(store: ObjectStore, path: string, expectedSize: number): Promise<ArrowFile> {
    const key = `${store.uri}\n${path}`;
    let file = this.#files.get(key);
    if (file === undefined) {
      const opened = ArrowFile.open(store, path, expectedSize);
      opened.catch(() => {
        if (this.#files.get(key) === opened) this.#files.delete(key);
      });
      file = opened;
    } else this.#files.delete(key);
    this.#files.set(key, file);
    if (this.#files.size > openedMax) this.#files.delete(this.#files.keys().next().value!);
    return file;
  }
}

import { footersBytesMax, footersMax, openedIdleMsMax } from '../core/limits.js';
import { type RecentBounds, RecentMap } from '../core/recent-map.js';
import type { ObjectStore } from '../storage/store.js';
import { ArrowFile } from './arrow-file.js';
import { ColumnBlocks } from './column-blocks.js';

const boundsDefault: RecentBounds = { countMax: footersMax, bytesMax: footersBytesMax, idleMsMax: openedIdleMsMax };

/**
 * Files that are open in this process, each opened and verified once however many scans read it: their footers, the marks of
 * what was verified, and dictionaries. The least recently used are let go first; a scan has its files as long as it is open.
 */
export class FileCache {
  /** Columns of theirs that rows are taken of again and again. */
  readonly blocks: ColumnBlocks;
  readonly #files: RecentMap<Promise<ArrowFile>>;

  /**
   * @param blockBytesMax Bytes of columns that are kept in memory. Default 0.
   * @param bounds of the files that are kept.
   */
  constructor(blockBytesMax = 0, bounds: RecentBounds = boundsDefault, now?: () => number) {
    this.blocks = new ColumnBlocks(blockBytesMax);
    this.#files = new RecentMap(bounds, undefined, now);
  }

  /** Files that are kept, and about the bytes that they take. */
  get held(): { readonly files: number; readonly bytes: number } {
    return { files: this.#files.size, bytes: this.#files.bytes };
  }

  /** The file at `path`, opened. @throws SpiralError as {@link ArrowFile.open}. */
  open(store: ObjectStore, path: string, expectedSize: number): Promise<ArrowFile> {
    const key = `${store.uri}\n${path}`;
    const found = this.#files.use(key);
    if (found !== undefined) return found;
    const weigh = (bytes: number): void => this.#files.weigh(key, opened, bytes);
    const opened = ArrowFile.open(store, path, expectedSize, weigh);
    opened.then(
      (file) => weigh(file.bytes),
      () => this.#files.delete(key, opened),
    );
    this.#files.add(key, opened);
    return opened;
  }
}

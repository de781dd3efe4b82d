import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { cacheBeatMs, cachePollMs, cacheSweepMs } from '../../core/limits.js';
import { every, sleep } from '../../core/runtime.js';
import { fileError } from '../../storage/file-errors.js';
import { CacheBooks } from './cache-books.js';
import type { CacheFiles } from './cache-files.js';
import { CacheLock } from './cache-lock.js';
import type { ExpectedShards } from './expected-shards.js';
import type { ShardSource } from './shard-source.js';

/** Books that are open, and the lock on them. */
interface Open {
  readonly books: CacheBooks;
  readonly lock: CacheLock;
  readonly stopBeating: () => void;
}

/** Where one instance of a cache works on the books of its folder: opens them when first needed, and waits for changes. */
export class CacheDesk {
  readonly #files: CacheFiles;
  readonly #make: () => CacheBooks;
  #opened: Promise<Open> | undefined;
  #books: CacheBooks | undefined;
  #evicted = 0;
  readonly #waiting = new Set<() => void>();

  constructor(files: CacheFiles, source: ShardSource, limit: number, expected: ExpectedShards) {
    this.#files = files;
    this.#make = () => new CacheBooks(files, source, limit, expected);
  }

  /** Shards that this instance evicted. */
  get evictions(): number {
    return this.#evicted + (this.#books?.evictions ?? 0);
  }

  /** The books, for what takes no lock. @throws SpiralError as `run`. */
  async open(): Promise<CacheBooks> {
    return (await this.#open()).books;
  }

  /**
   * What `work` gives, done with the lock held.
   *
   * @throws SpiralError as `CacheBooks.open` and `CacheLock.run`; for system errors `permission_denied`, `storage_full`, ….
   */
  async run<T>(work: (books: CacheBooks) => T): Promise<T> {
    const open = await this.#open();
    try {
      return await open.lock.run(() => work(open.books));
    } catch (error) {
      this.#leaveLost(open);
      throw this.#failure(error);
    }
  }

  /** Waits until something changed since `generation`, `wake` is called, or others may have died. */
  async change(generation: number): Promise<void> {
    const { books } = await this.#open();
    const rest = new AbortController();
    const wake = (): void => rest.abort();
    this.#waiting.add(wake);
    for (let waitedMs = 0; waitedMs < cacheSweepMs && !rest.signal.aborted; waitedMs += cachePollMs) {
      if (books.generation() !== generation) break;
      await sleep(cachePollMs, rest.signal).catch(() => undefined);
    }
    this.#waiting.delete(wake);
  }

  /** Has all that wait look again. */
  wake(): void {
    for (const wake of this.#waiting) wake();
  }

  async close(): Promise<void> {
    const open = await this.#opened?.catch(() => undefined);
    open?.stopBeating();
    await open?.lock.run(() => open.books.leave()).catch(() => undefined);
  }

  #open(): Promise<Open> {
    if (this.#opened !== undefined) return this.#opened;
    const opened = this.#begin();
    this.#opened = opened;
    // The next call tries again.
    opened.catch(() => {
      this.#opened = undefined;
    });
    return opened;
  }

  async #begin(): Promise<Open> {
    let [books, isOpen]: [CacheBooks | undefined, boolean] = [undefined, false];
    try {
      mkdirSync(this.#files.own, { recursive: true });
      const made = this.#make();
      books = made;
      const { members } = made;
      const lock = new CacheLock(join(this.#files.own, 'lock'), members.file, (member) => members.isDead(member));
      await lock.run(() => made.open());
      isOpen = true;
      this.#books = made;
      return { books, lock, stopBeating: every(cacheBeatMs, () => members.beat()) };
    } catch (error) {
      throw this.#failure(error);
    } finally {
      if (!isOpen) leaveQuietly(books);
    }
  }

  /** Where the folder was deleted, or others took this member for dead, the next call begins anew. */
  #leaveLost({ books, stopBeating }: Open): void {
    if (this.#books !== books || existsSync(books.members.file)) return;
    this.#opened = undefined;
    this.#books = undefined;
    this.#evicted += books.evictions;
    stopBeating();
    leaveQuietly(books);
  }

  #failure(error: unknown): unknown {
    return fileError(error, { uri: this.#files.folder, path: this.#files.own, doing: 'write' });
  }
}

function leaveQuietly(books: CacheBooks | undefined): void {
  try {
    books?.leave();
  } catch {
    // Whatever kept it from opening is what is told; what stays behind, others clear away.
  }
}

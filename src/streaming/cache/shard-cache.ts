import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { abortable, checkSignal } from '../../core/abort.js';
import { knownOptions, wholeNumber } from '../../core/check.js';
import { isSpiralError, SpiralError } from '../../core/errors.js';
import { cacheDownloads, cacheIdleMs, cacheStandstillMs } from '../../core/limits.js';
import { sleep } from '../../core/runtime.js';
import { dropOpenFile, fileStore } from '../../storage/file-store.js';
import type { Ahead } from './ahead-window.js';
import type { CacheBooks } from './cache-books.js';
import { limitTooSmall } from './cache-demand.js';
import { CacheDesk } from './cache-desk.js';
import { CacheFiles, isDiskFull } from './cache-files.js';
import { CachePatience } from './cache-patience.js';
import { ExpectedShards } from './expected-shards.js';
import { type Arrival, arrivalOf } from './shard-arrival.js';
import { type ShardCacheOptions, shardCacheOptions } from './shard-cache-options.js';
import type { ShardCacheStats } from './shard-cache-stats.js';
import type { ShardSource } from './shard-source.js';

/** A shard whose files stay. */
export interface ShardPin {
  /** Lets them go; a second call does nothing. */
  release(): void;
}

/**
 * Keeps shards of a source as files in a folder, bounded in bytes, shared by all threads and processes of one machine: each
 * shard is fetched by one of them at a time, those in use stay, and room is made by deleting those that are needed last, as far
 * as any of them knows. Nothing is done before the first call. Files of shards in the folder belong to the cache.
 *
 * Waiting ends: one that is killed is found out, its downloads are cleared away and its shards free; and where all that is in
 * use leaves no room and nobody goes on, an error names the least limit that would do.
 */
export class ShardCache {
  /** Absolute. */
  readonly folder: string;
  readonly #source: ShardSource;
  readonly #limit: number;
  readonly #downloads: number;
  readonly #ahead: Ahead;
  readonly #standstillMs: number;
  readonly #files: CacheFiles;
  readonly #expected: ExpectedShards;
  /** Shards in use, and how often. */
  readonly #holds = new Map<number, number>();
  /** Shards that were let go just now, and are in use by the books still: mostly they are wanted again at once. */
  readonly #idle = new Set<number>();
  readonly #arrivals = new Map<number, Arrival>();
  /** Fetches under way. */
  readonly #flights = new Map<number, Promise<void>>();
  /** Shards that were in use since they came. */
  readonly #used = new Set<number>();
  /** Shards that were here. */
  readonly #had = new Set<number>();
  readonly #background = new Set<Promise<void>>();
  readonly #ending = new AbortController();
  readonly #counts = { downloads: 0, downloadedBytes: 0, redownloads: 0, hits: 0, waits: 0, checked: 0, damaged: 0 };
  readonly #desk: CacheDesk;
  #closed: Promise<void> | undefined;
  /** A shard could not be fetched ahead: no more are until one that is asked for came. */
  #stalled = false;
  #settling = false;
  #planning = false;
  #planAgain = false;
  #number = 0;

  constructor(folder: string, options: ShardCacheOptions) {
    knownOptions('ShardCache', options, shardCacheOptions);
    const { source, limitBytes, downloads = cacheDownloads, ahead, standstillMs = cacheStandstillMs } = options;
    this.folder = resolve(folder);
    this.#source = source;
    this.#limit = limitBytes === undefined ? Number.POSITIVE_INFINITY : wholeNumber('limitBytes', limitBytes);
    this.#downloads = wholeNumber('downloads', downloads, { min: 1 });
    this.#standstillMs = wholeNumber('standstillMs', standstillMs, { unit: 'milliseconds' });
    const { most = 2 * this.#downloads, weights } = ahead ?? {};
    this.#ahead = { most, weight: (shard) => (this.#used.has(shard) ? 0 : (weights?.[shard] ?? 1)) };
    this.#files = new CacheFiles(this.folder, source);
    this.#expected = new ExpectedShards(source.count);
    this.#desk = new CacheDesk(this.#files, source, this.#limit, this.#expected);
  }

  /** What was done so far, by this instance. */
  stats(): ShardCacheStats {
    return { ...this.#counts, evictions: this.#desk.evictions };
  }

  /**
   * Makes the shard local, whole and checked, and keeps it so until it is released.
   *
   * @throws SpiralError what the source throws; `limit_exceeded` where no room can come; `storage_full`,
   * `permission_denied`, `unavailable` of the folder; `already_exists` where others use it for other data; `cancelled`,
   * `closed`. A later call tries again.
   */
  async pin(shard: number, signal?: AbortSignal): Promise<ShardPin> {
    wholeNumber('shard', shard, { max: this.#source.count - 1 });
    const what = `The wait for shard ${shard}`;
    checkSignal(signal, what);
    this.#checkOpen();
    const uses = this.#holds.get(shard);
    if (uses !== undefined || this.#idle.delete(shard)) {
      this.#holds.set(shard, (uses ?? 0) + 1);
      this.#counts.hits++;
    } else {
      await this.#await(shard, signal, what);
    }
    this.#expected.take(shard);
    this.#plan();
    let released = false;
    return {
      release: () => {
        if (!released) this.#release(shard);
        released = true;
      },
    };
  }

  /**
   * What will be needed next, in order, instead of what was said before: drawn as far as needed, and passed by with each pin.
   * Shards are fetched ahead and evicted by it.
   */
  expect(shards: Iterable<number>): void {
    this.#checkOpen();
    this.#expected.replace(shards);
    this.#stalled = false;
    this.#plan();
  }

  /** Deletes a shard; false where someone uses or fetches it. */
  async evict(shard: number): Promise<boolean> {
    wholeNumber('shard', shard, { max: this.#source.count - 1 });
    return this.#locked((books) => books.evict(shard));
  }

  /** Bytes of the files in the folder, and of room taken for what is being fetched, by all members. */
  async sizeBytes(): Promise<number> {
    return this.#locked((books) => books.size());
  }

  /** Ends downloads and waits, and lets go of all; the files stay. A second call does nothing. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#ending.abort(closedCache(this.folder));
    this.#desk.wake();
    await Promise.allSettled([...this.#flights.values()]);
    await Promise.allSettled([...this.#arrivals.values()].map(({ done }) => done));
    await Promise.allSettled(this.#background);
    for (const shard of [...this.#holds.keys(), ...this.#idle]) this.#dropOpen(shard);
    await this.#desk.close();
  }

  async #await(shard: number, signal: AbortSignal | undefined, what: string): Promise<void> {
    let arrival = this.#arrivals.get(shard);
    if (arrival === undefined) {
      const begun = arrivalOf(shard);
      this.#arrivals.set(shard, begun);
      begun.done = this.#bring(begun);
      arrival = begun;
    }
    const waiter = {};
    arrival.waiters.add(waiter);
    try {
      await abortable(arrival.done, signal, what);
    } catch (error) {
      if (arrival.granted) this.#release(shard);
      else arrival.waiters.delete(waiter);
      throw error;
    }
  }

  /** Has the shard pinned for those who wait by then. */
  async #bring(arrival: Arrival): Promise<void> {
    const { wish } = arrival;
    const { shard } = wish;
    const patience = new CachePatience(this.#standstillMs);
    let [fetched, waited] = [false, false];
    const wait = async (generation: number): Promise<void> => {
      if (!waited) this.#counts.waits++;
      waited = true;
      await this.#desk.change(generation);
    };
    try {
      while (!arrival.granted) {
        const books = await this.#desk.open();
        this.#checkOpen();
        if (arrival.waiters.size === 0) return;
        const flight = this.#flights.get(shard);
        if (flight !== undefined) {
          await flight;
          fetched = true;
          continue;
        }
        if (this.#isLimited && books.lacks([shard])) books.foresee();
        const generation = books.generation();
        wish.impatient = patience.isOver();
        const outcome = await this.#locked((books) => {
          // It may have been fetched ahead while the lock was waited for.
          if (this.#flights.has(shard)) return undefined;
          const demand = this.#flights.size >= 2 * this.#downloads ? 'elsewhere' : books.demand(wish);
          if (demand === 'here') this.#grant(arrival);
          if (demand === 'fetch') this.#fly(shard);
          return demand;
        });
        if (outcome === 'here' && !fetched && !waited) this.#counts.hits++;
        if (outcome === 'check') await this.#check(arrival);
        if (outcome === 'elsewhere') await wait(generation);
        if (typeof outcome === 'object') {
          if (patience.isStandstill(generation, outcome)) throw limitTooSmall(this.folder, this.#limit, shard, outcome);
          await wait(generation);
        }
      }
    } finally {
      if (this.#arrivals.get(shard) === arrival) this.#arrivals.delete(shard);
      if (wish.since !== undefined) await this.#locked((books) => books.forget(wish)).catch(() => undefined);
    }
  }

  /** Those who wait by now have the shard; it is pinned in the books. */
  #grant(arrival: Arrival): void {
    arrival.granted = true;
    const { shard } = arrival.wish;
    this.#arrivals.delete(shard);
    this.#stalled = false;
    this.#had.add(shard);
    this.#used.add(shard);
    // Whoever stopped waiting meanwhile is among them no more: nobody then uses it, and it may go.
    this.#holds.set(shard, arrival.waiters.size + 1);
    this.#release(shard);
  }

  async #check(arrival: Arrival): Promise<void> {
    const { shard } = arrival.wish;
    this.#counts.checked++;
    const files = fileStore(this.folder);
    let [print, isDamaged]: [number | undefined, boolean] = [undefined, false];
    try {
      const before = this.#files.print(shard);
      await this.#source.check(shard, files, this.#ending.signal);
      print = before;
    } catch (error) {
      isDamaged = isSpiralError(error, 'corrupt_file', 'not_found');
      if (!isDamaged) throw error;
      this.#counts.damaged++;
    } finally {
      await files.close();
      await this.#locked((books) => {
        if (print === undefined) books.unsound(shard, isDamaged);
        else {
          books.sound(shard, print);
          this.#grant(arrival);
        }
      });
      this.#desk.wake();
    }
  }

  /** Fetches a shard whose room is taken. */
  #fly(shard: number): void {
    const done = this.#fetch(shard).finally(() => {
      this.#flights.delete(shard);
      this.#desk.wake();
      this.#plan();
    });
    // Where it is fetched ahead nobody waits for it; who asks for it then asks again.
    done.catch(() => {
      this.#stalled = true;
    });
    this.#flights.set(shard, done);
  }

  async #fetch(shard: number): Promise<void> {
    const { signal } = this.#ending;
    for (;;) {
      const folder = (await this.#desk.open()).members.downloads(this.#number++);
      const into = this.#files.downloadStore(folder);
      try {
        await this.#files.freed();
        await this.#source.fetch(shard, into, { signal, isWanted: () => this.#arrivals.has(shard) });
        checkSignal(signal, `The download of shard ${shard}`);
        const isAgain = this.#had.has(shard);
        this.#used.delete(shard);
        this.#counts.downloadedBytes += await this.#locked((books) => {
          const arrival = this.#arrivals.get(shard);
          const bytes = books.publish(shard, folder, arrival !== undefined);
          if (arrival !== undefined) this.#grant(arrival);
          return bytes;
        });
        this.#counts.downloads++;
        if (isAgain) this.#counts.redownloads++;
        this.#had.add(shard);
        return;
      } catch (error) {
        await rm(folder, { recursive: true, force: true }).catch(() => undefined);
        // Where someone waits for it, room may be had on the disk for what is needed later.
        const again = isDiskFull(error) && !signal.aborted && this.#arrivals.has(shard);
        if (again) (await this.#desk.open()).foresee();
        if (again && (await this.#locked((books) => books.evictForDisk(shard)).catch(() => false))) continue;
        await this.#locked((books) => books.abandon(shard)).catch(() => undefined);
        throw signal.aborted ? closedCache(this.folder) : error;
      } finally {
        await into.close();
        await rm(folder, { recursive: true, force: true }).catch(() => undefined);
      }
    }
  }

  #release(shard: number): void {
    const uses = (this.#holds.get(shard) ?? 0) - 1;
    if (uses > 0) this.#holds.set(shard, uses);
    if (uses !== 0) return;
    this.#holds.delete(shard);
    this.#idle.add(shard);
    this.#desk.wake();
    this.#plan();
    if (this.#settling || this.#closed !== undefined) return;
    this.#settling = true;
    this.#behind(async () => {
      try {
        await sleep(cacheIdleMs, this.#ending.signal);
      } finally {
        this.#settling = false;
      }
      if (this.#idle.size > 0) await this.#locked(() => undefined);
    });
  }

  /** Works on the books once they know which shards are in use no more. */
  #locked<T>(work: (books: CacheBooks) => T): Promise<T> {
    return this.#desk.run((books) => {
      if (this.#idle.size > 0) {
        books.unpin(this.#idle);
        for (const shard of this.#idle) this.#dropOpen(shard);
        this.#idle.clear();
      }
      return work(books);
    });
  }

  /** Plans what is fetched ahead. */
  #plan(): void {
    this.#planAgain = true;
    if (this.#planning || this.#closed !== undefined) return;
    this.#planning = true;
    this.#behind(async () => {
      try {
        while (this.#planAgain && this.#closed === undefined) {
          this.#planAgain = false;
          await this.#planOnce();
        }
      } finally {
        this.#planning = false;
      }
    });
  }

  async #planOnce(): Promise<void> {
    const free = this.#downloads - this.#flights.size;
    if (free <= 0 || this.#stalled) return;
    const soon = this.#expected.soonest(this.#ahead);
    if (soon.size === 0) return;
    const books = await this.#desk.open();
    // Mostly all is here, and then there is nothing to lock for.
    if (!books.lacks(soon)) return;
    if (this.#isLimited) books.foresee();
    await this.#locked((books) => {
      if (this.#ending.signal.aborted) return;
      for (const { shard } of books.ahead(this.#ahead, free)) this.#fly(shard);
    });
  }

  /** Does what nobody waits for; its failure shows with the next pin, which meets the same. */
  #behind(work: () => Promise<void>): void {
    const done: Promise<void> = work()
      .catch(() => undefined)
      .finally(() => this.#background.delete(done));
    this.#background.add(done);
  }

  get #isLimited(): boolean {
    return this.#limit < Number.POSITIVE_INFINITY;
  }

  #dropOpen(shard: number): void {
    for (const name of this.#source.names(shard)) dropOpenFile(join(this.folder, name));
  }

  #checkOpen(): void {
    if (this.#closed !== undefined) throw closedCache(this.folder);
  }
}

function closedCache(folder: string): SpiralError {
  return new SpiralError('closed', `The cache ${folder} was closed. Make another.`, { details: { folder } });
}

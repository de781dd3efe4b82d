import { abortable } from '../../core/abort.js';
import { AbortWatch } from '../../core/abort-watch.js';
import { isSpiralError, SpiralError } from '../../core/errors.js';
import { downloadBackoffMsMax, readBytesMax } from '../../core/limits.js';
import { deriveSeed, uniqueId } from '../../core/random.js';
import { sleep } from '../../core/runtime.js';
import { corrupt } from '../../format/corrupt.js';
import type { ObjectStore } from '../../storage/store.js';

/** How files are downloaded. */
export interface DownloadSettings {
  /** Times that is tried again what failed. */
  readonly retry: number;
  /** Milliseconds in which the next bytes must come, of which at most 4 MiB are asked for at once. */
  readonly timeoutMs: number;
}

/** What was downloaded so far. */
export interface DownloadCounts {
  bytes: number;
  requests: number;
  retries: number;
}

/** One listener on each signal, however many pieces are on their way. */
const aborts = new AbortWatch();

/** A controller that aborts with `signal`, until `leave` is called. */
function linked(signal: AbortSignal): { ending: AbortController; leave: () => void } {
  const ending = new AbortController();
  if (signal.aborted) ending.abort(signal.reason);
  return { ending, leave: aborts.watch(signal, () => ending.abort(signal.reason)) };
}

/** The tries of one download, from its first byte to its last check. */
export class DownloadTries {
  readonly #signal: AbortSignal;
  readonly #counts: DownloadCounts;
  readonly #label = uniqueId('');
  #left: number;
  #failed = 0;

  constructor(retry: number, counts: DownloadCounts, signal: AbortSignal) {
    this.#left = retry;
    this.#counts = counts;
    this.#signal = signal;
  }

  /** Waits a while, and returns where it may be tried again. @throws `error` where it may not, or not any more. */
  async again(error: unknown): Promise<void> {
    if (this.#left <= 0 || !isSpiralError(error, 'unavailable', 'corrupt_file') || this.#signal.aborted) throw error;
    this.#left--;
    this.#failed++;
    this.#counts.retries++;
    const share = deriveSeed('download', this.#label, this.#failed) / 2 ** 32;
    const most = Math.min(downloadBackoffMsMax, 100 * 2 ** this.#failed);
    const { ending, leave } = linked(this.#signal);
    try {
      await sleep(share * most, ending.signal);
    } catch {
      throw error;
    } finally {
      leave();
    }
  }
}

/** Reads objects of `store` from their beginning to their end, in pieces, again where reading fails. */
export class Download {
  readonly #store: ObjectStore;
  readonly #settings: DownloadSettings;
  readonly #counts: DownloadCounts;

  constructor(store: ObjectStore, settings: DownloadSettings, counts: DownloadCounts) {
    this.#store = store;
    this.#settings = settings;
    this.#counts = counts;
  }

  tries(signal: AbortSignal): DownloadTries {
    return new DownloadTries(this.#settings.retry, this.#counts, signal);
  }

  /**
   * The bytes of the object at `path`, which must have just `size` of them. The next piece is on its way while one is used.
   *
   * @throws SpiralError `corrupt_file` where it has more or fewer, what the store rejects with, `unavailable` in time.
   */
  async *pieces(path: string, size: number, tries: DownloadTries, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    let coming = this.#piece(path, 0, size, signal);
    for (let at = 0; ; ) {
      let bytes: Uint8Array;
      try {
        bytes = await coming;
      } catch (error) {
        await tries.again(error);
        coming = this.#piece(path, at, size, signal);
        continue;
      }
      at += bytes.length;
      if (at < size) {
        coming = this.#piece(path, at, size, signal);
        coming.catch(() => undefined);
      }
      if (bytes.length > 0) yield bytes;
      if (at >= size) return;
    }
  }

  /** What `ask` gives, which must come in time. @throws SpiralError what it rejects with, `unavailable`, `cancelled`. */
  async inTime<T>(path: string, ask: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    const { ending, leave } = linked(signal);
    const timer = new AbortController();
    let isLate = false;
    sleep(this.#settings.timeoutMs, timer.signal).then(
      () => {
        isLate = true;
        ending.abort();
      },
      () => undefined,
    );
    try {
      this.#counts.requests++;
      return await abortable(ask(ending.signal), ending.signal, `The download of ${path}`);
    } catch (error) {
      throw isLate ? this.#late(path, error) : error;
    } finally {
      timer.abort();
      leave();
    }
  }

  async #piece(path: string, at: number, size: number, signal: AbortSignal): Promise<Uint8Array> {
    const length = Math.min(readBytesMax, size - at);
    const bytes = await this.inTime(path, (inTime) => this.#read(path, at, length, size, inTime), signal);
    this.#counts.bytes += bytes.length;
    return bytes;
  }

  async #read(path: string, at: number, length: number, size: number, signal: AbortSignal): Promise<Uint8Array> {
    if (at + length < size) return this.#store.getRange(path, at, length, { signal });
    // The end tells the size of the whole besides, without a request of its own.
    const tail = await this.#store.getTail(path, Math.max(1, length), { signal });
    if (tail.size !== size) throw corrupt(`${this.#store.uri}/${path}`, `${size} bytes`, `${tail.size}`);
    return tail.bytes;
  }

  #late(path: string, cause: unknown): SpiralError {
    const { timeoutMs } = this.#settings;
    return new SpiralError(
      'unavailable',
      `Expected the next bytes of ${this.#store.uri}/${path} within ${timeoutMs} ms, found none. Try again, or raise ` +
        '`downloadTimeoutMs`.',
      { details: { uri: this.#store.uri, path, timeoutMs }, cause },
    );
  }
}

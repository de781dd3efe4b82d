import { abortable } from '../../core/abort.js';
import { AbortWatch } from '../../core/abort-watch.js';
import { isSpiralError, SpiralError } from '../../core/errors.js';
import {
  downloadBackoffMsMax,
  downloadPieceBytes,
  downloadPiecesAhead,
  downloadRequestsMax,
} from '../../core/limits.js';
import type { MemoryPool } from '../../core/memory-pool.js';
import { deriveSeed, uniqueId } from '../../core/random.js';
import { sleep } from '../../core/runtime.js';
import { corrupt } from '../../format/corrupt.js';
import type { ObjectStore } from '../../storage/store.js';
import { type LineTurn, RequestLine } from './request-line.js';

/** How files are downloaded. */
export interface DownloadSettings {
  /** Times that is tried again what failed. */
  readonly retry: number;
  /** Milliseconds in which the next bytes must come, of which at most 2 MiB are asked for in one request. */
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

/** A piece of a file that is on its way, or here. */
interface ComingPiece {
  readonly at: number;
  readonly length: number;
  bytes: Promise<Uint8Array>;
  hasFailed: boolean;
  /** Where it is read to, if that is to be used again. */
  readonly memory: Uint8Array | undefined;
}

/**
 * Reads objects of `store` from their beginning to their end, in pieces, again where reading fails. All that it reads at a time
 * shares one line of requests.
 */
export class Download {
  readonly #store: ObjectStore;
  readonly #settings: DownloadSettings;
  readonly #counts: DownloadCounts;
  readonly #pool: MemoryPool | undefined;
  readonly #line = new RequestLine(downloadRequestsMax);

  /** @param pool where the pieces are read to; without one each has memory of its own. */
  constructor(store: ObjectStore, settings: DownloadSettings, counts: DownloadCounts, pool?: MemoryPool) {
    this.#store = store;
    this.#settings = settings;
    this.#counts = counts;
    this.#pool = pool;
  }

  tries(signal: AbortSignal): DownloadTries {
    return new DownloadTries(this.#settings.retry, this.#counts, signal);
  }

  /** The turn of a file whose reading begins now. */
  turn(isWanted: () => boolean = () => true): LineTurn {
    return this.#line.join(isWanted);
  }

  /**
   * The bytes of the object at `path`, which must have just `size` of them. The next pieces are on their way while one is used;
   * with a pool, its memory is used again once the next is asked for.
   *
   * @throws SpiralError `corrupt_file` where it has more or fewer, what the store rejects with, `unavailable` in time.
   */
  async *pieces(
    path: string,
    size: number,
    tries: DownloadTries,
    turn: LineTurn,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const { ending, leave } = linked(signal);
    const coming: ComingPiece[] = [];
    let asked = 0;
    const askAhead = (): void => {
      while (coming.length < downloadPiecesAhead && asked < size) {
        coming.push(this.#piece(path, asked, size, turn, ending.signal));
        asked += coming.at(-1)!.length;
      }
    };
    // Of an empty object is asked that it is empty.
    if (size === 0) coming.push(this.#piece(path, 0, 0, turn, ending.signal));
    try {
      for (;;) {
        askAhead();
        const piece = coming[0];
        if (piece === undefined) return;
        let bytes: Uint8Array;
        try {
          bytes = await piece.bytes;
        } catch (error) {
          await tries.again(error);
          // What broke one connection may have broken all: that is one failure.
          for (const failed of coming) if (failed.hasFailed) this.#ask(failed, path, size, turn, ending.signal);
          continue;
        }
        coming.shift();
        askAhead();
        let isUsed = false;
        try {
          if (bytes.length > 0) yield bytes;
          isUsed = true;
        } finally {
          this.#free(piece, isUsed);
        }
      }
    } finally {
      for (const piece of coming) this.#free(piece, false);
      ending.abort();
      leave();
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

  #piece(path: string, at: number, size: number, turn: LineTurn, signal: AbortSignal): ComingPiece {
    const length = Math.min(downloadPieceBytes, size - at);
    // A tail is not read into memory that is given.
    const memory = at + length < size ? this.#pool?.take(length) : undefined;
    const piece: ComingPiece = { at, length, bytes: none, hasFailed: false, memory };
    this.#ask(piece, path, size, turn, signal);
    return piece;
  }

  /** Memory that may yet be written to is left to the garbage collector. */
  #free({ memory }: ComingPiece, isUsed: boolean): void {
    if (memory === undefined) return;
    if (isUsed) this.#pool!.give(memory);
    else this.#pool!.lose(memory);
  }

  #ask(piece: ComingPiece, path: string, size: number, turn: LineTurn, signal: AbortSignal): void {
    const read = (inTime: AbortSignal): Promise<Uint8Array> => this.#read(piece, path, size, inTime);
    piece.hasFailed = false;
    piece.bytes = this.#line.run(turn, () => this.inTime(path, read, signal));
    piece.bytes.then(
      ({ length }) => {
        this.#counts.bytes += length;
      },
      () => {
        piece.hasFailed = true;
      },
    );
  }

  async #read(
    { at, length, memory }: ComingPiece,
    path: string,
    size: number,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    if (at + length < size) return this.#store.getRange(path, at, length, { signal, into: memory });
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

const none: Promise<Uint8Array> = Promise.resolve(new Uint8Array(0));

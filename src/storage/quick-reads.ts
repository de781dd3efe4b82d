import { readSync } from 'node:fs';
import { macrotask, monotonicMs } from '../core/runtime.js';

/** Bytes that are read in about the time that asking another thread for them takes. */
const quickBytesMax = 64 * 1024;
/** Milliseconds that the event loop may be kept from turning. */
const turnMsMax = 2;
/** Milliseconds above which a read was not from memory. */
const slowMs = 1;
/** Milliseconds for which nothing is tried after a slow read, at first and after several. */
const [pauseMsMin, pauseMsMax] = [20, 5000];

/**
 * Small reads in this thread, without another's help: from the system's cache they take less time than it takes to hand
 * one over and get it back. Where reads turn out slow there are none for a while, and never so many at a stretch that the
 * event loop would notice.
 */
class QuickReads {
  /** When the first of this turn of the event loop began; undefined: there was none. */
  #since: number | undefined;
  #pausedUntil = 0;
  #pauseMs = pauseMsMin;

  /** Reads `length` bytes into `into`, as `fs.readSync`; undefined where that may not be done now. */
  read(fd: number, into: Uint8Array, length: number, position: number): number | undefined {
    if (length > quickBytesMax) return undefined;
    const begin = monotonicMs();
    if (begin < this.#pausedUntil) return undefined;
    if (this.#since === undefined) {
      this.#since = begin;
      void macrotask().then(() => {
        this.#since = undefined;
      });
    } else if (begin - this.#since > turnMsMax) return undefined;
    const count = readSync(fd, into, 0, length, position);
    const end = monotonicMs();
    if (end - begin > slowMs) {
      this.#pausedUntil = end + this.#pauseMs;
      this.#pauseMs = Math.min(this.#pauseMs * 2, pauseMsMax);
    } else this.#pauseMs = Math.max(pauseMsMin, this.#pauseMs * 0.9);
    return count;
  }
}

/** Those of this thread. */
export const quickReads: QuickReads = new QuickReads();

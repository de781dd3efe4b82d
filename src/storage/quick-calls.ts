import { macrotask, monotonicMs } from '../core/runtime.js';

/** Milliseconds that the event loop may be kept from turning. */
const turnMsMax = 2;
/** Milliseconds above which a call was not answered from memory. */
const slowMs = 1;
/** Milliseconds for which another thread may have had the core meanwhile, and within which a second slow call shows that it had not. */
const [stolenMsMax, secondSlowMs] = [10, 100];
/** Milliseconds for which nothing is tried after slow calls, at first and after several. */
const [pauseMsMin, pauseMsMax] = [20, 5000];

/**
 * Small calls of the file system in this thread, without another's help: from the system's cache they take less time than
 * it takes to hand one over and get it back. Where calls turn out slow there are none for a while, and never so many at a
 * stretch that the event loop would notice.
 */
export class QuickCalls {
  readonly #now: () => number;
  /** When the first of this turn of the event loop began; undefined: there was none. */
  #since: number | undefined;
  #pausedUntil = 0;
  #pauseMs = pauseMsMin;
  /** When a slow call ended last. */
  #slowAt = Number.NEGATIVE_INFINITY;

  /** @param now milliseconds of a clock that never goes back. */
  constructor(now: () => number = monotonicMs) {
    this.#now = now;
  }

  /** What `call` gives, which must not be undefined; undefined where it may not be made now. @throws what `call` does. */
  try<T>(call: () => T): T | undefined {
    const begin = this.#now();
    if (begin < this.#pausedUntil) return undefined;
    if (this.#since === undefined) {
      this.#since = begin;
      void macrotask().then(() => {
        this.#since = undefined;
      });
    } else if (begin - this.#since > turnMsMax) return undefined;
    try {
      return call();
    } finally {
      this.#judge(begin, this.#now());
    }
  }

  #judge(begin: number, end: number): void {
    if (end - begin > slowMs) {
      const isFirst = begin - this.#slowAt > secondSlowMs && this.#pauseMs === pauseMsMin;
      this.#slowAt = end;
      if (isFirst && end - begin <= stolenMsMax) return;
      this.#pausedUntil = end + this.#pauseMs;
      this.#pauseMs = Math.min(this.#pauseMs * 2, pauseMsMax);
    } else this.#pauseMs = Math.max(pauseMsMin, this.#pauseMs * 0.9);
  }
}

/** Those of this thread. */
export const quickCalls: QuickCalls = new QuickCalls();

import { AbortWatch } from '../core/abort-watch.js';
import { paceBurstMs } from '../core/limits.js';
import { processMicros, sleep } from '../core/runtime.js';

/** One for all that wait: a loader's reads share a signal. */
const aborts = new AbortWatch();

/** Bytes of the memory that all threads of a pace share. */
const paceBytes = 8;

/**
 * Lets bytes pass at a rate, whatever number of threads they pass through: all that have the same `shared` memory. A
 * moment's worth may pass at once; who takes more waits until it would have passed.
 */
export class Pace {
  readonly bytesPerSecond: number;
  readonly shared: SharedArrayBuffer;
  /** Microseconds of the process's clock at which all that was taken has passed. */
  readonly #passed: BigInt64Array;

  constructor(bytesPerSecond: number, shared: SharedArrayBuffer = new SharedArrayBuffer(paceBytes)) {
    this.bytesPerSecond = bytesPerSecond;
    this.shared = shared;
    this.#passed = new BigInt64Array(shared);
  }

  /** Takes `bytes` that have passed already: what follows waits for them. */
  take(bytes: number): void {
    this.#reserve(bytes);
  }

  /**
   * Takes `bytes`, and resolves when it is their turn: once all that was taken before has passed, but for a moment's worth.
   * Who leaves by the signal gives them back. @throws the signal's reason.
   */
  async turn(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    const begins = this.#reserve(bytes);
    const waitMs = (begins - processMicros()) / 1000 - paceBurstMs;
    if (waitMs <= 0) return;
    const woken = new AbortController();
    const leave = signal === undefined ? undefined : aborts.watch(signal, () => woken.abort(signal.reason));
    try {
      await sleep(waitMs, woken.signal);
    } catch (error) {
      Atomics.sub(this.#passed, 0, this.#microsOf(bytes));
      throw error;
    } finally {
      leave?.();
    }
  }

  /** Microseconds at which all has passed that was taken before. */
  #reserve(bytes: number): number {
    for (;;) {
      const before = Atomics.load(this.#passed, 0);
      const now = BigInt(Math.floor(processMicros()));
      const begins = before > now ? before : now;
      const after = begins + this.#microsOf(bytes);
      if (Atomics.compareExchange(this.#passed, 0, before, after) === before) return Number(begins);
    }
  }

  #microsOf(bytes: number): bigint {
    return BigInt(Math.ceil((bytes * 1e6) / this.bytesPerSecond));
  }
}

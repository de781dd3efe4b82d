import { cacheGiveWayMs, cacheHeldMsMax } from '../../core/limits.js';
import { monotonicMs } from '../../core/runtime.js';
import type { Full } from './cache-demand.js';

/** For how long a wish for room has waited, and met a standstill. */
export class CachePatience {
  readonly #standstillMs: number;
  #begunMs: number | undefined;
  #stillMs = 0;
  #generation: number | undefined;

  constructor(standstillMs: number) {
    this.#standstillMs = standstillMs;
  }

  /** Whether it goes before those who waited longer. */
  isOver(): boolean {
    return this.#begunMs !== undefined && monotonicMs() - this.#begunMs > cacheGiveWayMs;
  }

  /** Whether nothing moved for too long, so that the limit is too small; `generation` is from before `full` was found. */
  isStandstill(generation: number, full: Full): boolean {
    const now = monotonicMs();
    this.#begunMs ??= now;
    if (generation !== this.#generation || full.moving) {
      this.#generation = generation;
      this.#stillMs = now;
      return false;
    }
    const still = now - this.#stillMs;
    // One at a time: what it lets go may do for the others.
    if (full.stuck) return full.newest && still >= this.#standstillMs;
    return still >= Math.max(this.#standstillMs, cacheHeldMsMax);
  }
}

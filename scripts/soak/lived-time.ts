import { every, monotonicMs, sleep } from '../../src/core/runtime.js';

/** Milliseconds between two looks at the clock, and those that a look counts at most. */
const tickMs = 250;

/**
 * Milliseconds in which this process ran: a machine that stops it for a while, as measurements of others do here, stops all of
 * a soak, and what takes long then is not late.
 */
export class LivedTime {
  #ms = 0;
  #seenMs: number = monotonicMs();
  readonly stop: () => void;

  constructor() {
    this.stop = every(tickMs, () => this.#look());
  }

  get ms(): number {
    this.#look();
    return this.#ms;
  }

  #look(): void {
    const now = monotonicMs();
    this.#ms += Math.min(now - this.#seenMs, 4 * tickMs);
    this.#seenMs = now;
  }
}

/** As `sleep`, but for time in which this process ran. */
export async function livedSleep(ms: number, signal?: AbortSignal): Promise<void> {
  for (let left = ms; left > 0; left -= tickMs) await sleep(Math.min(tickMs, left), signal);
}

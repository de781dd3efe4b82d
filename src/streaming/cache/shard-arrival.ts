import type { Wish } from './cache-demand.js';

/** What brings a shard for those who asked for it. */
export interface Arrival {
  readonly wish: Wish;
  /** Those who wait for it. */
  readonly waiters: Set<object>;
  done: Promise<void>;
  granted: boolean;
}

/** Nobody waits yet, and nothing is done. */
export function arrivalOf(shard: number): Arrival {
  const wish = { shard, since: undefined, impatient: false };
  return { wish, waiters: new Set(), done: Promise.resolve(), granted: false };
}

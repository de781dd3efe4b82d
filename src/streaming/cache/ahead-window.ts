import { aheadBytesDefault, aheadShardsMin, aheadUsedMax } from '../../core/limits.js';

/** How far is fetched ahead: until the weights of the expected shards, each once, come to `most`; those in use weigh 0. */
export interface Ahead {
  readonly most: number;
  readonly weight: (shard: number) => number;
}

/** The weight of a shard of so many bytes where nothing else is said: those that are fetched ahead come to 1. */
export function aheadShare(bytes: number): number {
  return Math.min(1 / aheadShardsMin, Math.max(1, bytes) / aheadBytesDefault);
}

/** Walks the expected shards, in order, as far as they are fetched ahead. */
export class AheadWindow {
  readonly #ahead: Ahead;
  readonly #seen = new Set<number>();
  #weight = 0;
  #used = 0;

  constructor(ahead: Ahead) {
    this.#ahead = ahead;
  }

  /** Whether the next one, `shard`, lies within. */
  takes(shard: number): boolean {
    if (this.#weight >= this.#ahead.most || this.#used >= aheadUsedMax) return false;
    if (this.#seen.has(shard)) return true;
    this.#seen.add(shard);
    const weight = this.#ahead.weight(shard);
    this.#weight += weight;
    if (weight === 0) this.#used++;
    return true;
  }
}

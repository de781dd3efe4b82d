import type { NodeNeeds } from './step-needs.js';

/** What a shard takes: while it is fetched and unpacked, and from then on. */
export interface ShardRoom {
  readonly fetchedBytes: number;
  readonly mostBytes: number;
  readonly keptBytes: number;
}

/** The places in a node's needs where each shard is needed, rising. */
export class ShardNeeds {
  readonly #ends: Float64Array;
  readonly #places: Float64Array;

  constructor({ shards }: NodeNeeds, shardCount: number) {
    this.#ends = new Float64Array(shardCount + 1);
    for (const shard of shards) this.#ends[shard + 1]!++;
    for (let shard = 0; shard < shardCount; shard++) this.#ends[shard + 1]! += this.#ends[shard]!;
    const next = this.#ends.slice();
    this.#places = new Float64Array(shards.length);
    for (const [place, shard] of shards.entries()) this.#places[next[shard]!++] = place;
  }

  /** The first place behind `after` that needs `shard`; Infinity where there is none. */
  next(shard: number, after: number): number {
    const end = this.#ends[shard + 1]!;
    let [low, high] = [this.#ends[shard]!, end];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.#places[middle]! <= after) low = middle + 1;
      else high = middle;
    }
    return low < end ? this.#places[low]! : Number.POSITIVE_INFINITY;
  }

  /** The last place that needs `shard`; -1 where there is none. */
  last(shard: number): number {
    const [start, end] = [this.#ends[shard]!, this.#ends[shard + 1]!];
    return start === end ? -1 : this.#places[end - 1]!;
  }
}

/**
 * The least bytes with which a node never fetches a shard twice: the most, over all first needs, that is still needed later
 * and what the shard in hand takes while it is unpacked.
 *
 * Shards are fetched in the order of need, so with so many bytes there is room for each once its turn comes; with one less,
 * at the place of the most, something that is needed again has to go.
 */
export function leastCacheBytes({ shards }: NodeNeeds, needs: ShardNeeds, room: (shard: number) => ShardRoom): number {
  let live = 0;
  let least = 0;
  for (const [place, shard] of shards.entries()) {
    const { mostBytes, keptBytes } = room(shard);
    if (needs.next(shard, -1) === place) {
      least = Math.max(least, live + mostBytes);
      live += keptBytes;
    }
    if (needs.last(shard) === place) live -= keptBytes;
  }
  return least;
}

import type { ShardNeeds, ShardRoom } from './shard-needs.js';
import type { NodeNeeds } from './step-needs.js';

/** A shard that a node fetched. */
export interface SimulatedDownload {
  readonly node: number;
  readonly shard: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly bytes: number;
  /** Whether the node had fetched it before. */
  readonly again: boolean;
  /** Bytes in the cache while it is fetched. */
  readonly cacheBytes: number;
}

/** A node's cache and link. */
export interface NodeSettings {
  readonly node: number;
  readonly bytesPerMs: number;
  /** At least what each of its shards takes while it is fetched. */
  readonly limitBytes: number;
  readonly room: (shard: number) => ShardRoom;
  /** Shards are fetched ahead until the weights of those that were not used yet come to `most`. */
  readonly ahead: { readonly most: number; readonly weight: (shard: number) => number };
}

/**
 * One node: shards come one after the other over its link, in the order of need, and leave the cache for those that are
 * needed sooner: the one that is needed last first, and never for one that is needed after it.
 *
 * A step's needs are met in order, each once its shard is there; from then on the shard may go.
 */
export class SimulatedNode {
  readonly downloads: SimulatedDownload[] = [];
  readonly #needs: NodeNeeds;
  readonly #places: ShardNeeds;
  readonly #settings: NodeSettings;
  /** Shard → when it is there. */
  readonly #present = new Map<number, number>();
  readonly #fetched = new Set<number>();
  /** Fetched, and not used since. */
  readonly #unused = new Set<number>();
  #unusedWeight = 0;
  #usedBytes = 0;
  #linkFreeMs = 0;
  /** The next need, and when the one before it was met. */
  #next = 0;
  #metMs = 0;
  /** Of the needs before this one none waits for a shard that is not fetched. */
  #planned = 0;

  constructor(needs: NodeNeeds, places: ShardNeeds, settings: NodeSettings) {
    this.#needs = needs;
    this.#places = places;
    this.#settings = settings;
  }

  /** Meets the needs of step `step`, none of them before `fromMs`; returns when all were met. */
  meet(step: number, fromMs: number): number {
    this.#metMs = Math.max(this.#metMs, fromMs);
    for (const end = this.#needs.stepStart[step + 1]!; this.#next < end; this.#next++) {
      const shard = this.#needs.shards[this.#next]!;
      if (!this.#present.has(shard)) this.#fetch(shard, this.#evictions(shard, this.#next) ?? []);
      this.#metMs = Math.max(this.#metMs, this.#present.get(shard)!);
      if (this.#unused.delete(shard)) this.#unusedWeight -= this.#settings.ahead.weight(shard);
    }
    return this.#metMs;
  }

  /** Fetches ahead what can be begun before `untilMs`. */
  fetchAhead(untilMs: number): void {
    const { shards } = this.#needs;
    while (Math.max(this.#linkFreeMs, this.#metMs) < untilMs && this.#unusedWeight < this.#settings.ahead.most) {
      this.#planned = Math.max(this.#planned, this.#next);
      while (this.#planned < shards.length && this.#present.has(shards[this.#planned]!)) this.#planned++;
      const shard = shards[this.#planned];
      if (shard === undefined) return;
      const evict = this.#evictions(shard, this.#planned);
      if (evict === undefined) return;
      this.#fetch(shard, evict);
    }
  }

  #fetch(shard: number, evict: readonly number[]): void {
    const { bytesPerMs, room, ahead, node } = this.#settings;
    for (const gone of evict) {
      this.#present.delete(gone);
      this.#usedBytes -= room(gone).keptBytes;
      if (this.#unused.delete(gone)) this.#unusedWeight -= ahead.weight(gone);
      this.#planned = Math.min(this.#planned, this.#places.next(gone, this.#next - 1));
    }
    const { fetchedBytes, mostBytes, keptBytes } = room(shard);
    const startMs = Math.max(this.#linkFreeMs, this.#metMs);
    const endMs = startMs + fetchedBytes / bytesPerMs;
    const again = this.#fetched.has(shard);
    this.downloads.push({
      node,
      shard,
      startMs,
      endMs,
      bytes: fetchedBytes,
      again,
      cacheBytes: this.#usedBytes + mostBytes,
    });
    this.#linkFreeMs = endMs;
    this.#fetched.add(shard);
    this.#present.set(shard, endMs);
    this.#usedBytes += keptBytes;
    this.#unused.add(shard);
    this.#unusedWeight += ahead.weight(shard);
  }

  /** What has to go for `shard`, which is needed at `place`; undefined where something that has to go is needed before. */
  #evictions(shard: number, place: number): number[] | undefined {
    const { limitBytes, room } = this.#settings;
    const evict: number[] = [];
    let free = limitBytes - this.#usedBytes;
    const gone = new Set<number>();
    while (free < room(shard).mostBytes) {
      let best: { shard: number; need: number } | undefined;
      let mostHeld = Number.NEGATIVE_INFINITY;
      for (const held of this.#present.keys()) {
        if (gone.has(held)) continue;
        const need = this.#places.next(held, place);
        if (this.#places.next(held, this.#next - 1) < place) mostHeld = Math.max(mostHeld, need);
        else if (best === undefined || need > best.need) best = { shard: held, need };
      }
      if (best === undefined || best.need < mostHeld) return undefined;
      gone.add(best.shard);
      evict.push(best.shard);
      free += room(best.shard).keptBytes;
    }
    return evict;
  }
}

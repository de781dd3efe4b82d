import { planAhead } from '../cache/ahead-plan.js';
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

interface HeldShard {
  readonly bytes: number;
  /** It is let go as soon as a need is met, so it may go at any time. */
  readonly free: true;
  /** The need that it met last. */
  used: number;
  readonly readyMs: number;
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
  readonly #present = new Map<number, HeldShard>();
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
      if (!this.#present.has(shard)) this.#fetch(shard, this.#evictions(shard, this.#next)!);
      const held = this.#present.get(shard)!;
      held.used = this.#next;
      this.#metMs = Math.max(this.#metMs, held.readyMs);
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
      this.#usedBytes -= this.#present.get(gone)!.bytes;
      this.#present.delete(gone);
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
    this.#present.set(shard, { bytes: keptBytes, free: true, used: -1, readyMs: endMs });
    this.#usedBytes += keptBytes;
    this.#unused.add(shard);
    this.#unusedWeight += ahead.weight(shard);
  }

  /** What has to go for `shard`, needed at `place`, by the cache's own rule; undefined where that has to stay until then. */
  #evictions(shard: number, place: number): readonly number[] | undefined {
    const { limitBytes, room } = this.#settings;
    const [plan] = planAhead({
      expected: { known: () => one({ place, shard }) },
      next: (held, after = this.#next - 1) => this.#places.next(held, after),
      present: this.#present,
      coming: none,
      bytesOf: (fetched) => room(fetched).mostBytes,
      room: limitBytes - this.#usedBytes,
      ahead: { most: 1, weight: () => 0 },
      fetches: 1,
    });
    return plan?.evict;
  }
}

const none: ReadonlySet<number> = new Set();

function* one<T>(item: T): Generator<T> {
  yield item;
}

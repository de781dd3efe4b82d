import { cacheExpectedMax } from '../../core/limits.js';
import { type Ahead, AheadWindow } from './ahead-window.js';

/** Places of the order that a reader may be behind others of its kind: what it has passed by so far is not waited for. */
const passedOver = 256;

/** The shards that will be needed, in order, as far as they have been drawn of what was told. */
export class ExpectedShards {
  #rest: Iterator<number> | undefined;
  /** Place in the order → shard; in order. */
  readonly #queue = new Map<number, number>();
  /** Shard → its places, rising. */
  readonly #places = new Map<number, number[]>();
  readonly #count: number;
  #drawn = 0;
  #newest = -1;

  /** @param count shards there are; numbers that are none of them are passed over. */
  constructor(count: number) {
    this.#count = count;
  }

  /** Forgets what was expected before, and expects `shards`. */
  replace(shards: Iterable<number>): void {
    this.#queue.clear();
    this.#places.clear();
    this.#rest = shards[Symbol.iterator]();
  }

  /** Draws on until a place is known for each of `shards`, or the limit is reached. */
  drawUntil(shards: Iterable<number>): void {
    const unknown = new Set<number>();
    for (const shard of shards) if (!this.#places.has(shard)) unknown.add(shard);
    while (unknown.size > 0 && this.draw(this.#queue.size + 1)) unknown.delete(this.#newest);
  }

  /** Draws on until `many` places are known; false where there are no more, or the limit is reached. */
  draw(many: number): boolean {
    while (this.#rest !== undefined && this.#queue.size < Math.min(many, cacheExpectedMax)) {
      const { done, value } = this.#rest.next();
      if (done === true) this.#rest = undefined;
      else if (Number.isInteger(value) && value >= 0 && value < this.#count) this.#add(value);
    }
    return this.#queue.size >= many;
  }

  /** Draws as far as is fetched ahead, and gives the shards up to there. */
  soonest(ahead: Ahead): Set<number> {
    const shards = new Set<number>();
    const window = new AheadWindow(ahead);
    let at = 0;
    this.draw(1);
    for (const shard of this.#queue.values()) {
      if (!window.takes(shard)) break;
      shards.add(shard);
      this.draw(++at + 1);
    }
    return shards;
  }

  /** The needs that were drawn, in order. */
  *known(): Generator<{ readonly place: number; readonly shard: number }> {
    for (const [place, shard] of this.#queue) yield { place, shard };
  }

  /** One need of `shard` is met. */
  take(shard: number): void {
    this.draw(1);
    const places = this.#places.get(shard);
    const place = places?.shift();
    if (place === undefined) return;
    if (places!.length === 0) this.#places.delete(shard);
    this.#queue.delete(place);
    for (const [early, other] of this.#queue) {
      if (early >= place - passedOver) break;
      this.#queue.delete(early);
      const others = this.#places.get(other)!;
      others.shift();
      if (others.length === 0) this.#places.delete(other);
    }
  }

  /** The first place after `after` that needs `shard`, of those drawn; Infinity where there is none. */
  next(shard: number, after: number = Number.NEGATIVE_INFINITY): number {
    return this.#places.get(shard)?.find((place) => place > after) ?? Number.POSITIVE_INFINITY;
  }

  /** The next shards, each once, as many of the drawn as `most`. */
  soon(most: number): number[] {
    const shards = new Set<number>();
    for (const shard of this.#queue.values()) {
      if (shards.size === most) break;
      shards.add(shard);
    }
    return [...shards];
  }

  /** The place that is needed first, of those drawn; undefined where none is. */
  first(): number | undefined {
    for (const place of this.#queue.keys()) return place;
    return undefined;
  }

  #add(shard: number): void {
    const place = this.#drawn++;
    this.#newest = shard;
    this.#queue.set(place, shard);
    const places = this.#places.get(shard);
    if (places === undefined) this.#places.set(shard, [place]);
    else places.push(place);
  }
}

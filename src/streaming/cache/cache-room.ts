import type { Full, Wish } from './cache-demand.js';
import type { CacheLedger } from './cache-ledger.js';
import type { OtherMember } from './cache-members.js';
import type { ExpectedShards } from './expected-shards.js';
import type { OwnNeeds } from './own-needs.js';
import type { ShardSource } from './shard-source.js';

/** The room of a cache folder: what takes it, what must stay, and what goes first. Called with the lock held. */
export class CacheRoom {
  readonly #ledger: CacheLedger;
  readonly #source: ShardSource;
  readonly #limit: number;
  readonly #expected: ExpectedShards;
  readonly #own: OwnNeeds;

  constructor(ledger: CacheLedger, source: ShardSource, limit: number, expected: ExpectedShards, own: OwnNeeds) {
    this.#ledger = ledger;
    this.#source = source;
    this.#limit = limit;
    this.#expected = expected;
    this.#own = own;
  }

  /** Bytes of shards that are here and of those on their way, and of other files. */
  taken(others: readonly OtherMember[]): number {
    let bytes = this.#ledger.otherBytes();
    for (const entry of this.#ledger.present()) bytes += entry.bytes;
    for (const shard of this.coming(others)) bytes += this.#source.bytesOf(shard);
    return bytes;
  }

  /** Bytes that are free; below 0 where too many are taken. */
  free(others: readonly OtherMember[]): number {
    return this.#limit === Number.POSITIVE_INFINITY ? this.#limit : this.#limit - this.taken(others);
  }

  /** Shards that must stay. */
  held(others: readonly OtherMember[]): Set<number> {
    const held = new Set([...this.#own.pins, ...this.#own.checking]);
    for (const { pins, checking } of others) for (const shard of [...pins, ...checking]) held.add(shard);
    return held;
  }

  /** Shards that are on their way. */
  coming(others: readonly OtherMember[]): Set<number> {
    return new Set([...this.#own.fetching, ...others.flatMap(({ fetching }) => fetching)]);
  }

  /** When anyone needs a shard next, by places of this member's order: others' begin at its next one. */
  next(others: readonly OtherMember[]): (shard: number, after?: number) => number {
    const first = this.#expected.first() ?? 0;
    const told = new Map<number, number[]>();
    for (const { next } of others) {
      for (const [at, shard] of next.entries()) {
        const places = told.get(shard);
        if (places === undefined) told.set(shard, [first + at]);
        else places.push(first + at);
      }
    }
    return (shard, after = Number.NEGATIVE_INFINITY) => {
      let need = this.#expected.next(shard, after);
      for (const place of told.get(shard) ?? []) if (place > after) need = Math.min(need, place);
      return need;
    };
  }

  /** Shards that may go and come to `bytes`, or all there are: those first that are needed last, then those used longest ago. */
  victims(bytes: number, others: readonly OtherMember[]): { shards: number[]; bytes: number } {
    if (bytes <= 0) return { shards: [], bytes: 0 };
    const held = this.held(others);
    const found = [...this.#ledger.present()].filter(({ shard }) => !held.has(shard));
    const next = this.next(others);
    const ranked = found.map((entry) => ({ ...entry, need: next(entry.shard) }));
    ranked.sort((a, b) => (a.need === b.need ? a.used - b.used : b.need - a.need));
    const victims = { shards: [] as number[], bytes: 0 };
    for (const victim of ranked) {
      if (victims.bytes >= bytes) break;
      victims.shards.push(victim.shard);
      victims.bytes += victim.bytes;
    }
    return victims;
  }

  /** The shards that go for the one that is wished for; undefined where there is no room for it now. */
  make(
    { shard, since = Number.POSITIVE_INFINITY, impatient }: Wish,
    others: readonly OtherMember[],
  ): number[] | undefined {
    if (this.#limit === Number.POSITIVE_INFINITY) return [];
    // Who holds shards goes on as soon as may be, as others wait for those; who holds none lets the older ones go first.
    const yields = this.#own.pins.size === 0 && !impatient;
    if (yields && this.#waits(others).some((other) => other < since)) return undefined;
    const lacking = this.#source.bytesOf(shard) - this.free(others);
    const victims = this.victims(lacking, others);
    return victims.bytes >= lacking ? victims.shards : undefined;
  }

  /** Why there is no room for `wish`, which waits by now. */
  full(wish: Wish, others: readonly OtherMember[]): Full {
    const all = [...others, this.#own.told()];
    const held = this.held(others);
    const wanted = all.flatMap(({ waiting }) => waiting.map(({ shard }) => shard));
    let least = this.#ledger.otherBytes();
    for (const shard of new Set([...held, ...wanted])) least += this.#source.bytesOf(shard);
    return {
      least,
      moving: all.some(({ fetching, checking }) => fetching.length + checking.length > 0),
      stuck: others.every(({ pins, waiting }) => pins.length === 0 || waiting.length > 0),
      newest: wish.since === Math.max(...this.#waits(others)),
      pinned: held.size,
      members: all.filter(({ pins }) => pins.length > 0).length,
    };
  }

  /** Since when each wish waits, everyone's. */
  #waits(others: readonly OtherMember[]): number[] {
    return [...others, this.#own.told()].flatMap(({ waiting }) => waiting.map(({ since }) => since));
  }
}

import { join } from 'node:path';
import { SpiralError } from '../core/errors.js';
import { cacheToldMax } from '../core/limits.js';
import { type AheadFetch, type AheadSituation, planAhead } from './ahead-plan.js';
import type { Demand, Full, Wish } from './cache-demand.js';
import type { CacheFiles } from './cache-files.js';
import { CacheLedger } from './cache-ledger.js';
import { thisBoot } from './cache-member.js';
import { CacheMembers, type MemberNeeds, type OtherMember } from './cache-members.js';
import type { ExpectedShards } from './expected-shards.js';
import type { ShardSource } from './shard-source.js';

/**
 * The books of a cache folder: which shards are there, who uses them, who fetches which, and what has to go for it. Every
 * method is called with the lock held, and is synchronous. Files are moved and deleted here alone, always before what the
 * books say of them grows and after it shrinks, so that a process killed between leaves books that count too much, never
 * too little; what a dead member was at is set right by the next.
 */
export class CacheBooks {
  readonly members: CacheMembers;
  readonly #files: CacheFiles;
  readonly #source: ShardSource;
  readonly #limit: number;
  readonly #expected: ExpectedShards;
  readonly #ledger: CacheLedger;
  readonly #pins = new Set<number>();
  readonly #fetching = new Set<number>();
  readonly #checking = new Set<number>();
  readonly #waiting = new Set<Wish>();
  evictions = 0;

  /** @param limit bytes of all files; Infinity for none. */
  constructor(files: CacheFiles, source: ShardSource, limit: number, expected: ExpectedShards) {
    this.#files = files;
    this.#source = source;
    this.#limit = limit;
    this.#expected = expected;
    this.members = new CacheMembers(files.own, (needs) => this.#recover(needs));
    this.#ledger = new CacheLedger(join(files.own, 'ledger'), {
      count: source.count,
      identity: source.identity,
      boot: thisBoot() ?? '',
    });
  }

  /**
   * Finds what is in the folder, where no member did so before.
   *
   * @throws SpiralError `already_exists` where others use it for something else, `limit_exceeded`, `unsupported`.
   */
  open(): void {
    const standing = this.#ledger.standing();
    if (standing === 'other') this.#takeOver();
    this.members.sweep();
    if (standing !== 'same') {
      const { found, otherBytes } = this.#files.takeStock();
      this.#ledger.begin(found, otherBytes);
    }
    let most = 0;
    for (let shard = 0; shard < this.#source.count; shard++) most = Math.max(most, this.#source.bytesOf(shard));
    const least = most + this.#ledger.otherBytes();
    if (least <= this.#limit) {
      this.#shrink();
      return;
    }
    throw new SpiralError(
      'limit_exceeded',
      `Expected the limit of the cache in ${this.#files.folder} to be at least ${least} bytes, got ${this.#limit}: its largest shard ` +
        `takes ${most} while it is fetched, and other files in the folder ${this.#ledger.otherBytes()}. Raise the limit.`,
      { details: { folder: this.#files.folder, limit: this.#limit, least } },
    );
  }

  /** Whether something changed since this was asked before, without the lock. */
  generation(): number {
    return this.#ledger.generation();
  }

  /** Wants a shard to be in use. */
  demand(wish: Wish): Demand {
    const { shard } = wish;
    if (this.#pins.has(shard)) return 'here';
    const entry = this.#ledger.entry(shard);
    const others = this.members.others();
    if (entry.state !== 'absent') {
      const print = this.#files.print(shard);
      if (print === undefined) this.#discard(shard);
      else if (entry.state === 'checked' && entry.print === print) return this.#pin(wish);
      else if (others.some(({ checking }) => checking.includes(shard))) return 'elsewhere';
      else {
        this.#checking.add(shard);
        this.#pin(wish);
        return 'check';
      }
    }
    if (others.some(({ fetching }) => fetching.includes(shard))) return 'elsewhere';
    if (this.#limit < Number.POSITIVE_INFINITY && !this.#makeRoom(wish, others)) return this.#full(wish, others);
    this.#waiting.delete(wish);
    this.#fetching.add(shard);
    this.#save();
    return 'fetch';
  }

  /** Takes room for shards that will be needed, and says which these are. */
  ahead(ahead: AheadSituation['ahead'], fetches: number): AheadFetch[] {
    const others = this.members.others();
    if (this.#waiting.size > 0 || others.some(({ waiting }) => waiting.length > 0)) return [];
    const held = this.#held(others);
    const present = new Map<number, { bytes: number; free: boolean; used: number }>();
    for (const { shard, bytes, used } of this.#ledger.present()) {
      present.set(shard, { bytes, used, free: !held.has(shard) });
    }
    const coming = this.#coming(others);
    if (this.#limit < Number.POSITIVE_INFINITY) this.#expected.drawUntil(present.keys());
    const plan = planAhead({
      expected: this.#expected,
      next: this.#next(others),
      present,
      coming,
      bytesOf: (shard) => this.#source.bytesOf(shard),
      room: this.#room(coming),
      ahead,
      fetches,
    });
    for (const { shard, evict } of plan) {
      for (const victim of evict) this.#evict(victim);
      this.#fetching.add(shard);
    }
    if (plan.length > 0) this.#save();
    return plan;
  }

  /** What was fetched into `from` becomes the shard; with `pin`, it is in use at once. Gives its bytes. */
  publish(shard: number, from: string, pin: boolean): number {
    const bytes = this.#files.move(shard, from);
    const print = this.#files.print(shard) ?? 0;
    this.#ledger.set(shard, { state: 'checked', bytes, print, used: this.#ledger.tick() });
    this.#fetching.delete(shard);
    if (pin) this.#pins.add(shard);
    this.#save();
    return bytes;
  }

  /** A fetch came to nothing; its files are gone. */
  abandon(shard: number): void {
    this.#fetching.delete(shard);
    this.#save();
  }

  /** The files of a shard were checked: whole as they were when `print` was made, or not, with undefined. */
  checked(shard: number, print: number | undefined): void {
    this.#checking.delete(shard);
    if (print !== undefined) this.#ledger.set(shard, { ...this.#ledger.entry(shard), state: 'checked', print });
    this.#save();
  }

  /** Files of a shard are damaged: they go, and it is in use no more. */
  discard(shard: number): void {
    this.#checking.delete(shard);
    this.#pins.delete(shard);
    this.#discard(shard);
    this.#save();
  }

  unpin(shard: number): void {
    if (!this.#pins.delete(shard)) return;
    this.#ledger.set(shard, { ...this.#ledger.entry(shard), used: this.#ledger.tick() });
    this.#save();
  }

  /** A wish is given up. */
  forget(wish: Wish): void {
    if (this.#waiting.delete(wish)) this.#save();
  }

  /** Deletes a shard, unless someone uses it: false then. */
  evict(shard: number): boolean {
    const others = this.members.others();
    const busy = this.#held(others).has(shard) || this.#fetching.has(shard);
    if (busy || others.some(({ fetching }) => fetching.includes(shard))) return false;
    if (this.#ledger.entry(shard).state === 'absent') return true;
    this.#evict(shard);
    this.#ledger.bump();
    return true;
  }

  /** Deletes what may go so that the disk has room for the shard; false where nothing may. */
  evictForDisk(shard: number): boolean {
    const others = this.members.others();
    let bytes = this.#source.bytesOf(shard);
    const victims = this.#victims(others);
    for (const victim of victims) {
      if (bytes <= 0) break;
      bytes -= victim.bytes;
      this.#evict(victim.shard);
    }
    this.#ledger.bump();
    return victims.length > 0;
  }

  /** Bytes of shards, and of room taken for those on their way. */
  size(): number {
    const others = this.members.others();
    return this.#taken(this.#coming(others));
  }

  leave(): void {
    this.members.leave();
    this.#ledger.bump();
    this.#ledger.close();
  }

  #pin(wish: Wish): 'here' {
    this.#pins.add(wish.shard);
    this.#waiting.delete(wish);
    this.#save();
    return 'here';
  }

  #save(): void {
    this.members.save({
      pins: [...this.#pins],
      fetching: [...this.#fetching],
      checking: [...this.#checking],
      waiting: [...this.#waiting].map(({ since, shard }) => ({ since: since!, shard })),
      next: this.#expected.soon(cacheToldMax),
    });
    this.#ledger.bump();
  }

  /** Shards that must stay. */
  #held(others: readonly OtherMember[]): Set<number> {
    const held = new Set([...this.#pins, ...this.#checking]);
    for (const { pins, checking } of others) for (const shard of [...pins, ...checking]) held.add(shard);
    return held;
  }

  /** Shards that are on their way. */
  #coming(others: readonly OtherMember[]): Set<number> {
    return new Set([...this.#fetching, ...others.flatMap(({ fetching }) => fetching)]);
  }

  /** When anyone needs a shard next. */
  #next(others: readonly OtherMember[]): (shard: number, after?: number) => number {
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

  #taken(coming: ReadonlySet<number>): number {
    let bytes = this.#ledger.otherBytes();
    for (const entry of this.#ledger.present()) bytes += entry.bytes;
    for (const shard of coming) bytes += this.#source.bytesOf(shard);
    return bytes;
  }

  #room(coming: ReadonlySet<number>): number {
    return this.#limit === Number.POSITIVE_INFINITY ? this.#limit : this.#limit - this.#taken(coming);
  }

  /** Shards that may go, first those that are needed last. */
  #victims(others: readonly OtherMember[]): { shard: number; bytes: number }[] {
    const held = this.#held(others);
    const found = [...this.#ledger.present()].filter(({ shard }) => !held.has(shard));
    this.#expected.drawUntil(new Set(found.map(({ shard }) => shard)));
    const next = this.#next(others);
    const ranked = found.map((entry) => ({ ...entry, need: next(entry.shard) }));
    return ranked.sort((a, b) => (a.need === b.need ? a.used - b.used : b.need - a.need));
  }

  #makeRoom({ shard, since = Number.POSITIVE_INFINITY, impatient }: Wish, others: readonly OtherMember[]): boolean {
    const waiting = [...[...this.#waiting].map((wish) => wish.since!), ...others.flatMap((other) => sinceOf(other))];
    // Who holds shards goes on as soon as may be, as others wait for those; who holds none lets the older ones go first.
    if (this.#pins.size === 0 && !impatient && waiting.some((other) => other < since)) return false;
    const coming = this.#coming(others);
    let lacking = this.#source.bytesOf(shard) - this.#room(coming);
    if (lacking <= 0) return true;
    const evict: number[] = [];
    for (const victim of this.#victims(others)) {
      if (lacking <= 0) break;
      lacking -= victim.bytes;
      evict.push(victim.shard);
    }
    if (lacking > 0) return false;
    for (const victim of evict) this.#evict(victim);
    return true;
  }

  #full(wish: Wish, others: readonly OtherMember[]): Full {
    if (wish.since === undefined) {
      wish.since = this.#ledger.tick();
      this.#waiting.add(wish);
      this.#save();
    }
    const all = [...others, { pins: [...this.#pins], fetching: [...this.#fetching], checking: [...this.#checking] }];
    const held = this.#held(others);
    const wanted = new Set([...this.#waiting].map(({ shard }) => shard));
    for (const { waiting } of others) for (const { shard } of waiting) wanted.add(shard);
    let least = this.#ledger.otherBytes();
    for (const shard of new Set([...held, ...wanted])) least += this.#source.bytesOf(shard);
    const since = Math.max(...[...this.#waiting].map((other) => other.since!), ...others.flatMap(sinceOf));
    return {
      least,
      moving: all.some(({ fetching, checking }) => fetching.length + checking.length > 0),
      stuck: others.every(({ pins, waiting }) => pins.length === 0 || waiting.length > 0),
      newest: wish.since === since,
      pinned: held.size,
      members: all.filter(({ pins }) => pins.length > 0).length,
    };
  }

  /** Deletes what is too much, as where the limit was larger before. */
  #shrink(): void {
    const others = this.members.others();
    let excess = -this.#room(this.#coming(others));
    for (const { shard, bytes } of excess > 0 ? this.#victims(others) : []) {
      if (excess <= 0) break;
      excess -= bytes;
      this.#evict(shard);
    }
  }

  #evict(shard: number): void {
    this.evictions++;
    this.#discard(shard);
  }

  #discard(shard: number): void {
    this.#files.remove(shard);
    this.#ledger.set(shard, { state: 'absent', bytes: 0, print: 0, used: 0 });
  }

  /** A member died while it fetched: whatever of it stands in the folder is no shard yet. */
  #recover({ fetching }: MemberNeeds): void {
    for (const shard of fetching) {
      if (shard < this.#source.count && this.#ledger.entry(shard).state === 'absent') this.#discard(shard);
    }
  }

  /** Clears away the files of what the folder held before. */
  #takeOver(): void {
    const other = this.members.others()[0];
    if (other !== undefined) {
      throw new SpiralError(
        'already_exists',
        `Expected the cache folder ${this.#files.folder} to be free, but process ${other.member.pid} uses it for another data set, ` +
          'another version of it or other settings. Give each a folder of its own, or end that process.',
        { details: { folder: this.#files.folder, pid: other.member.pid } },
      );
    }
    this.#files.removeOld();
  }
}

function sinceOf({ waiting }: Pick<MemberNeeds, 'waiting'>): number[] {
  return waiting.map(({ since }) => since);
}

import { join } from 'node:path';
import { SpiralError } from '../../core/errors.js';
import { type AheadFetch, type AheadSituation, planAhead } from './ahead-plan.js';
import type { Demand, Wish } from './cache-demand.js';
import type { CacheFiles } from './cache-files.js';
import { CacheLedger } from './cache-ledger.js';
import { thisBoot } from './cache-member.js';
import { CacheMembers, type MemberNeeds } from './cache-members.js';
import { CacheRoom } from './cache-room.js';
import type { ExpectedShards } from './expected-shards.js';
import { OwnNeeds } from './own-needs.js';
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
  readonly #own: OwnNeeds;
  readonly #room: CacheRoom;
  evictions = 0;

  /** @param limit bytes of all files; Infinity for none. */
  constructor(files: CacheFiles, source: ShardSource, limit: number, expected: ExpectedShards) {
    this.#files = files;
    this.#source = source;
    this.#limit = limit;
    this.#expected = expected;
    const { count, identity } = source;
    this.#ledger = new CacheLedger(join(files.own, 'ledger'), { count, identity, boot: thisBoot() ?? '' });
    this.members = new CacheMembers(files.own, (needs) => this.#recover(needs));
    this.#own = new OwnNeeds(expected, (needs) => {
      this.members.save(needs);
      this.#ledger.bump();
    });
    this.#room = new CacheRoom(this.#ledger, source, limit, expected, this.#own);
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
    if (least > this.#limit) {
      throw new SpiralError(
        'limit_exceeded',
        `Expected the limit of the cache in ${this.#files.folder} to be at least ${least} bytes, got ${this.#limit}: its largest ` +
          `shard takes ${most} while it is fetched, and other files in the folder ${least - most}. Raise the limit.`,
        { details: { folder: this.#files.folder, limit: this.#limit, least } },
      );
    }
    // The limit may have been larger before.
    const others = this.members.others();
    for (const shard of this.#room.victims(-this.#room.free(others), others).shards) this.#evict(shard);
  }

  /** A number that changes with all that others may wait for; read without the lock. */
  generation(): number {
    return this.#ledger.generation();
  }

  /** Whether any of `shards` is not here; read without the lock, so only likely. */
  lacks(shards: Iterable<number>): boolean {
    for (const shard of shards) if (this.#ledger.entry(shard).state === 'absent') return true;
    return false;
  }

  /** Draws as much of what is expected as eviction asks for. Without the lock: how long that takes is the caller's matter. */
  foresee(): void {
    const shards: number[] = [];
    for (const { shard } of this.#ledger.present()) shards.push(shard);
    this.#expected.drawUntil(shards);
  }

  /** Wants a shard to be in use. */
  demand(wish: Wish): Demand {
    const { shard } = wish;
    if (this.#own.pins.has(shard)) return 'here';
    const entry = this.#ledger.entry(shard);
    const print = entry.state === 'absent' ? undefined : this.#files.print(shard);
    if (entry.state === 'checked' && entry.print === print) {
      this.#pin(wish, false);
      return 'here';
    }
    const others = this.members.others();
    if (print !== undefined) {
      if (others.some(({ checking }) => checking.includes(shard))) return 'elsewhere';
      this.#pin(wish, true);
      return 'check';
    }
    if (entry.state !== 'absent') this.#discard(shard);
    if (others.some(({ fetching }) => fetching.includes(shard))) return 'elsewhere';
    const victims = this.#room.make(wish, others);
    if (victims === undefined) {
      if (wish.since === undefined) this.#wait(wish);
      return this.#room.full(wish, others);
    }
    for (const victim of victims) this.#evict(victim);
    this.#own.change(() => {
      this.#own.waiting.delete(wish);
      this.#own.fetching.add(shard);
    });
    return 'fetch';
  }

  /** Takes room for shards that will be needed, and says which these are. */
  ahead(ahead: AheadSituation['ahead'], fetches: number): AheadFetch[] {
    const others = this.members.others();
    if (this.#own.waiting.size > 0 || others.some(({ waiting }) => waiting.length > 0)) return [];
    const held = this.#room.held(others);
    const present = new Map<number, { bytes: number; free: boolean; used: number }>();
    for (const { shard, bytes, used } of this.#ledger.present()) {
      present.set(shard, { bytes, used, free: !held.has(shard) });
    }
    const plan = planAhead({
      expected: this.#expected,
      next: this.#room.next(others),
      present,
      coming: this.#room.coming(others),
      bytesOf: (shard) => this.#source.bytesOf(shard),
      room: this.#room.free(others),
      ahead,
      fetches,
    });
    if (plan.length === 0) return plan;
    for (const victim of plan.flatMap(({ evict }) => evict)) this.#evict(victim);
    this.#own.change(() => {
      for (const { shard } of plan) this.#own.fetching.add(shard);
    });
    return plan;
  }

  /** What was fetched into `from` becomes the shard; with `pin`, it is in use at once. Gives its bytes. */
  publish(shard: number, from: string, pin: boolean): number {
    const bytes = this.#files.move(shard, from);
    const print = this.#files.print(shard) ?? 0;
    this.#ledger.set(shard, { state: 'checked', bytes, print, used: this.#ledger.tick() });
    this.#own.change(() => {
      this.#own.fetching.delete(shard);
      if (pin) this.#own.pins.add(shard);
    });
    return bytes;
  }

  /** A fetch came to nothing; its files are gone, but for those that may have been moved already. */
  abandon(shard: number): void {
    if (this.#ledger.entry(shard).state === 'absent') this.#discard(shard);
    this.#own.change(() => this.#own.fetching.delete(shard));
  }

  /** The files of a shard are whole, as they were when `print` was made; it stays in use. */
  sound(shard: number, print: number): void {
    this.#ledger.set(shard, { ...this.#ledger.entry(shard), state: 'checked', print });
    this.#own.change(() => this.#own.checking.delete(shard));
  }

  /** A check came to no end, or found damaged files, which go: the shard is in use no more. */
  unsound(shard: number, isDamaged: boolean): void {
    if (isDamaged) this.#discard(shard);
    this.#own.change(() => {
      this.#own.checking.delete(shard);
      this.#own.pins.delete(shard);
    });
  }

  /** Shards are in use no more, used in this order. */
  unpin(shards: Iterable<number>): void {
    const pinned = [...shards].filter((shard) => this.#own.pins.has(shard));
    if (pinned.length === 0) return;
    for (const shard of pinned) {
      this.#ledger.set(shard, { ...this.#ledger.entry(shard), used: this.#ledger.tick() });
    }
    this.#own.change(() => {
      for (const shard of pinned) this.#own.pins.delete(shard);
    });
  }

  /** A wish is given up. */
  forget(wish: Wish): void {
    if (this.#own.waiting.has(wish)) this.#own.change(() => this.#own.waiting.delete(wish));
  }

  /** Deletes a shard, unless someone uses or fetches it: false then. */
  evict(shard: number): boolean {
    const others = this.members.others();
    if (this.#room.held(others).has(shard) || this.#room.coming(others).has(shard)) return false;
    if (this.#ledger.entry(shard).state === 'absent') return true;
    this.#evict(shard);
    this.#ledger.bump();
    return true;
  }

  /** Deletes what may go so that the disk has room for the shard; false where nothing may. */
  evictForDisk(shard: number): boolean {
    const { shards } = this.#room.victims(this.#source.bytesOf(shard), this.members.others());
    for (const victim of shards) this.#evict(victim);
    this.#ledger.bump();
    return shards.length > 0;
  }

  /** Bytes of shards, of room taken for those on their way, and of other files. */
  size(): number {
    return this.#room.taken(this.members.others());
  }

  leave(): void {
    this.members.leave();
    this.#ledger.bump();
    this.#ledger.close();
  }

  #pin(wish: Wish, isChecking: boolean): void {
    this.#own.change(() => {
      this.#own.pins.add(wish.shard);
      this.#own.waiting.delete(wish);
      if (isChecking) this.#own.checking.add(wish.shard);
    });
  }

  #wait(wish: Wish): void {
    wish.since = this.#ledger.tick();
    this.#own.change(() => this.#own.waiting.add(wish));
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

import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { SpiralError } from '../../core/errors.js';
import { cacheBeatMs, cacheSilenceMsMax } from '../../core/limits.js';
import { uniqueId } from '../../core/random.js';
import { monotonicMs, wallMicros } from '../../core/runtime.js';
import { systemCode } from '../../storage/file-errors.js';
import { type CacheMember, parseMember, standing, thisMember } from './cache-member.js';

/** What a member does with shards, for the others to know. */
export interface MemberNeeds {
  /** In use: they stay. */
  readonly pins: readonly number[];
  /** Being fetched: their bytes are taken already. */
  readonly fetching: readonly number[];
  /** Found in the folder and being checked. */
  readonly checking: readonly number[];
  /** What waits for room, and since when by the ledger's clock. */
  readonly waiting: readonly { readonly since: number; readonly shard: number }[];
  /** Needed next, in order. */
  readonly next: readonly number[];
}

/** Another member of the folder. */
export interface OtherMember extends MemberNeeds {
  readonly member: CacheMember;
}

const idle: MemberNeeds = { pins: [], fetching: [], checking: [], waiting: [], next: [] };

/**
 * The members of a cache folder: a file that describes each, whose time is its heartbeat, and one of what it does. A dead
 * member's are removed by the first other that sees it. All but `isDead` and `beat` is done with the lock held.
 */
export class CacheMembers {
  readonly me: CacheMember;
  /** The file that describes this member. */
  readonly file: string;
  readonly #folder: string;
  readonly #downloads: string;
  /** Called with what a dead member was at, before it is forgotten. */
  readonly #recover: (needs: MemberNeeds) => void;
  /** Heartbeats as they were seen first, and when: other clocks do not matter then, nor whether they jump. */
  readonly #seen = new Map<string, { readonly beat: bigint; readonly sinceMs: number }>();
  readonly #needs: number;
  #isLeft = false;
  /** Room for as much as is mostly told, so that a full disk keeps none from telling. */
  #length = 4096;

  /** Makes this a member, in folders `members` and `downloads` of the folder of the cache's own files. */
  constructor(own: string, recover: (needs: MemberNeeds) => void) {
    this.#folder = join(own, 'members');
    this.#downloads = join(own, 'downloads');
    this.#recover = recover;
    mkdirSync(this.#folder, { recursive: true });
    this.me = thisMember(uniqueId(''));
    this.file = join(this.#folder, this.me.id);
    writeFileSync(this.file, JSON.stringify(this.me), { flag: 'wx' });
    // After the description, so that one without it is always a leftover.
    this.#needs = openSync(`${this.file}.needs`, 'wx');
    this.save(idle);
  }

  /** A new folder for files of this member that are not whole yet. */
  downloads(number: number): string {
    return join(this.#downloads, `${this.me.id}.${number}`);
  }

  /** Publishes what this member does. */
  save(needs: MemberNeeds): void {
    const text = JSON.stringify(needs);
    // Never shorter than before, and in one write: whoever dies in between leaves the one or the other.
    this.#length = Math.max(this.#length, text.length);
    const bytes = Buffer.from(text.padEnd(this.#length));
    for (let done = 0; !this.#isLeft && done < bytes.length; )
      done += writeSync(this.#needs, bytes, done, bytes.length - done, done);
  }

  /** Says that this member lives. */
  beat(): void {
    const now = wallMicros() / 1e6;
    try {
      utimesSync(this.file, now, now);
    } catch {
      // The folder was deleted under us: whatever is done next says so.
    }
  }

  /** The other members, once dead ones are cleared away. */
  others(): OtherMember[] {
    const found: OtherMember[] = [];
    for (const name of readdirSync(this.#folder)) {
      if (name.endsWith('.needs') || name === this.me.id) continue;
      const member = this.#read(name);
      // One that cannot be read is being written at this moment, or was when its machine went down.
      if (member === undefined ? this.#isYoung(name) : !this.isDead(member)) {
        if (member !== undefined) found.push({ member, ...this.#needsOf(name) });
      } else if (!this.#clear(name) && member !== undefined) {
        found.push({ member, ...idle, fetching: this.#needsOf(name).fetching });
      }
    }
    return found;
  }

  /**
   * Removes what dead members left of which no description stands.
   *
   * @throws SpiralError `unsupported` where another machine uses the folder.
   */
  sweep(): void {
    for (const { member } of this.others()) this.#checkMachine(member);
    const known = new Set(readdirSync(this.#folder));
    for (const name of known) {
      // Looked for by itself: one who joins at this moment may be half seen in the list.
      const isLeft = name.endsWith('.needs') && !existsSync(join(this.#folder, name.slice(0, -'.needs'.length)));
      if (isLeft) remove(join(this.#folder, name));
    }
    for (const name of foldersOf(this.#downloads)) {
      if (!known.has(name.slice(0, name.indexOf('.')))) removeFolder(join(this.#downloads, name));
    }
  }

  /** Whether `member` is known to have ended. */
  isDead(member: CacheMember): boolean {
    const is = standing(member, this.me);
    if (is === 'alive' || is === 'dead') return is === 'dead';
    const beat = this.#beatOf(member.id);
    if (beat === undefined) return true;
    // A machine that was started again, unless the heart of one that has another boot beats at this very time.
    if (is === 'elsewhere') return !this.#isRecent(beat);
    const seen = this.#seen.get(member.id);
    if (seen?.beat !== beat) {
      this.#seen.set(member.id, { beat, sinceMs: monotonicMs() });
      return false;
    }
    return monotonicMs() - seen.sinceMs > cacheSilenceMsMax;
  }

  /** Ends this membership: nothing of it stays. */
  leave(): void {
    if (!this.#isLeft) closeSync(this.#needs);
    this.#isLeft = true;
    this.#remove(this.me.id);
  }

  #read(name: string): CacheMember | undefined {
    try {
      return parseMember(readFileSync(join(this.#folder, name), 'utf8'));
    } catch {
      return undefined;
    }
  }

  #needsOf(name: string): MemberNeeds {
    try {
      return { ...idle, ...(JSON.parse(readFileSync(join(this.#folder, `${name}.needs`), 'utf8')) as MemberNeeds) };
    } catch {
      return idle;
    }
  }

  /** Clears away what a dead member left; false where files of its downloads cannot be deleted yet, which go on to count. */
  #clear(name: string): boolean {
    for (const folder of foldersOf(this.#downloads)) {
      if (folder.startsWith(`${name}.`) && !removeFolder(join(this.#downloads, folder))) return false;
    }
    this.#recover(this.#needsOf(name));
    this.#remove(name);
    this.#seen.delete(name);
    return true;
  }

  #remove(name: string): void {
    remove(join(this.#folder, `${name}.needs`));
    remove(join(this.#folder, name));
  }

  #isYoung(name: string): boolean {
    const beat = this.#beatOf(name);
    return beat !== undefined && this.#isRecent(beat);
  }

  #beatOf(id: string): bigint | undefined {
    try {
      return lstatSync(join(this.#folder, id), { bigint: true }).mtimeNs;
    } catch {
      return undefined;
    }
  }

  #isRecent(beat: bigint): boolean {
    const now = BigInt(Math.round(wallMicros())) * 1000n;
    const ago = now - beat;
    return ago > -3_000_000n * BigInt(cacheBeatMs) && ago < 3_000_000n * BigInt(cacheBeatMs);
  }

  #checkMachine(member: CacheMember): void {
    if (standing(member, this.me) !== 'elsewhere') return;
    throw new SpiralError(
      'unsupported',
      `Expected the cache folder to be used by this machine alone, but process ${member.pid} of ${member.host} uses it. Give ` +
        `each machine a folder of its own; if that one was started again just now, try again in ${3 * cacheBeatMs} ms.`,
      { details: { folder: this.#folder, host: member.host, pid: member.pid } },
    );
  }
}

function foldersOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function removeFolder(path: string): boolean {
  try {
    rmSync(path, { recursive: true, force: true });
    return true;
  } catch {
    return false;
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}

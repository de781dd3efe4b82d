import { linkSync, lstatSync, readFileSync, unlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { cancelled, checkSignal } from '../../core/abort.js';
import { SpiralError } from '../../core/errors.js';
import { cacheLockMsMax } from '../../core/limits.js';
import { monotonicMs, sleep } from '../../core/runtime.js';
import { fileError, systemCode } from '../../storage/file-errors.js';
import { type CacheMember, parseMember } from './cache-member.js';

/** Milliseconds between two looks at whether the holder of the lock is dead. */
const lookMs = 25;

/**
 * Lets one member of a cache folder work on its books at a time. What is done with the lock held is synchronous: it takes
 * microseconds, and nothing else of its thread can come between.
 *
 * The lock is a hard link to the file that describes its holder, so it tells whose it is from its first moment on. That of
 * a dead member is removed by whoever holds the lock on removing just that one, so never another's that came since.
 */
export class CacheLock {
  readonly #path: string;
  readonly #own: string;
  readonly #isDead: (member: CacheMember) => boolean;

  /** @param own the file that describes this member. */
  constructor(path: string, own: string, isDead: (member: CacheMember) => boolean) {
    this.#path = path;
    this.#own = own;
    this.#isDead = isDead;
  }

  /**
   * What `work` gives, done while no other member does the like.
   *
   * @throws SpiralError what `work` throws, `cancelled`, `unavailable` where another member neither ends nor goes on.
   */
  async run<T>(work: () => T, signal?: AbortSignal): Promise<T> {
    for (let waitMs = 1, lookedAt = 0, held: Held | undefined; !this.#take(this.#path); ) {
      checkSignal(signal, `The wait for the lock ${this.#path}`);
      const now = monotonicMs();
      if (now - lookedAt >= lookMs) {
        lookedAt = now;
        this.#removeDead(this.#path);
        held = this.#watch(held, now);
      }
      await sleep(waitMs, signal).catch(() => {
        throw cancelled(signal!, `The wait for the lock ${this.#path}`);
      });
      waitMs = Math.min(10, waitMs * 1.5);
    }
    try {
      return work();
    } finally {
      remove(this.#path);
    }
  }

  #take(path: string): boolean {
    try {
      linkSync(this.#own, path);
      return true;
    } catch (error) {
      const code = systemCode(error);
      if (code === 'EEXIST') return false;
      // Our own file, in our own folder: what is not permitted is the hard link as such.
      const cause = code === 'EPERM' ? Object.assign(new Error(String(error)), { code: 'ENOTSUP' }) : error;
      throw fileError(cause, { uri: path, path: basename(path), doing: 'write' });
    }
  }

  #removeDead(path: string): void {
    const member = holder(path);
    if (member === undefined || !this.#isDead(member)) return;
    const right = `${path}.${member.id}`;
    if (!this.#take(right)) {
      this.#removeDead(right);
      return;
    }
    try {
      if (holder(path)?.id === member.id) remove(path);
    } finally {
      remove(right);
    }
  }

  /** Notes for how long one and the same holding has lasted. */
  #watch(before: Held | undefined, now: number): Held | undefined {
    try {
      // Every taking and leaving of the lock, and every heartbeat of the holder, changes the time of its file.
      const { ino, ctimeNs } = lstatSync(this.#path, { bigint: true });
      const holding = `${ino} ${ctimeNs}`;
      if (before?.holding !== holding) return { holding, sinceMs: now };
      if (now - before.sinceMs < cacheLockMsMax) return before;
    } catch {
      return undefined;
    }
    const member = holder(this.#path);
    throw new SpiralError(
      'unavailable',
      `Expected the lock ${this.#path} to be free within ${cacheLockMsMax} ms, but process ${member?.pid} has held it all ` +
        'the time. Is it stopped, or the disk stuck? End it, or let it go on, then try again.',
      { details: { file: this.#path, pid: member?.pid, waitedMs: cacheLockMsMax } },
    );
  }
}

interface Held {
  readonly holding: string;
  readonly sinceMs: number;
}

function holder(path: string): CacheMember | undefined {
  try {
    return parseMember(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw fileError(error, { uri: path, path: basename(path), doing: 'delete' });
  }
}

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { systemCode } from '../../storage/file-errors.js';

/** Who uses a cache folder: an instance of a cache in a thread of a process. */
export interface CacheMember {
  /** Nobody else's, ever. */
  readonly id: string;
  readonly pid: number;
  /** The system's number of the thread; null where it tells none. */
  readonly thread: number | null;
  /** When the thread began, by a clock of the system that starts at boot: tells a number that was given again. */
  readonly began: string | null;
  /** The boot of the machine; null where the system tells none. */
  readonly boot: string | null;
  /** The space of process numbers, as containers have their own. */
  readonly space: string | null;
  readonly host: string;
}

/** The member that bears `id` in this thread. */
export function thisMember(id: string): CacheMember {
  const thread = Number(told(() => readlinkSync('/proc/thread-self').split('/').at(-1)!) ?? Number.NaN);
  const known = Number.isInteger(thread) && thread > 0;
  return {
    id,
    pid: process.pid,
    thread: known ? thread : null,
    began: known ? (told(() => threadStat(process.pid, thread).began) ?? null) : null,
    boot: thisBoot() ?? null,
    space: told(() => readlinkSync('/proc/self/ns/pid')) ?? null,
    host: hostname(),
  };
}

/** Names the time since this machine was started; undefined where the system tells none. */
export function thisBoot(): string | undefined {
  return told(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
}

/**
 * What the system says of `member`. 'unknown': another container's, or a system that tells nothing of threads; only its
 * heartbeat tells then. 'elsewhere': of another boot, so it is dead unless it is another machine's.
 */
export function standing(member: CacheMember, me: CacheMember): 'alive' | 'dead' | 'unknown' | 'elsewhere' {
  if (member.boot !== me.boot) return 'elsewhere';
  if (member.boot === null) return member.host === me.host && !isProcess(member.pid) ? 'dead' : 'unknown';
  if (member.space !== me.space || member.thread === null) return 'unknown';
  try {
    const { state, began } = threadStat(member.pid, member.thread);
    if (began !== member.began) return 'dead';
    if (state !== 'Z' && state !== 'X') return 'alive';
    // Killed; calls of the system that its other threads are in may still come to their end.
    return readdirSync(`/proc/${member.pid}/task`).length > 1 && member.thread === member.pid ? 'alive' : 'dead';
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'ENOENT' && code !== 'ESRCH') return 'unknown';
    if (!isProcess(member.pid)) return 'dead';
    // Either the thread alone has ended, or the processes of other users are hidden.
    return told(() => threadStat(member.pid, member.pid)) === undefined ? 'unknown' : 'dead';
  }
}

/** The member that `text` tells; undefined where it is no whole description. */
export function parseMember(text: string): CacheMember | undefined {
  try {
    const member = JSON.parse(text) as CacheMember | null;
    return typeof member?.id === 'string' && Number.isInteger(member.pid) ? member : undefined;
  } catch {
    return undefined;
  }
}

function isProcess(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) !== 'ESRCH';
  }
}

/** Fields 3 and 22 of proc(5)'s `stat`; the name before them may hold anything. */
function threadStat(pid: number, thread: number): { state: string; began: string } {
  const text = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0]!, began: fields[19]! };
}

function told<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}

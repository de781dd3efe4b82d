import {
  type BigIntStats,
  close,
  closeSync,
  constants,
  fstat,
  fstatSync,
  open,
  openSync,
  read,
  readSync,
} from 'node:fs';
import { promisify } from 'node:util';
import { checkSignal } from '../core/abort.js';
import { quickCalls } from './quick-calls.js';

/**
 * A pipe without a writer must not block the thread that opens it; being no file, it is refused afterwards. Places come with
 * their links resolved: one that stands there since is not followed.
 */
const readFlags = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0);
/** Bytes that the system's cache gives in some 30 µs: another thread would be through with them later, with another core's help. */
export const quickBytesMax: number = 256 * 1024;
/** One system call reads at most 2 GiB less a page. */
const readBytesAtOnce = 2 ** 30;

const openDescriptor = promisify(open);
const closeDescriptor = promisify(close);
const statDescriptor = promisify(fstat) as (fd: number, options: { bigint: true }) => Promise<BigIntStats>;

/** Opens the file at `place` for reading. @throws system errors. */
export async function openFile(place: string): Promise<number> {
  return quickCalls.try(() => openSync(place, readFlags)) ?? openDescriptor(place, readFlags);
}

/** Closes what {@link openFile} opened. */
export async function closeFile(fd: number): Promise<void> {
  const quick = quickCalls.try(() => {
    closeSync(fd);
    return true;
  });
  if (quick === undefined) await closeDescriptor(fd);
}

/** The size of an open file. @throws a system error `ENOENT` where it is no file but a folder or a pipe. */
export async function sizeOf(fd: number): Promise<number> {
  const stats = await statsOf(fd);
  if (stats.isFile()) return Number(stats.size);
  throw Object.assign(new Error('What stands there is no file.'), { code: 'ENOENT' });
}

/** The version of an open file, as lists tell it. */
export async function etagOf(fd: number): Promise<string> {
  return statsEtag(await statsOf(fd));
}

async function statsOf(fd: number): Promise<BigIntStats> {
  return quickCalls.try(() => fstatSync(fd, { bigint: true })) ?? statDescriptor(fd, { bigint: true });
}

/** The version of a file by what the system knows of it. */
export function statsEtag(stats: BigIntStats): string {
  return `${stats.ino.toString(36)}-${stats.size.toString(36)}-${stats.mtimeNs.toString(36)}`;
}

/**
 * Fills the first `length` bytes of `into` from `position` on. Resolves with the bytes read, fewer only where the file
 * ends. `into` is not written to once this has settled, aborted or not.
 */
export async function readInto(
  fd: number,
  into: Uint8Array,
  length: number,
  position: number,
  signal: AbortSignal | undefined,
  what: string,
): Promise<number> {
  let done = 0;
  while (done < length) {
    const quick = done === 0 ? readSmall(fd, into, length, position) : undefined;
    const count = quick ?? (await readOnce(fd, into, done, Math.min(length - done, readBytesAtOnce), position + done));
    checkSignal(signal, what);
    if (count === 0) break;
    done += count;
  }
  return done;
}

/** As {@link readInto}, at once; undefined where that is not to be tried. */
export function readSmall(fd: number, into: Uint8Array, length: number, position: number): number | undefined {
  return length <= quickBytesMax ? quickCalls.try(() => readSync(fd, into, 0, length, position)) : undefined;
}

/** The callback form: 8 to 10 µs for a small read, where FileHandle.read takes 11 to 15. */
function readOnce(fd: number, into: Uint8Array, at: number, length: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, into, at, length, position, (error, count) => (error === null ? resolve(count) : reject(error)));
  });
}

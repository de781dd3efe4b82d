import { SpiralError } from '../core/errors.js';
import { textRowBytesMax } from '../core/limits.js';
import type { ObjectStore } from '../storage/store.js';
import type { GroupOptions } from './row-file.js';
import type { TextPlace } from './text-place.js';

/** Bytes of a file, the first of which begins a row. */
export interface TextBlock {
  readonly bytes: Buffer;
  /** How many of `bytes` count. */
  readonly end: number;
  /** Where in the file they begin. */
  readonly base: number;
  /** The file ends with them, and so does the last row. */
  readonly isLast: boolean;
}

/** Takes the whole rows at the start of a block, and returns how many of its bytes those are. */
export type TakeRows = (block: TextBlock) => number;

/**
 * Reads the file at `path`, `size` bytes, once from `start` to its end, `chunkBytes` at a time, the next while rows of the last
 * are taken. Memory is two chunks and the longest row.
 *
 * @param place where the row after those taken begins, for errors.
 * @throws SpiralError `limit_exceeded` for a row of more than 64 MiB; what the store and `take` throw.
 */
export async function streamRows(
  store: ObjectStore,
  path: string,
  range: { start: number; size: number },
  chunkBytes: number,
  take: TakeRows,
  place: TextPlace,
  options: GroupOptions,
): Promise<void> {
  const { size } = range;
  const ahead = Buffer.allocUnsafeSlow(Math.min(chunkBytes, size));
  let held: Buffer = Buffer.allocUnsafeSlow(2 * ahead.length);
  let used = 0;
  /** Bytes to hold before rows are looked for again: a long row is not gone through for each chunk. */
  let wanted = 0;
  let at = range.start;
  let base = at;
  const read = (): Promise<Uint8Array> => {
    const length = Math.min(ahead.length, size - at);
    countRead(options, length);
    return store.getRange(path, at, length, { into: ahead, signal: options.signal });
  };
  let next = at < size ? read() : undefined;
  while (next !== undefined) {
    const chunk = await next;
    at += chunk.length;
    held = roomFor(held, used, used + chunk.length);
    held.set(chunk, used);
    used += chunk.length;
    next = at < size ? read() : undefined;
    // Whatever is thrown here, the read that is under way has an owner.
    next?.catch(() => {});
    if (used < wanted && used <= textRowBytesMax && next !== undefined) continue;
    const taken = take({ bytes: held, end: used, base, isLast: next === undefined });
    held.copyWithin(0, taken, used);
    base += taken;
    used -= taken;
    wanted = 2 * used;
    if (used > textRowBytesMax) throw tooLong(place);
  }
}

/** Counts one read of `bytes` bytes. */
export function countRead({ counters }: GroupOptions, bytes: number): void {
  if (counters === undefined) return;
  counters.bytes += bytes;
  counters.requests++;
}

function roomFor(held: Buffer, used: number, needed: number): Buffer {
  if (needed <= held.length) return held;
  const larger = Buffer.allocUnsafeSlow(Math.max(2 * held.length, needed));
  held.copy(larger, 0, 0, used);
  return larger;
}

function tooLong(place: TextPlace): SpiralError {
  return new SpiralError(
    'limit_exceeded',
    `Expected rows of at most ${textRowBytesMax} bytes, found a longer one ${place.words}. Is a quote never closed, or is this no ` +
      'text file of rows? Cut large values into files of their own.',
    { details: { ...place.details, max: textRowBytesMax } },
  );
}

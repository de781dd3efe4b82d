import type { Ranges } from './ranges.js';

type Offsets = Int32Array | BigInt64Array;

/**
 * The number of bytes (or child rows) that `ranges` cover; writes the new offsets, from 0 on, into `target` where one is
 * given.
 */
export function offsetsAt(sources: readonly Offsets[], ranges: Ranges, target: Offsets | undefined): number {
  if (sources.every((offsets) => offsets instanceof Int32Array) && !(target instanceof BigInt64Array)) {
    return target === undefined ? totalOf(sources, ranges) : narrowOffsets(sources, ranges, target);
  }
  return anyOffsets(sources, ranges, target);
}

function totalOf(sources: readonly Int32Array[], { count, source, start, lengths }: Ranges): number {
  let total = 0;
  for (let at = 0; at < count; at++) {
    const offsets = sources[source[at]!]!;
    const from = start[at]!;
    total += offsets[from + (typeof lengths === 'number' ? lengths : lengths[at]!)]! - offsets[from]!;
  }
  return total;
}

function narrowOffsets(sources: readonly Int32Array[], ranges: Ranges, target: Int32Array): number {
  const { count, source, start, lengths } = ranges;
  let to = 0;
  let end = 0;
  for (let at = 0; at < count; at++) {
    const offsets = sources[source[at]!]!;
    const from = start[at]!;
    const rows = typeof lengths === 'number' ? lengths : lengths[at]!;
    const shift = end - offsets[from]!;
    for (let row = 1; row <= rows; row++) target[++to] = offsets[from + row]! + shift;
    end = offsets[from + rows]! + shift;
  }
  return end;
}

function anyOffsets(sources: readonly Offsets[], ranges: Ranges, target: Offsets | undefined): number {
  const { count, source, start, lengths } = ranges;
  let to = 0;
  let end = 0;
  for (let at = 0; at < count; at++) {
    const offsets = sources[source[at]!]!;
    const from = start[at]!;
    const rows = typeof lengths === 'number' ? lengths : lengths[at]!;
    const shift = end - Number(offsets[from]);
    for (let row = 1; target !== undefined && row <= rows; row++) {
      const offset = Number(offsets[from + row]) + shift;
      if (target instanceof BigInt64Array) target[++to] = BigInt(offset);
      else target[++to] = offset;
    }
    end = Number(offsets[from + rows]) + shift;
  }
  return end;
}

/** Bytes below which a loop beats `set(subarray)`. */
const loopMax = 24;

/** Copies the values of variable length that `ranges` name to the start of `target`. */
export function copyBytes(
  sources: readonly Uint8Array[],
  offsets: readonly Offsets[],
  ranges: Ranges,
  target: Uint8Array,
): void {
  const { count, source, start, lengths } = ranges;
  let to = 0;
  for (let at = 0; at < count; at++) {
    const from = source[at]!;
    const bytes = sources[from]!;
    const own = offsets[from]!;
    const first = start[at]!;
    let read = Number(own[first]);
    const end = Number(own[first + (typeof lengths === 'number' ? lengths : lengths[at]!)]);
    const size = end - read;
    if (size > loopMax) {
      target.set(bytes.subarray(read, end), to);
      to += size;
    } else while (read < end) target[to++] = bytes[read++]!;
  }
}

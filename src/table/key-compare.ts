import type { EncodedKeys } from './key-codec.js';

/** Below, at or above 0 as key `a` is below, equal to or above key `b`: byte by byte, a shorter prefix first. */
export function compareKeys(a: Uint8Array, b: Uint8Array): number {
  return compareRanges(a, 0, a.length, b, 0, b.length);
}

/** As {@link compareKeys} for row `i` of `a` and row `j` of `b`, without a view of either. */
export function compareAt(a: EncodedKeys, i: number, b: EncodedKeys, j: number): number {
  return compareRanges(a.bytes, a.offsets[i]!, a.offsets[i + 1]!, b.bytes, b.offsets[j]!, b.offsets[j + 1]!);
}

/** As {@link compareKeys} for key `a` and row `j` of `b`. */
export function compareKeyAt(a: Uint8Array, b: EncodedKeys, j: number): number {
  return compareRanges(a, 0, a.length, b.bytes, b.offsets[j]!, b.offsets[j + 1]!);
}

/** As {@link compareAt} within one set of keys whose first `skip` bytes are known to be equal. */
export function compareRest(keys: EncodedKeys, i: number, j: number, skip: number): number {
  const { bytes, offsets } = keys;
  return compareRanges(bytes, offsets[i]! + skip, offsets[i + 1]!, bytes, offsets[j]! + skip, offsets[j + 1]!);
}

/** The first row whose key is not above the one before it, or -1 where keys ascend strictly, as a table's must. */
export function isStrictlyAscending(keys: EncodedKeys): number {
  if (keys.width === 8) return eightBytesAscend(keys);
  for (let row = 1; row < keys.length; row++) if (compareAt(keys, row - 1, keys, row) >= 0) return row;
  return -1;
}

/** {@link isStrictlyAscending} for keys of eight bytes, the commonest, by their halves. */
function eightBytesAscend({ bytes, length }: EncodedKeys): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, length * 8);
  let [high, low] = length === 0 ? [0, 0] : [view.getUint32(0), view.getUint32(4)];
  for (let row = 1; row < length; row++) {
    const [nextHigh, nextLow] = [view.getUint32(row * 8), view.getUint32(row * 8 + 4)];
    if (nextHigh < high || (nextHigh === high && nextLow <= low)) return row;
    [high, low] = [nextHigh, nextLow];
  }
  return -1;
}

/** Whether no key is below the one before it. */
export function isAscending(keys: EncodedKeys): boolean {
  for (let row = 1; row < keys.length; row++) if (compareAt(keys, row - 1, keys, row) > 0) return false;
  return true;
}

/**
 * Two rows with one key, or undefined where keys are unique.
 *
 * @param order the rows in ascending key order, as `sortOrder` gives it; being stable, it makes the first of the pair the
 * earlier row.
 */
export function firstDuplicate(keys: EncodedKeys, order: Uint32Array): [number, number] | undefined {
  for (let at = 1; at < order.length; at++) {
    const before = order[at - 1]!;
    const row = order[at]!;
    if (compareAt(keys, before, keys, row) === 0) return [before, row];
  }
  return undefined;
}

/**
 * The first row of ascending `keys`, from `first` on, that is at or above `key`; `keys.length` where all are below. `key`
 * may be a prefix.
 */
export function lowerBound(keys: EncodedKeys, key: Uint8Array, first = 0): number {
  const { bytes, offsets } = keys;
  let from = first;
  let to = keys.length;
  while (from < to) {
    const middle = Math.floor((from + to) / 2);
    if (compareRanges(bytes, offsets[middle]!, offsets[middle + 1]!, key, 0, key.length) < 0) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** For each of rows `wanted` of `keys` the row of ascending `own` that has its key, or -1. */
export function rowsOfKeys(own: EncodedKeys, keys: EncodedKeys, wanted: readonly number[]): Int32Array {
  if (own.width === 8 && keys.width === 8) return rowsOfEightBytes(own, keys, wanted);
  return Int32Array.from(wanted, (at) => {
    let [from, to] = [0, own.length];
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (compareAt(own, middle, keys, at) < 0) from = middle + 1;
      else to = middle;
    }
    return from < own.length && compareAt(own, from, keys, at) === 0 ? from : -1;
  });
}

/** {@link rowsOfKeys} for keys of eight bytes, the commonest, by their halves. */
function rowsOfEightBytes(own: EncodedKeys, keys: EncodedKeys, wanted: readonly number[]): Int32Array {
  const view = new DataView(own.bytes.buffer, own.bytes.byteOffset, own.length * 8);
  const asked = new DataView(keys.bytes.buffer, keys.bytes.byteOffset, keys.length * 8);
  const rows = new Int32Array(wanted.length);
  for (let number = 0; number < wanted.length; number++) {
    const high = asked.getUint32(wanted[number]! * 8);
    const low = asked.getUint32(wanted[number]! * 8 + 4);
    let [from, to] = [0, own.length];
    while (from < to) {
      const middle = (from + to) >>> 1;
      const ownHigh = view.getUint32(middle * 8);
      if (ownHigh < high || (ownHigh === high && view.getUint32(middle * 8 + 4) < low)) from = middle + 1;
      else to = middle;
    }
    const isThere = from < own.length && view.getUint32(from * 8) === high && view.getUint32(from * 8 + 4) === low;
    rows[number] = isThere ? from : -1;
  }
  return rows;
}

function compareRanges(a: Uint8Array, aFrom: number, aTo: number, b: Uint8Array, bFrom: number, bTo: number): number {
  const shared = Math.min(aTo - aFrom, bTo - bFrom);
  for (let at = 0; at < shared; at++) {
    const difference = a[aFrom + at]! - b[bFrom + at]!;
    if (difference !== 0) return difference;
  }
  return aTo - aFrom - (bTo - bFrom);
}

import type { EncodedKeys } from './key-codec.js';
import { compareRest, isAscending } from './key-compare.js';

/** Rows of a run up to which insertion beats counting: a radix pass clears and sums 2,048 counters first. */
const insertionRowsMax = 32;
/** Bytes sorted at a time, and their counters. */
const wordBytes = 8;
const countersLength = wordBytes * 256;

/**
 * The rows in ascending key order; rows of equal keys keep their order.
 *
 * Sorts by eight bytes at a time, highest first: a radix sort of the rows by these bytes, then runs of equal bytes by the
 * next eight. So integer keys take one round, and a long prefix that all keys share costs one look at it. Takes 16 bytes
 * of memory a row.
 */
export function sortOrder(keys: EncodedKeys): Uint32Array<ArrayBuffer> {
  const order = new Uint32Array(keys.length);
  for (let row = 0; row < order.length; row++) order[row] = row;
  if (isAscending(keys)) return order;
  const work: Workspace = {
    order,
    spare: new Uint32Array(keys.length),
    high: new Uint32Array(keys.length),
    low: new Uint32Array(keys.length),
    counts: new Uint32Array(countersLength),
  };
  const runs = [0, keys.length, 0];
  while (runs.length > 0) {
    const skip = runs.pop()!;
    const to = runs.pop()!;
    const from = runs.pop()!;
    if (to - from <= insertionRowsMax) {
      insertionSort(keys, order, from, to, skip);
      continue;
    }
    loadWords(keys, work, from, to, skip);
    radixSort(work, from, to);
    pushTies(keys, work, from, to, skip + wordBytes, runs);
  }
  return order;
}

/** `high` and `low` hold, by row, the eight bytes that the current round sorts by; keys that end early are padded with 0. */
interface Workspace {
  readonly order: Uint32Array<ArrayBuffer>;
  readonly spare: Uint32Array<ArrayBuffer>;
  readonly high: Uint32Array<ArrayBuffer>;
  readonly low: Uint32Array<ArrayBuffer>;
  readonly counts: Uint32Array<ArrayBuffer>;
}

function loadWords(keys: EncodedKeys, { order, high, low }: Workspace, from: number, to: number, skip: number): void {
  const { bytes, offsets } = keys;
  for (let at = from; at < to; at++) {
    const row = order[at]!;
    const start = offsets[row]! + skip;
    const end = offsets[row + 1]!;
    high[row] = wordAt(bytes, start, end);
    low[row] = wordAt(bytes, start + 4, end);
  }
}

function wordAt(bytes: Uint8Array, start: number, end: number): number {
  if (start + 4 <= end) {
    return (bytes[start]! << 24) | (bytes[start + 1]! << 16) | (bytes[start + 2]! << 8) | bytes[start + 3]!;
  }
  let word = 0;
  for (let at = start, shift = 24; at < end; at++, shift -= 8) word |= bytes[at]! << shift;
  return word;
}

/** Least byte first; a byte that all rows share is skipped, which for ids spares most passes. */
function radixSort({ order, spare, high, low, counts }: Workspace, from: number, to: number): void {
  countBytes(order, high, low, counts, from, to);
  let source = order;
  let target = spare;
  for (let digit = 0; digit < wordBytes; digit++) {
    const words = digit < 4 ? low : high;
    const shift = (digit & 3) * 8;
    const base = digit * 256;
    if (counts[base + ((words[source[from]!]! >>> shift) & 255)] === to - from) continue;
    let next = from;
    for (let value = base; value < base + 256; value++) {
      const count = counts[value]!;
      counts[value] = next;
      next += count;
    }
    for (let at = from; at < to; at++) {
      const row = source[at]!;
      const slot = base + ((words[row]! >>> shift) & 255);
      target[counts[slot]!++] = row;
    }
    [source, target] = [target, source];
  }
  if (source !== order) order.set(source.subarray(from, to), from);
}

function countBytes(
  order: Uint32Array,
  high: Uint32Array,
  low: Uint32Array,
  counts: Uint32Array,
  from: number,
  to: number,
): void {
  counts.fill(0);
  for (let at = from; at < to; at++) {
    const row = order[at]!;
    for (let digit = 0, word = low[row]!; digit < 4; digit++, word >>>= 8) counts[digit * 256 + (word & 255)]!++;
    for (let digit = 4, word = high[row]!; digit < 8; digit++, word >>>= 8) counts[digit * 256 + (word & 255)]!++;
  }
}

/**
 * Leaves runs of equal bytes to later rounds. No key is a prefix of another, so a run whose first key has ended holds one
 * key many times and is done.
 */
function pushTies(
  keys: EncodedKeys,
  { order, high, low }: Workspace,
  from: number,
  to: number,
  skip: number,
  runs: number[],
): void {
  const { offsets, width } = keys;
  if (width !== 0 && width <= skip) return;
  let start = from;
  for (let at = from + 1; at <= to; at++) {
    const first = order[start]!;
    const row = at < to ? order[at]! : -1;
    if (row >= 0 && high[row] === high[first] && low[row] === low[first]) continue;
    if (at - start > 1 && offsets[first + 1]! - offsets[first]! > skip) runs.push(start, at, skip);
    start = at;
  }
}

function insertionSort(keys: EncodedKeys, order: Uint32Array, from: number, to: number, skip: number): void {
  for (let at = from + 1; at < to; at++) {
    const row = order[at]!;
    let slot = at;
    while (slot > from && compareRest(keys, order[slot - 1]!, row, skip) > 0) {
      order[slot] = order[slot - 1]!;
      slot--;
    }
    order[slot] = row;
  }
}

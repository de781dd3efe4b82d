import { type ByteView, bytesOf } from './byte-view.js';
import { doublesOf } from './number-view.js';
import { isSound } from './overflow.js';
import type { ValidBits } from './strict.js';
import { dataOf, type Values } from './values.js';

/** Whether a byte of UTF-8 goes on a code point, rather than begins one. */
const goesOn = (byte: number): boolean => (byte & 0xc0) === 0x80;

/** How many code points each row has. */
export function codePoints({ bytes, offsets }: ByteView, rows: number): Int32Array {
  const counts = new Int32Array(rows);
  for (let row = 0; row < rows; row++) {
    const end = offsets[row + 1]!;
    let count = 0;
    for (let at = offsets[row]!; at < end; at++) count += Number((bytes[at]! & 0xc0) !== 0x80);
    counts[row] = count;
  }
  return counts;
}

/**
 * Where the parts lie that start at code point `start` (from 0; below 0 from the end, and at the beginning at most) and have
 * `length` of them, or all.
 */
export function substrings(
  args: readonly Values[],
  rows: number,
  valid: ValidBits,
): { readonly bytes: Uint8Array; readonly starts: Int32Array; readonly ends: Int32Array } {
  const [text, start, length] = args as [Values, Values, Values | undefined];
  const { bytes, offsets } = bytesOf(dataOf(text));
  const from = doublesOf(dataOf(start));
  const count = length === undefined ? undefined : doublesOf(dataOf(length));
  const starts = new Int32Array(rows);
  const ends = new Int32Array(rows);
  for (let row = 0; row < rows; row++) {
    if (!isSound(valid, row)) continue;
    const own = text.constant ? 0 : row;
    const [first, last] = [offsets[own]!, offsets[own + 1]!];
    const at = from[start.constant ? 0 : row]!;
    const wanted = count === undefined ? Number.POSITIVE_INFINITY : count[length!.constant ? 0 : row]!;
    const begin = at >= 0 ? forward(bytes, first, last, at) : backward(bytes, first, last, -at);
    starts[row] = begin;
    ends[row] = Math.max(begin, forward(bytes, begin, last, wanted));
  }
  return { bytes, starts, ends };
}

function forward(bytes: Uint8Array, from: number, end: number, points: number): number {
  let at = from;
  for (let left = points; left > 0 && at < end; left--) {
    at++;
    while (at < end && goesOn(bytes[at]!)) at++;
  }
  return at;
}

function backward(bytes: Uint8Array, start: number, end: number, points: number): number {
  let at = end;
  for (let left = points; left > 0 && at > start; left--) {
    at--;
    while (at > start && goesOn(bytes[at]!)) at--;
  }
  return at;
}

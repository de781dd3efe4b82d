import type { ValueArray } from './layout.js';
import type { Ranges } from './ranges.js';

/**
 * The arrays of several sources, seen by element size instead of by type, so that each loop below meets one kind of
 * array only: a loop over several kinds is several times slower in V8.
 */
export type UnitArrays =
  | { readonly width: 1; readonly arrays: readonly Uint8Array[] }
  | { readonly width: 2; readonly arrays: readonly Uint16Array[] }
  | { readonly width: 4; readonly arrays: readonly Int32Array[] }
  | { readonly width: 8; readonly arrays: readonly BigInt64Array[] };

/** Views `arrays`, all of elements of `width` bytes, by element size. */
export function unitArrays(width: number, arrays: readonly ValueArray[]): UnitArrays {
  if (width === 1) return { width, arrays: arrays.map((a) => new Uint8Array(a.buffer, a.byteOffset, a.length)) };
  if (width === 2) return { width, arrays: arrays.map((a) => new Uint16Array(a.buffer, a.byteOffset, a.length)) };
  if (width === 4) return { width, arrays: arrays.map((a) => new Int32Array(a.buffer, a.byteOffset, a.length)) };
  return { width: 8, arrays: arrays.map((a) => new BigInt64Array(a.buffer, a.byteOffset, a.length)) };
}

/** Copies rows of fixed width, `stride` elements a row, to byte `at` (a multiple of eight) of `target`. */
export function copyFixed(sources: UnitArrays, ranges: Ranges, stride: number, target: ArrayBuffer, at: number): void {
  const length = ranges.total * stride;
  if (sources.width === 1) copy1(sources.arrays, ranges, stride, new Uint8Array(target, at, length));
  else if (sources.width === 2) copy2(sources.arrays, ranges, stride, new Uint16Array(target, at, length));
  else if (sources.width === 4) copy4(sources.arrays, ranges, stride, new Int32Array(target, at, length));
  else copy8(sources.arrays, ranges, stride, new BigInt64Array(target, at, length));
}

/** Elements up to which a plain loop beats `set(subarray)`, whose call and view cost about as much as this many steps. */
const loopMax = 24;

function copy1(sources: readonly Uint8Array[], ranges: Ranges, stride: number, target: Uint8Array): void {
  const { count, source, start, lengths } = ranges;
  if (lengths === 1 && stride === 1) {
    for (let at = 0; at < count; at++) target[at] = sources[source[at]!]![start[at]!]!;
    return;
  }
  let to = 0;
  for (let at = 0; at < count; at++) {
    const values = sources[source[at]!]!;
    const size = (typeof lengths === 'number' ? lengths : lengths[at]!) * stride;
    let from = start[at]! * stride;
    if (size > loopMax) target.set(values.subarray(from, from + size), to);
    else for (let end = to + size, put = to; put < end; ) target[put++] = values[from++]!;
    to += size;
  }
}

function copy2(sources: readonly Uint16Array[], ranges: Ranges, stride: number, target: Uint16Array): void {
  const { count, source, start, lengths } = ranges;
  if (lengths === 1 && stride === 1) {
    for (let at = 0; at < count; at++) target[at] = sources[source[at]!]![start[at]!]!;
    return;
  }
  let to = 0;
  for (let at = 0; at < count; at++) {
    const values = sources[source[at]!]!;
    const size = (typeof lengths === 'number' ? lengths : lengths[at]!) * stride;
    let from = start[at]! * stride;
    if (size > loopMax) target.set(values.subarray(from, from + size), to);
    else for (let end = to + size, put = to; put < end; ) target[put++] = values[from++]!;
    to += size;
  }
}

function copy4(sources: readonly Int32Array[], ranges: Ranges, stride: number, target: Int32Array): void {
  const { count, source, start, lengths } = ranges;
  if (lengths === 1 && stride === 1) {
    for (let at = 0; at < count; at++) target[at] = sources[source[at]!]![start[at]!]!;
    return;
  }
  let to = 0;
  for (let at = 0; at < count; at++) {
    const values = sources[source[at]!]!;
    const size = (typeof lengths === 'number' ? lengths : lengths[at]!) * stride;
    let from = start[at]! * stride;
    if (size > loopMax) target.set(values.subarray(from, from + size), to);
    else for (let end = to + size, put = to; put < end; ) target[put++] = values[from++]!;
    to += size;
  }
}

function copy8(sources: readonly BigInt64Array[], ranges: Ranges, stride: number, target: BigInt64Array): void {
  const { count, source, start, lengths } = ranges;
  if (lengths === 1 && stride === 1) {
    for (let at = 0; at < count; at++) target[at] = sources[source[at]!]![start[at]!]!;
    return;
  }
  let to = 0;
  for (let at = 0; at < count; at++) {
    const values = sources[source[at]!]!;
    const size = (typeof lengths === 'number' ? lengths : lengths[at]!) * stride;
    let from = start[at]! * stride;
    if (size > loopMax) target.set(values.subarray(from, from + size), to);
    else for (let end = to + size, put = to; put < end; ) target[put++] = values[from++]!;
    to += size;
  }
}

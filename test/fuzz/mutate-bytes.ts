import type { RandomStream } from '../../src/core/random.js';

/** Numbers at which sizes, counts and signs turn over. */
const turningPoints: readonly bigint[] = [
  0n,
  1n,
  -1n,
  0x7fn,
  0x80n,
  0x7fffn,
  0x8000n,
  0xffffn,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  0x1_0000_0000n,
  0x1f_ffff_ffff_ffffn,
  0x20_0000_0000_0000n,
  0x7fff_ffff_ffff_ffffn,
  -0x8000_0000_0000_0000n,
];

type Change = (bytes: Uint8Array, draw: RandomStream, other: Uint8Array) => Uint8Array;

const changes: readonly Change[] = [
  flipBit,
  flipBit,
  setByte,
  setByte,
  nudgeByte,
  setNumber,
  setNumber,
  setVarint,
  nudgeNumber,
  cut,
  remove,
  repeat,
  insert,
  swap,
  splice,
  fill,
];

/** `bytes` with one to four changes, most often one; pieces of `other` may stand in it. */
export function mutateBytes(bytes: Uint8Array, draw: RandomStream, other: Uint8Array = bytes): Uint8Array {
  let changed = new Uint8Array(bytes);
  const count = 1 + [0, 0, 0, 1, 1, 2, 3][draw.below(7)]!;
  for (let at = 0; at < count; at++)
    changed = new Uint8Array(pick(changes, draw)(changed, draw, new Uint8Array(other)));
  return changed;
}

/** One of `from`. */
export function pick<T>(from: readonly T[], draw: RandomStream): T {
  return from[draw.below(from.length)]!;
}

/** A place in `bytes`; half of the time near an end, where footers and headers are. */
function place(bytes: Uint8Array, draw: RandomStream): number {
  if (bytes.length === 0) return 0;
  const near = Math.min(64, bytes.length);
  const side = draw.below(4);
  if (side === 0) return draw.below(near);
  if (side === 1) return bytes.length - 1 - draw.below(near);
  return draw.below(bytes.length);
}

/** A short length more often than a long one. */
function span(most: number, draw: RandomStream): number {
  if (most <= 0) return 0;
  return draw.below(Math.min(most, 2 ** (1 + draw.below(10)))) + 1;
}

function flipBit(bytes: Uint8Array, draw: RandomStream): Uint8Array {
  if (bytes.length > 0) bytes[place(bytes, draw)]! ^= 1 << draw.below(8);
  return bytes;
}

function setByte(bytes: Uint8Array, draw: RandomStream): Uint8Array {
  const known = [0, 1, 2, 0x7f, 0x80, 0xfe, 0xff];
  if (bytes.length > 0) bytes[place(bytes, draw)] = draw.below(2) === 0 ? pick(known, draw) : draw.below(256);
  return bytes;
}

function nudgeByte(bytes: Uint8Array, draw: RandomStream): Uint8Array {
  if (bytes.length > 0) bytes[place(bytes, draw)]! += draw.below(2) === 0 ? 1 : -1;
  return bytes;
}

function setNumber(bytes: Uint8Array, draw: RandomStream): Uint8Array {
  const width = pick([1, 2, 4, 8], draw);
  return withNumber(bytes, width, draw, () => pick(turningPoints, draw));
}

function nudgeNumber(bytes: Uint8Array, draw: RandomStream): Uint8Array {
  const width = pick([2, 4, 8], draw);
  return withNumber(bytes, width, draw, (before) => before + BigInt(draw.below(33) - 16));
}

function withNumber(
  bytes: Uint8Array,
  width: number,
  draw: RandomStream,
  next: (before: bigint) => bigint,
): Uint8Array {
  if (bytes.length < width) return bytes;
  const at = Math.min(place(bytes, draw), bytes.length - width);
  // Formats keep their numbers at such places.
  const start = draw.below(2) === 0 ? at - (at % width) : at;
  const bigEndian = draw.below(4) === 0;
  let before = 0n;
  for (let index = 0; index < width; index++) {
    before |= BigInt(bytes[start + (bigEndian ? width - 1 - index : index)]!) << BigInt(8 * index);
  }
  const after = BigInt.asUintN(8 * width, next(before));
  for (let index = 0; index < width; index++) {
    bytes[start + (bigEndian ? width - 1 - index : index)] = Number((after >> BigInt(8 * index)) & 0xffn);
  }
  return bytes;
}

function setVarint(bytes: Uint8Array, draw: RandomStream): Uint8Array {
  const coded: number[] = [];
  let value = BigInt.asUintN(64, pick(turningPoints, draw));
  for (; value >= 0x80n; value >>= 7n) coded.push(Number(value & 0x7fn) | 0x80);
  coded.push(Number(value));
  if (draw.below(2) === 0) return joined(bytes, place(bytes, draw), 1, Uint8Array.from(coded));
  const at = place(bytes, draw);
  for (const [index, byte] of coded.entries()) if (at + index < bytes.length) bytes[at + index] = byte;
  return bytes;
}

function cut(bytes: Uint8Array, draw: RandomStream): Uint8Array {
  const at = place(bytes, draw);
  return draw.below(4) === 0 ? bytes.slice(at) : bytes.slice(0, at);
}

function remove(bytes: Uint8Array, draw: RandomStream): Uint8Array {
  const at = place(bytes, draw);
  return joined(bytes, at, span(bytes.length - at, draw), new Uint8Array(0));
}

function repeat(bytes: Uint8Array, draw: RandomStream): Uint8Array {
  const at = place(bytes, draw);
  const run = bytes.slice(at, at + span(Math.min(64, bytes.length - at), draw));
  const times = pick([1, 1, 2, 3, 64], draw);
  const copies = new Uint8Array(run.length * times);
  for (let index = 0; index < times; index++) copies.set(run, index * run.length);
  return joined(bytes, at, 0, copies);
}

function insert(bytes: Uint8Array, draw: RandomStream): Uint8Array {
  const added = Uint8Array.from({ length: span(16, draw) }, () => draw.below(256));
  return joined(bytes, place(bytes, draw), 0, added);
}

function swap(bytes: Uint8Array, draw: RandomStream): Uint8Array {
  const width = span(Math.min(32, bytes.length >> 1), draw);
  const [a, b] = [place(bytes, draw), place(bytes, draw)].sort((x, y) => x - y) as [number, number];
  if (a + width > b || b + width > bytes.length) return bytes;
  const held = bytes.slice(a, a + width);
  bytes.copyWithin(a, b, b + width);
  bytes.set(held, b);
  return bytes;
}

function splice(bytes: Uint8Array, draw: RandomStream, other: Uint8Array): Uint8Array {
  const from = place(other, draw);
  const piece = other.slice(from, from + span(other.length - from, draw));
  return joined(bytes, place(bytes, draw), draw.below(2) === 0 ? piece.length : 0, piece);
}

function fill(bytes: Uint8Array, draw: RandomStream): Uint8Array {
  const at = place(bytes, draw);
  return bytes.fill(pick([0, 0xff, 0x20, 0x80], draw), at, at + span(64, draw));
}

/** `bytes` with `added` in place of `removed` bytes at `at`. */
function joined(bytes: Uint8Array, at: number, removed: number, added: Uint8Array): Uint8Array {
  const tail = bytes.subarray(Math.min(bytes.length, at + removed));
  const whole = new Uint8Array(at + added.length + tail.length);
  whole.set(bytes.subarray(0, at));
  whole.set(added, at);
  whole.set(tail, at + added.length);
  return whole;
}

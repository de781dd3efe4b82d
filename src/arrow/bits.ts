/** Bitmaps as Arrow keeps them: bit `i` is bit `i & 7` of byte `i >> 3`, least significant first. */

/** Whether bit `at` is set. */
export function bitAt(bits: Uint8Array, at: number): boolean {
  return (bits[at >> 3]! & (1 << (at & 7))) !== 0;
}

/** Copies `count` bits; the target's bits there must be zero. */
export function copyBits(source: Uint8Array, from: number, target: Uint8Array, to: number, count: number): void {
  if (((from | to) & 7) === 0) {
    const whole = count >> 3;
    target.set(source.subarray(from >> 3, (from >> 3) + whole), to >> 3);
    const done = whole << 3;
    copyBitByBit(source, from + done, target, to + done, count - done);
    return;
  }
  copyBitByBit(source, from, target, to, count);
}

/** Sets `count` bits from `to` on. */
export function setBits(target: Uint8Array, to: number, count: number): void {
  const end = to + count;
  let at = to;
  while (at < end && (at & 7) !== 0) target[at >> 3]! |= 1 << (at++ & 7);
  const whole = (end - at) >> 3;
  if (whole > 0) {
    target.fill(0xff, at >> 3, (at >> 3) + whole);
    at += whole << 3;
  }
  while (at < end) target[at >> 3]! |= 1 << (at++ & 7);
}

/** How many of the `count` bits from `from` on are set. */
export function countBits(bits: Uint8Array, from: number, count: number): number {
  let found = 0;
  let at = from;
  const end = from + count;
  while (at < end && (at & 7) !== 0) found += (bits[at >> 3]! >> (at++ & 7)) & 1;
  for (; at + 8 <= end; at += 8) found += ones[bits[at >> 3]!]!;
  while (at < end) found += (bits[at >> 3]! >> (at++ & 7)) & 1;
  return found;
}

/** Bytes that `count` bits take. */
export function bitBytes(count: number): number {
  return Math.ceil(count / 8);
}

function copyBitByBit(source: Uint8Array, from: number, target: Uint8Array, to: number, count: number): void {
  for (let at = 0; at < count; at++) {
    const read = from + at;
    const bit = (source[read >> 3]! >> (read & 7)) & 1;
    const write = to + at;
    target[write >> 3]! |= bit << (write & 7);
  }
}

const ones: Uint8Array = new Uint8Array(256);
for (let byte = 1; byte < 256; byte++) ones[byte] = ones[byte >> 1]! + (byte & 1);

import { randomBytes } from 'node:crypto';
import seedrandom from 'seedrandom';

/** One part of the name of a random stream. */
export type StreamLabel = string | number;

/** A deterministic stream of random numbers. Equal labels give equal streams on every machine and Node version. */
export interface RandomStream {
  /** A whole number in `[0, 2 ** 32)`. */
  uint32(): number;
  /** A whole number in `[0, bound)`, without bias; `bound` is at most `2 ** 32`. */
  below(bound: number): number;
  /** A number in `[0, 1)` with 53 random bits. */
  unit(): number;
}

/**
 * The stream that bears these labels (law 2: streams are named, never made by adding numbers, so seed 1 epoch 2 and
 * seed 2 epoch 1 share nothing).
 *
 * Alea, from `seedrandom`: 12 ns a number, seeded in microseconds, the same everywhere.
 */
export function randomStream(...labels: readonly StreamLabel[]): RandomStream {
  const next = seedrandom.alea(JSON.stringify(labels)).int32;
  // Alea's first number shows its seed: over many streams it meets itself four times too often. The second does not.
  next();
  const uint32 = (): number => next() >>> 0;
  return {
    uint32,
    below: (bound) => {
      let drawn = uint32();
      // Only what is drawn above the last whole multiple of `bound` would be a bias; nearly nothing comes near it.
      if (drawn >= 0x1_0000_0000 - bound) {
        const cut = 0x1_0000_0000 - (0x1_0000_0000 % bound);
        while (drawn >= cut) drawn = uint32();
      }
      return drawn % bound;
    },
    unit: () => (uint32() * 0x20_0000 + (uint32() >>> 11)) / 0x20_0000_0000_0000,
  };
}

/** A seed of 32 bits for the stream that bears these labels: for handing a derived seed to an API that takes a number. */
export function deriveSeed(...labels: readonly StreamLabel[]): number {
  return randomStream('seed', ...labels).uint32();
}

/** Shuffles `items` in place: Fisher–Yates from the end, one `below` an item. */
export function shuffle<T extends Uint32Array | Int32Array | unknown[]>(items: T, stream: RandomStream): T {
  for (let last = items.length - 1; last > 0; last--) {
    const pick = stream.below(last + 1);
    const held = items[last]!;
    items[last] = items[pick]!;
    items[pick] = held;
  }
  return items;
}

/** The numbers `0 … length - 1` in the order that `stream` gives them. */
export function permutation(length: number, stream: RandomStream): Uint32Array {
  const order = new Uint32Array(length);
  for (let index = 0; index < length; index++) order[index] = index;
  return shuffle(order, stream);
}

/** A name nobody else has: `prefix` and 16 letters and digits (80 bits) from the system's own randomness. */
export function uniqueId(prefix: string): string {
  const letters = 'abcdefghjkmnpqrstvwxyz0123456789';
  let id = prefix;
  for (const byte of randomBytes(16)) id += letters[byte & 31];
  return id;
}

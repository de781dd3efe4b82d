import { seedWords } from './seed-sequence.js';

/** Outputs made at a time: the state stays in registers for the length of a block. */
const blockOutputs = 256;

const factor = [0x9fccf645, 0x4385df64, 0x1fc65da4, 0x2360ed05] as const;
const perWord = 2 ** -32;

/**
 * PCG64 (XSL-RR, 128 bits of state), seeded as numpy's `default_rng(seed)`: the same stream of words, bit for bit.
 *
 * From M. E. O'Neill, "PCG: A family of simple fast space-efficient statistically good algorithms for random number
 * generation" (HMC-CS-2014-0905). Not for new orders, which take `randomStream`: it is for those that numpy once drew.
 */
export class Pcg64 {
  /** State and increment, each four words, lowest first. */
  readonly #state: Float64Array = new Float64Array(4);
  readonly #increment: Uint32Array;
  /** Outputs to come, each a low and a high word. */
  readonly #block: Uint32Array = new Uint32Array(2 * blockOutputs);
  #next: number = 2 * blockOutputs;
  /** The high half of an output whose low half was taken as 32 bits. */
  #half = 0;
  #hasHalf = false;

  /** `seed` is a whole number of at least 0. */
  constructor(seed: bigint) {
    const words = seedWords(seed);
    // numpy reads pairs of words as 64 bits, and pairs of those as 128 bits with the high half first.
    const [state, sequence] = [wide(words, 0), wide(words, 4)];
    this.#increment = Uint32Array.from(sequence, (word, at) => (word << 1) | (at === 0 ? 1 : sequence[at - 1]! >>> 31));
    this.#state.set(this.#increment);
    let carry = 0;
    for (let at = 0; at < 4; at++) {
      const sum = this.#state[at]! + state[at]! + carry;
      this.#state[at] = sum >>> 0;
      carry = sum > 0xffff_ffff ? 1 : 0;
    }
    this.#step(0);
  }

  /** The next 32 bits: the low half of an output, then its high half. */
  uint32(): number {
    if (this.#hasHalf) {
      this.#hasHalf = false;
      return this.#half;
    }
    const at = this.#take();
    this.#half = this.#block[at + 1]!;
    this.#hasHalf = true;
    return this.#block[at]!;
  }

  /** The next 64 bits, as a number in `[0, 1)` of the upper 53. A kept half of an output stays kept. */
  unit(): number {
    const at = this.#take();
    return (this.#block[at + 1]! * 0x20_0000 + (this.#block[at]! >>> 11)) / 0x20_0000_0000_0000;
  }

  #take(): number {
    if (this.#next === this.#block.length) {
      this.#step(blockOutputs);
      this.#next = 0;
    }
    const at = this.#next;
    this.#next = at + 2;
    return at;
  }

  /** Steps `outputs` times and keeps what comes out; 0 steps once and keeps nothing. */
  #step(outputs: number): void {
    const [m0, m1, m2, m3] = factor;
    const [i0, i1, i2, i3] = this.#increment as unknown as [number, number, number, number];
    let [s0, s1, s2, s3] = this.#state as unknown as [number, number, number, number];
    const block = this.#block;
    for (let at = 0; at < Math.max(1, outputs) * 2; at += 2) {
      const low00 = Math.imul(s0, m0) >>> 0;
      const low01 = Math.imul(s0, m1) >>> 0;
      const low10 = Math.imul(s1, m0) >>> 0;
      const low02 = Math.imul(s0, m2) >>> 0;
      const low11 = Math.imul(s1, m1) >>> 0;
      const low20 = Math.imul(s2, m0) >>> 0;
      // A product of 64 bits is off by at most 2^10 as a double: without its low word, rounding finds the high one.
      const high00 = Math.floor((s0 * m0 - low00) * perWord + 0.5);
      const high01 = Math.floor((s0 * m1 - low01) * perWord + 0.5);
      const high10 = Math.floor((s1 * m0 - low10) * perWord + 0.5);
      const high02 = Math.floor((s0 * m2 - low02) * perWord + 0.5);
      const high11 = Math.floor((s1 * m1 - low11) * perWord + 0.5);
      const high20 = Math.floor((s2 * m0 - low20) * perWord + 0.5);
      const low3 = Math.imul(s0, m3) + Math.imul(s1, m2) + Math.imul(s2, m1) + Math.imul(s3, m0);
      const sum0 = low00 + i0;
      s0 = sum0 >>> 0;
      const sum1 = low01 + low10 + high00 + i1 + Math.floor(sum0 * perWord);
      s1 = sum1 >>> 0;
      const sum2 = low02 + low11 + low20 + high01 + high10 + i2 + Math.floor(sum1 * perWord);
      s2 = sum2 >>> 0;
      s3 = (low3 + high02 + high11 + high20 + i3 + Math.floor(sum2 * perWord)) >>> 0;
      if (outputs === 0) continue;
      const low = s0 ^ s2;
      const high = s1 ^ s3;
      const turn = s3 >>> 26;
      const [first, second] = turn >= 32 ? [high, low] : [low, high];
      const by = turn & 31;
      block[at] = by === 0 ? first : (first >>> by) | (second << (32 - by));
      block[at + 1] = by === 0 ? second : (second >>> by) | (first << (32 - by));
    }
    this.#state[0] = s0;
    this.#state[1] = s1;
    this.#state[2] = s2;
    this.#state[3] = s3;
  }
}

/** 128 bits from four words of a seed, lowest word first. */
function wide(words: Uint32Array, from: number): number[] {
  return [words[from + 2]!, words[from + 3]!, words[from]!, words[from + 1]!];
}

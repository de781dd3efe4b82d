import { SpiralError, shown } from '../../core/errors.js';
import { Pcg64 } from './pcg64.js';

/** The most that a drawn whole number may range over; numpy goes on with another algorithm of 64 bits. */
const rangeMax = 0xffff_ffff;

/** Where numpy's `choice` turns from Floyd's set to a shuffle of the tail. */
const tailPopulationMin = 10_000;
const tailShare = 50;

/** What can be shuffled in place. */
export type Shufflable = Uint32Array | Float64Array | unknown[];

/**
 * numpy's `Generator` over {@link Pcg64}: `default_rng(seed)`, and those of its methods that MosaicML's orders call, with
 * the same results and the same use of the stream.
 */
export class NumpyGenerator {
  readonly #bits: Pcg64;

  /** @throws SpiralError `invalid_argument` unless `seed` is a whole number of at least 0. */
  constructor(seed: number | bigint) {
    this.#bits = new Pcg64(wholeSeed(seed));
  }

  /** `random()`: a number in `[0, 1)`. */
  random(): number {
    return this.#bits.unit();
  }

  /** `uniform(low, high)`. */
  uniform(low: number, high: number): number {
    return low + (high - low) * this.#bits.unit();
  }

  /**
   * `integers(low, high)`: a whole number in `[low, high)`. Draws nothing where there is one only.
   *
   * @throws SpiralError `invalid_size` where there is none, or more than 2^32.
   */
  integers(low: number, high: number): number {
    const range = high - 1 - low;
    if (!(range >= 0 && range <= rangeMax)) {
      throw new SpiralError(
        'invalid_size',
        `Expected a range of 1 to 2 ** 32 whole numbers to draw from, got [${low}, ${high}).`,
        { details: { low, high } },
      );
    }
    return low + this.#below(range);
  }

  /** `shuffle(items)`, in place; an array of numpy and a list of Python take the same draws. */
  shuffle<T extends Shufflable>(items: T, from = 0, to: number = items.length): T {
    const bits = this.#bits;
    for (let last = to - from - 1; last > 0; last--) {
      const mask = 0xffff_ffff >>> Math.clz32(last);
      let pick = (bits.uint32() & mask) >>> 0;
      while (pick > last) pick = (bits.uint32() & mask) >>> 0;
      const held = items[from + last]!;
      items[from + last] = items[from + pick]!;
      items[from + pick] = held;
    }
    return items;
  }

  /** `permutation(length)`. */
  permutation(length: number): Uint32Array {
    return this.shuffle(counting(length));
  }

  /**
   * `choice(population, size, replace=False)`.
   *
   * @throws SpiralError `invalid_size` where `size` is above `population`.
   */
  choice(population: number, size: number): Uint32Array {
    if (size > population) {
      throw new SpiralError('invalid_size', `Expected at most ${population} to choose of as many, got ${size}.`, {
        details: { population, size },
      });
    }
    if (population > tailPopulationMin && size > Math.floor(population / tailShare)) {
      const tail = counting(population);
      this.#shuffleTail(tail, Math.max(population - size, 1));
      return tail.slice(population - size);
    }
    const chosen = new Uint32Array(size);
    const seen = new Set<number>();
    for (let at = 0; at < size; at++) {
      const last = population - size + at;
      const drawn = this.#below(last);
      const value = seen.has(drawn) ? last : drawn;
      seen.add(value);
      chosen[at] = value;
    }
    this.#shuffleTail(chosen, 1);
    return chosen;
  }

  #shuffleTail(items: Uint32Array, first: number): void {
    for (let at = items.length - 1; at >= first; at--) {
      const pick = this.#below(at);
      const held = items[at]!;
      items[at] = items[pick]!;
      items[pick] = held;
    }
  }

  /** A whole number in `[0, range]` by D. Lemire's multiplication ("Fast Random Integer Generation in an Interval"). */
  #below(range: number): number {
    if (range === 0) return 0;
    if (range === rangeMax) return this.#bits.uint32();
    const count = range + 1;
    let drawn = this.#bits.uint32();
    let low = Math.imul(drawn, count) >>> 0;
    if (low < count) {
      const threshold = (rangeMax - range) % count;
      while (low < threshold) {
        drawn = this.#bits.uint32();
        low = Math.imul(drawn, count) >>> 0;
      }
    }
    return Math.floor((drawn * count - low) * 2 ** -32 + 0.5);
  }
}

/** `0 … length - 1`. */
export function counting(length: number): Uint32Array {
  const numbers = new Uint32Array(length);
  for (let at = 0; at < length; at++) numbers[at] = at;
  return numbers;
}

/**
 * A seed as a bigint.
 *
 * @throws SpiralError `invalid_argument` unless it is a whole number of at least 0.
 */
export function wholeSeed(seed: number | bigint): bigint {
  if ((typeof seed === 'bigint' || Number.isSafeInteger(seed)) && seed >= 0) return BigInt(seed);
  throw new SpiralError(
    'invalid_argument',
    `Expected a seed to be a whole number of at least 0 (a bigint above 2 ** 53 - 1), got ${shown(seed)}.`,
    { details: { found: seed } },
  );
}

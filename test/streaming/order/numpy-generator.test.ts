import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { placesSorted } from '../../../src/streaming/mosaic/sorted-places.js';
import { NumpyGenerator } from '../../../src/streaming/order/numpy-generator.js';
import { Pcg64 } from '../../../src/streaming/order/pcg64.js';
import { seedWords } from '../../../src/streaming/order/seed-sequence.js';
import { mixStreams } from '../../../src/streaming/order/stream-weights.js';
import { lawRuns } from '../../laws.js';
import { fixturesNote, hasOrderFixtures, orderFixture } from '../peer-fixtures.js';

type Draws = Readonly<Record<string, readonly number[]>>;
type Primitives = {
  readonly cases: readonly ({ readonly seed: string; readonly raw_u64: readonly string[] } & Draws)[];
};

interface Goldens {
  readonly integers: readonly { seed: number; low: number; high: number; drawn: number[] }[];
  readonly mix: readonly { proportions: number[]; epochSize: number; seed: number; choose: number[] }[];
  readonly choice: readonly { seed: string; population: number; size: number; sum: number; head: number[] }[];
}

const goldens = JSON.parse(readFileSync(new URL('goldens/numpy.json', import.meta.url), 'utf8')) as Goldens;
const times = <T>(count: number, draw: () => T): T[] => Array.from({ length: count }, draw);
const list = (length: number): number[] => Array.from({ length }, (_, at) => at);

/** What the fixtures' fields were drawn by, each from a generator of its own. */
const draws: Readonly<Record<string, (generator: NumpyGenerator) => readonly number[]>> = {
  random5: (generator) => times(5, () => generator.random()),
  'uniform_-3.5_9.25_x5': (generator) => times(5, () => generator.uniform(-3.5, 9.25)),
  uniform_0_0_x2_then_random: (generator) => [...times(2, () => generator.uniform(0, 0)), generator.random()],
  integers_75_125_x6_scalar_calls: (generator) => times(6, () => generator.integers(75, 125)),
  integers_196608_327680_scalar_x4: (generator) => times(4, () => generator.integers(196608, 327680)),
  integers_vec_0_1000_x6: (generator) => times(6, () => generator.integers(0, 1000)),
  permutation_1: (generator) => [...generator.permutation(1)],
  permutation_10: (generator) => [...generator.permutation(10)],
  permutation_100: (generator) => [...generator.permutation(100)],
  shuffle_list20: (generator) => generator.shuffle(list(20)),
  shuffle_array20: (generator) => [...generator.shuffle(Uint32Array.from(list(20)))],
  shuffle_tuples12_first: (generator) => generator.shuffle(list(12).map((first) => [first])).map(([first]) => first!),
  choice_20_7_noreplace: (generator) => [...generator.choice(20, 7)],
  choice_3_0_noreplace: (generator) => [...generator.choice(3, 0)],
  choice_1000_5_noreplace: (generator) => [...generator.choice(1000, 5)],
  choice_20000_5_noreplace: (generator) => [...generator.choice(20000, 5)],
  choice_20000_600_noreplace_first20: (generator) => [...generator.choice(20000, 600).subarray(0, 20)],
};

/** PCG64 as published, on bigints. */
function bigOutputs(seed: bigint, count: number): bigint[] {
  const [w0, w1, w2, w3, w4, w5, w6, w7] = Array.from(seedWords(seed), BigInt) as bigint[];
  const wide = (a: bigint, b: bigint, c: bigint, d: bigint): bigint => (((((b << 32n) | a) << 32n) | d) << 32n) | c;
  const increment = BigInt.asUintN(128, (wide(w4!, w5!, w6!, w7!) << 1n) | 1n);
  const step = (state: bigint): bigint => BigInt.asUintN(128, state * 0x2360ed051fc65da44385df649fccf645n + increment);
  let state = step(increment + wide(w0!, w1!, w2!, w3!));
  return times(count, () => {
    state = step(state);
    const word = BigInt.asUintN(64, (state >> 64n) ^ state);
    return BigInt.asUintN(64, (word >> (state >> 122n)) | (word << (64n - (state >> 122n))));
  });
}

describe("numpy's generator", () => {
  it.skipIf(!hasOrderFixtures)(`draws what numpy 1.24 drew, by every method that orders need${fixturesNote}`, () => {
    const { cases } = orderFixture<Primitives>('rng_primitives');
    expect(cases.length).toBeGreaterThan(5);
    for (const { seed, raw_u64: raw, ...fields } of cases) {
      const bits = new Pcg64(BigInt(seed));
      expect(raw.map(() => BigInt(bits.uint32()) + (BigInt(bits.uint32()) << 32n))).toEqual(raw.map(BigInt));
      for (const [name, draw] of Object.entries(draws)) {
        expect({ seed, name, drawn: draw(new NumpyGenerator(BigInt(seed))) }).toEqual({
          seed,
          name,
          drawn: fields[name],
        });
      }
    }
  });

  it('gives the first outputs of seed 1', () => {
    const bits = new Pcg64(1n);
    const outputs = times(3, () => BigInt(bits.uint32()) + (BigInt(bits.uint32()) << 32n));
    expect(outputs).toEqual([9441442522235856127n, 17532960557476522086n, 2659275481604167885n]);
  });

  it('keeps the half of an output while it draws 64 bits', () => {
    const [bits, plain] = [new Pcg64(3n), new Pcg64(3n)];
    const halves = times(4, () => plain.uint32());
    expect(bits.uint32()).toBe(halves[0]);
    expect(bits.unit()).toBe((halves[3]! * 2 ** 21 + (halves[2]! >>> 11)) / 2 ** 53);
    expect(bits.uint32()).toBe(halves[1]);
  });

  it('steps as arithmetic on bigints does, over blocks of any number', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 1n << 140n }), fc.integer({ min: 1, max: 600 }), (seed, count) => {
        const bits = new Pcg64(seed);
        const outputs = times(count, () => BigInt(bits.uint32()) + (BigInt(bits.uint32()) << 32n));
        expect(outputs).toEqual(bigOutputs(seed, count));
      }),
      { numRuns: lawRuns(20, 1000) },
    );
  });

  it('draws from ranges up to 2 ** 32 as numpy does, where it must draw again too', () => {
    for (const { seed, low, high, drawn } of goldens.integers) {
      const generator = new NumpyGenerator(seed);
      expect(drawn.map(() => generator.integers(low, high))).toEqual(drawn);
    }
  });

  it('chooses as numpy does on both sides of its turning points', () => {
    for (const { seed, population, size, sum, head } of goldens.choice) {
      const chosen = new NumpyGenerator(BigInt(seed)).choice(population, size);
      expect([...chosen.subarray(0, 10)]).toEqual(head);
      expect(chosen.reduce((total, value, at) => total + value * (at + 1), 0)).toBe(sum);
    }
  });

  it('refuses a range without numbers, too many to choose, and a seed that is none', () => {
    const generator = new NumpyGenerator(0);
    expect(() => generator.integers(5, 5)).toThrow(expect.objectContaining({ code: 'invalid_size' }));
    expect(() => generator.integers(0, 2 ** 33)).toThrow(expect.objectContaining({ code: 'invalid_size' }));
    expect(() => generator.choice(3, 4)).toThrow(expect.objectContaining({ code: 'invalid_size' }));
    for (const seed of [-1, 1.5, Number.NaN, 2 ** 53, -1n]) {
      expect(() => new NumpyGenerator(seed)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
    }
  });
});

describe('mixing', () => {
  it('rounds proportions as numpy does, for many streams too', () => {
    for (const { proportions, epochSize, seed, choose } of goldens.mix) {
      const weights = proportions.map((proportion) => ({ proportion }));
      const parts = mixStreams(
        weights,
        weights.map(() => 10),
        epochSize,
        seed,
      );
      expect(parts.map((part) => part.choose)).toEqual(choose);
    }
  });
});

describe('the argsort', () => {
  it('equals a stable sort, for values spread, crowded and equal', () => {
    const place = (length: number): fc.Arbitrary<number> =>
      fc.oneof(
        fc.double({ min: 0, max: length, noNaN: true }),
        fc.constantFrom(0, 0.5, length),
        fc.integer({ min: 0, max: length }),
      );
    const places = fc
      .integer({ min: 0, max: 300 })
      .chain((length) => fc.array(place(length), { minLength: length, maxLength: length }));
    fc.assert(
      fc.property(places, (values) => {
        const sorted = list(values.length).sort((a, b) => values[a]! - values[b]! || a - b);
        expect([...placesSorted(Float64Array.from(values))]).toEqual(sorted);
      }),
      { numRuns: lawRuns(200, 20_000) },
    );
  });
});

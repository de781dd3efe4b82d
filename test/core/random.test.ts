import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  deriveSeed,
  permutation,
  type RandomStream,
  randomStream,
  type StreamLabel,
  shuffle,
  uniqueId,
} from '../../src/core/random.js';
import { lawRuns } from '../laws.js';

interface Goldens {
  streams: { labels: StreamLabel[]; uint32: number[]; below100: number[]; unit: number[]; seed: number }[];
  permutations: { length: number; labels: StreamLabel[]; order: number[] }[];
}

const goldens = JSON.parse(readFileSync(new URL('./goldens/streams.json', import.meta.url), 'utf8')) as Goldens;
const runs = lawRuns(200, 5000);
const label = fc.oneof(
  fc.integer(),
  fc.string(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).filter((n) => !Object.is(n, -0)),
);
const labels = fc.array(label, { maxLength: 5 });

const draw = (count: number, next: () => number): number[] => Array.from({ length: count }, next);
const words = (stream: RandomStream, count: number): number[] => draw(count, stream.uint32);

describe('a random stream', () => {
  it.each(goldens.streams)('gives the golden numbers of $labels', ({ labels, uint32, below100, unit, seed }) => {
    expect(words(randomStream(...labels), uint32.length)).toEqual(uint32);
    const bounded = randomStream(...labels);
    expect(draw(below100.length, () => bounded.below(100))).toEqual(below100);
    expect(draw(unit.length, randomStream(...labels).unit)).toEqual(unit);
    expect(deriveSeed(...labels)).toBe(seed);
  });

  it('is the same for equal labels, whatever other streams do meanwhile', () => {
    fc.assert(
      fc.property(labels, labels, (mine, others) => {
        const alone = words(randomStream(...mine), 8);
        const [stream, other] = [randomStream(...mine), randomStream(...others)];
        const meanwhile = draw(8, () => {
          other.unit();
          return stream.uint32();
        });
        expect(meanwhile).toEqual(alone);
      }),
      { numRuns: runs },
    );
  });

  it('shares nothing with the stream of other labels', () => {
    fc.assert(
      fc.property(labels, labels, (a, b) => {
        fc.pre(JSON.stringify(a) !== JSON.stringify(b));
        const pairs = (list: number[]): string[] => list.slice(1).map((word, index) => `${list[index]},${word}`);
        const known = new Set(pairs(words(randomStream(...a), 64)));
        expect(pairs(words(randomStream(...b), 64)).filter((pair) => known.has(pair))).toEqual([]);
      }),
      { numRuns: runs },
    );
  });

  it('tells a number from its text, one label from two, and one order from the other', () => {
    const streams = [[1], ['1'], [1, 2], [2, 1], ['1,2'], [12], [[1, 2].join('","')], []].map((one) =>
      words(randomStream(...one), 2).join(),
    );
    expect(new Set(streams).size).toBe(streams.length);
  });

  it('does not follow the stream of the next epoch, of the next seed, or of seed and epoch swapped', () => {
    const count = lawRuns(2000, 50_000);
    const first = (...named: StreamLabel[]): number => randomStream(...named).unit();
    const neighbours: ((at: number) => [number, number])[] = [
      (at) => [first(42, 'epoch', at), first(42, 'epoch', at + 1)],
      (at) => [first(at, 'epoch'), first(at + 1, 'epoch')],
      (at) => [first(at, at + 1), first(at + 1, at)],
    ];
    for (const neighbour of neighbours) {
      const pairs = Array.from({ length: count }, (_, at) => neighbour(at));
      expect(Math.abs(correlation(pairs))).toBeLessThan(4.5 / Math.sqrt(count));
    }
  });
});

describe('the numbers of a stream', () => {
  it('stay in their ranges', () => {
    fc.assert(
      fc.property(labels, fc.integer({ min: 1, max: 2 ** 32 }), (named, bound) => {
        const stream = randomStream(...named);
        for (let turn = 0; turn < 20; turn++) {
          const [word, bounded, unit] = [stream.uint32(), stream.below(bound), stream.unit()];
          expect(Number.isInteger(word) && word >= 0 && word < 2 ** 32).toBe(true);
          expect(Number.isInteger(bounded) && bounded >= 0 && bounded < bound).toBe(true);
          expect(unit >= 0 && unit < 1 && Number.isInteger(unit * 2 ** 53)).toBe(true);
        }
      }),
      { numRuns: runs },
    );
  });

  it.each([2, 3, 7, 10, 100])('fall evenly below %i', (bound) => {
    const stream = randomStream('even', bound);
    const draws = 2000 * bound;
    const hits = new Array<number>(bound).fill(0);
    for (let turn = 0; turn < draws; turn++) hits[stream.below(bound)]!++;
    const expected = draws / bound;
    const chiSquare = hits.reduce((sum, hit) => sum + (hit - expected) ** 2 / expected, 0);
    expect(chiSquare).toBeLessThan(bound - 1 + 5 * Math.sqrt(2 * (bound - 1)));
  });

  it('keep no bias at a bound where a bare remainder has much of it', () => {
    const stream = randomStream('bias');
    const bound = 3 * 2 ** 30;
    const low = draw(20_000, () => stream.below(bound)).filter((one) => one < 2 ** 30).length;
    expect(low / 20_000).toBeCloseTo(1 / 3, 1.7);
  });

  it('fill all 53 bits of a unit', () => {
    const stream = randomStream('bits');
    const odd = draw(1000, stream.unit).filter((unit) => (unit * 2 ** 53) % 2 === 1).length;
    expect(odd).toBeGreaterThan(400);
    expect(odd).toBeLessThan(600);
  });
});

describe('a permutation', () => {
  it.each(goldens.permutations)('of $length with $labels is the golden one', ({ length, labels, order }) => {
    expect([...permutation(length, randomStream(...labels))]).toEqual(order);
  });

  it('holds every index once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 500 }), labels, (length, named) => {
        const order = permutation(length, randomStream(...named));
        expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length }, (_, index) => index));
      }),
      { numRuns: runs },
    );
  });

  it('comes in every order equally often', () => {
    const counts = new Map<string, number>();
    const turns = 24 * 500;
    for (let turn = 0; turn < turns; turn++) {
      const order = permutation(4, randomStream('orders', turn)).join('');
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    const chiSquare = [...counts.values()].reduce((sum, count) => sum + (count - 500) ** 2 / 500, 0);
    expect(chiSquare).toBeLessThan(23 + 5 * Math.sqrt(46));
  });

  it('is what shuffle makes, in place, of any list', () => {
    const items = ['a', 'b', 'c', 'd', 'e'];
    const order = permutation(5, randomStream('list'));
    const shuffled = shuffle([...items], randomStream('list'));
    expect(shuffled).toEqual([...order].map((index) => items[index]));
    const typed = Int32Array.from([5, 6, 7]);
    expect(shuffle(typed, randomStream('typed'))).toBe(typed);
  });
});

describe('uniqueId', () => {
  it('puts 16 letters and digits behind its prefix and never comes twice', () => {
    const ids = Array.from({ length: 1000 }, () => uniqueId('tbl_'));
    for (const id of ids) expect(id).toMatch(/^tbl_[a-hjkmnp-z0-9]{16}$/);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

function correlation(pairs: readonly (readonly [number, number])[]): number {
  const mean = (pick: 0 | 1): number => pairs.reduce((sum, pair) => sum + pair[pick], 0) / pairs.length;
  const [x, y] = [mean(0), mean(1)];
  const moment = (of: (dx: number, dy: number) => number): number =>
    pairs.reduce((sum, pair) => sum + of(pair[0] - x, pair[1] - y), 0);
  return moment((dx, dy) => dx * dy) / Math.sqrt(moment((dx) => dx * dx) * moment((_, dy) => dy * dy));
}

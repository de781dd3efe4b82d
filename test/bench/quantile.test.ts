import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { median, quantile } from '../../bench/quantile.js';
import { lawRuns } from '../laws.js';

describe('a quantile', () => {
  it.each([
    [[3, 1, 2], 2],
    [[4, 1, 3, 2], 2.5],
    [[7], 7],
  ])('in the middle of %j is %d', (values, expected) => {
    expect(median(values)).toBe(expected);
  });

  it('lies between neighbours in proportion, and at the ends is the least and the largest', () => {
    expect(quantile([10, 20], 0.25)).toBe(12.5);
    expect(quantile([5, 9, 1], 0)).toBe(1);
    expect(quantile([5, 9, 1], 1)).toBe(9);
  });

  it('of nothing is no number', () => {
    expect(median([])).toBeNaN();
  });

  it('grows with the share, and leaves the values as they were', () => {
    const numbers = fc.array(fc.integer(), { minLength: 1 });
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(numbers, share, share, (values, a, b) => {
        const before = [...values];
        expect(quantile(values, Math.min(a, b))).toBeLessThanOrEqual(quantile(values, Math.max(a, b)));
        expect(values).toEqual(before);
      }),
      { numRuns: lawRuns(100, 10_000) },
    );
  });
});

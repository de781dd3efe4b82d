import fc from 'fast-check';
import { expect, it } from 'vitest';
import { slope } from '../../bench/slope.js';
import { lawRuns } from '../laws.js';

it('of points on a line is the slope of that line, wherever it lies', () => {
  const small = fc.integer({ min: -1000, max: 1000 });
  const times = fc.uniqueArray(fc.integer({ min: 0, max: 1000 }), { minLength: 2, maxLength: 50 });
  fc.assert(
    fc.property(small, small, times, (gain, from, at) => {
      expect(
        slope(
          at,
          at.map((time) => from + gain * time),
        ),
      ).toBeCloseTo(gain, 6);
    }),
    { numRuns: lawRuns(100, 2000) },
  );
});

it('goes between points that lie off the line', () => {
  expect(slope([0, 1, 2, 3], [0, 2, 1, 3])).toBeCloseTo(0.8, 12);
});

it('of one point is unknown', () => {
  expect(slope([1], [1])).toBeNaN();
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { joinPieces } from '../../src/indexes/join-pieces.js';
import { lawRuns } from '../laws.js';

describe('pieces joined to ranges', () => {
  it('are all in a range, which are near the granularity and never of more than twice as many rows', () =>
    fc.assert(
      fc.property(
        fc
          .integer({ min: 1, max: 20 })
          .chain((granularity) =>
            fc.tuple(fc.constant(granularity), fc.array(fc.integer({ min: 0, max: granularity }), { maxLength: 40 })),
          ),
        ([granularity, rows]) => {
          const ends = joinPieces(rows, granularity);
          const total = rows.reduce((sum, own) => sum + own, 0);
          if (total === 0) {
            expect(ends).toEqual([]);
            return;
          }
          expect(ends.at(-1)).toBe(rows.length);
          let at = 0;
          for (const [range, end] of ends.entries()) {
            expect(end).toBeGreaterThan(at);
            const own = rows.slice(at, end).reduce((sum, each) => sum + each, 0);
            expect(own).toBeLessThanOrEqual(range === ends.length - 1 ? 2 * granularity : 1.5 * granularity);
            if (ends.length > 1) expect(2 * own).toBeGreaterThanOrEqual(granularity);
            at = end;
          }
        },
      ),
      { numRuns: lawRuns(1000, 100_000) },
    ));

  it('stand alone where they have what a range should have, and share one where they are tiny', () => {
    expect(joinPieces([10, 10, 10], 10)).toEqual([1, 2, 3]);
    expect(joinPieces([1, 1, 1, 1, 1, 1, 1, 1], 4)).toEqual([4, 8]);
    expect(joinPieces([10, 1, 10], 10)).toEqual([1, 3]);
    expect(joinPieces([10, 4], 10)).toEqual([2]);
    expect(joinPieces([10, 6], 10)).toEqual([1, 2]);
    expect(joinPieces([0, 0, 3], 10)).toEqual([3]);
    expect(joinPieces([], 10)).toEqual([]);
  });
});

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { expandRanges, type Ranges, rowRanges, sliceRanges } from '../../src/arrow/ranges.js';
import { lawRuns } from '../laws.js';

type Row = readonly [source: number, row: number];

/** Runs of neighbours, as ranges of one row each or of several. */
const arbRanges: fc.Arbitrary<Ranges> = fc
  .tuple(fc.boolean(), fc.array(fc.tuple(fc.nat(3), fc.nat(50), fc.nat(6)), { maxLength: 20 }))
  .map(([single, runs]) => ({
    count: runs.length,
    source: Int32Array.from(runs, ([source]) => source),
    start: Int32Array.from(runs, ([, start]) => start),
    lengths: single ? 1 : Int32Array.from(runs, ([, , length]) => length),
    total: single ? runs.length : runs.reduce((sum, [, , length]) => sum + length, 0),
  }));

function rowsOf({ count, source, start, lengths }: Ranges): Row[] {
  return Array.from({ length: count }, (_, at) => {
    const length = typeof lengths === 'number' ? lengths : lengths[at]!;
    return Array.from({ length }, (__, row): Row => [source[at]!, start[at]! + row]);
  }).flat();
}

test('a slice of ranges names the rows of that slice', () => {
  fc.assert(
    fc.property(arbRanges, fc.nat(100), fc.nat(100), (ranges, a, b) => {
      const [from, to] = [a % (ranges.total + 1), b % (ranges.total + 1)].sort((x, y) => x - y) as [number, number];
      const slice = sliceRanges(ranges, from, to);
      expect(slice.total).toBe(to - from);
      expect(rowsOf(slice)).toEqual(rowsOf(ranges).slice(from, to));
    }),
    { numRuns: lawRuns(200, 5000) },
  );
});

test('ranges expand to their rows, and rows merge to ranges of the same rows', () => {
  fc.assert(
    fc.property(arbRanges, (ranges) => {
      const { source, row } = expandRanges(ranges);
      const rows = Array.from(source, (of, at): Row => [of, row[at]!]);
      expect(rows).toEqual(rowsOf(ranges));
      expect(rowsOf(rowRanges(source, row))).toEqual(rows);
    }),
    { numRuns: lawRuns(200, 5000) },
  );
});

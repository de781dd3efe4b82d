import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type BlockPlace,
  DrawnRows,
  PackedRowIds,
  packRowIds,
  type RowIds,
  SlicedRowIds,
} from '../../src/loader/row-ids.js';
import { lawRuns } from '../laws.js';

const arbBlocks: fc.Arbitrary<BlockPlace[]> = fc.array(
  fc.record({
    shard: fc.nat(1000),
    from: fc.nat({ max: 2 ** 33 }),
    rows: fc.option(fc.constant(Int32Array.from({ length: 60 }, (_, at) => at * 2)), { nil: undefined }),
  }),
  { minLength: 1, maxLength: 4 },
);
const arbRuns = fc.array(fc.tuple(fc.nat(100), fc.nat(40), fc.nat(20)), { maxLength: 12 });

test('row ids are the same on the other side of a thread, as runs and as rows, and in slices', () => {
  fc.assert(
    fc.property(arbBlocks, arbRuns, fc.boolean(), fc.nat(), fc.nat(), (blocks, runs, single, a, b) => {
      const source = Int32Array.from(runs, ([block]) => block % blocks.length);
      const start = Int32Array.from(runs, ([, row]) => row);
      const lengths = single ? 1 : Int32Array.from(runs, ([, , length]) => length);
      const total = single ? runs.length : runs.reduce((sum, [, , length]) => sum + length, 0);
      const expected = runs.flatMap(([block, row, length]) =>
        Array.from({ length: single ? 1 : length }, (_, at) => {
          const { shard, from, rows } = blocks[block % blocks.length]!;
          return [shard, from + (rows === undefined ? row + at : rows[row + at]!)];
        }),
      );
      const drawn = new DrawnRows(blocks, { count: runs.length, source, start, lengths, total });
      const packed = new PackedRowIds(structuredClone(packRowIds(drawn)));
      const sliced = new PackedRowIds(packRowIds(new SlicedRowIds(packed, 0, total)));
      for (const ids of [drawn, packed, sliced]) {
        expect(ids.length).toBe(total);
        const from = a % (total + 1);
        const part = new SlicedRowIds(ids, from, b % (total - from + 1));
        expect(listed(part)).toEqual(expected.slice(from, from + part.length));
        expect(listed(ids)).toEqual(expected);
      }
    }),
    { numRuns: lawRuns(100, 2000) },
  );
});

function listed({ shards, rows }: RowIds): number[][] {
  return Array.from(shards, (shard, at) => [shard, rows[at]!]);
}

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchRows } from '../../src/arrow/rows.js';
import type { Scan } from '../../src/client/scan.js';
import type { Spiral } from '../../src/client/spiral.js';
import type { Table } from '../../src/client/table.js';
import { uniqueId } from '../../src/core/random.js';
import { expectSameValues } from '../arrow/arbitrary.js';
import { spiralAt } from '../client/spiral-at.js';
import { lawRuns } from '../laws.js';
import { arbPredicate, type Predicate, type Row } from './predicates.js';
import { arbSteps, predicateColumns, tableOf } from './random-table.js';

/** Projections, and what plain JavaScript makes of a row of the whole table. */
const projections: readonly {
  readonly of: (table: Table) => Parameters<Spiral['scan']>[0];
  readonly plain: (row: Row) => Row;
}[] = [
  { of: (table) => table, plain: (row) => row },
  { of: (table) => table.select('t', 's.y'), plain: ({ t, s }) => ({ t, s: { y: (s as Row)['y'] } }) },
  { of: (table) => table.select(), plain: () => ({}) },
  {
    of: (table) => ({ known: table.col('a').isNotNull(), b: table.col('b'), id: table.col('id') }),
    plain: ({ a, b, id }) => ({ known: a !== null, b, id }),
  },
];

const key = ({ shelf, id }: Row): string => `${shelf} ${id}`;

/** Checks every way of reading a filtered scan against `expected`. */
async function checkReading(
  scan: Scan,
  all: readonly Row[],
  predicate: Predicate,
  plain: (row: Row) => Row,
): Promise<void> {
  const expected = all.filter((row) => predicate.of(row) === true).map(plain);
  expectSameValues(await scan.toRows({ batchReadahead: 1 }), expected);
  // What was verified by the first pass is read in parts by the second.
  expectSameValues(await scan.toRows(), expected);
  if (await scan.isEmpty()) expect(expected).toEqual([]);
  const unordered = await scan.toUnorderedRecordBatches().toRows();
  expect(unordered).toHaveLength(expected.length);
  const parts: Row[] = [];
  for (const shard of await scan.shards()) {
    expect(shard.cardinality).toBeNull();
    parts.push(...(await scan.toRows({ shards: [shard], verify: 'always' })));
  }
  expectSameValues(parts, expected);
}

/** Checks blocks of any rows, as loaders read them: the rows that survive, and where they stood. */
async function checkBlocks(
  scan: Scan,
  all: readonly Row[],
  predicate: Predicate,
  plain: (row: Row) => Row,
  cut: number,
): Promise<void> {
  const source = await scan.openSource();
  expect(source.filtered).toBe(true);
  let first = 0;
  for (const shard of source.shards) {
    for (let from = 0; from < shard.physicalRows; from += cut) {
      const to = Math.min(shard.physicalRows, from + cut);
      const { batch, rows } = await source.readBlock(shard, from, to, new AbortController().signal);
      const stored = all.slice(first + from, first + to);
      const survive = stored.flatMap((row, at) => (predicate.of(row) === true ? [at] : []));
      expectSameValues(
        batchRows(batch),
        survive.map((at) => plain(stored[at]!)),
      );
      if (rows === undefined) expect(survive).toHaveLength(stored.length);
      else expect([...rows]).toEqual(survive);
    }
    first += shard.physicalRows;
  }
  expect(first).toBe(all.length);
}

describe('a filtered scan', () => {
  it('gives the rows of the unfiltered one for which plain JavaScript finds the predicate true (laws 21, 23)', async () => {
    let kept = 0;
    let pruned = 0;
    await fc.assert(
      fc.asyncProperty(
        arbSteps,
        arbPredicate(predicateColumns),
        fc.constantFrom(...projections),
        fc.integer({ min: 1, max: 12 }),
        fc.boolean(),
        async (steps, predicate, { of, plain }, cut, verified) => {
          const uri = `memory://${uniqueId('filter-')}`;
          await using writer = spiralAt(uri);
          const table = await tableOf(writer, steps);
          const all = await (await writer.scan(table)).toRows();
          expect(new Set(all.map(key)).size).toBe(all.length);
          await using spiral = spiralAt(uri, {
            'limits.partition_max_bytes': 1500,
            verify: verified ? 'first' : 'never',
          });
          const own = await spiral.table(table.id);
          const where = predicate.expr(own);
          const scan = await spiral.scan(of(own), { where });
          if (cut % 2 === 0) await checkBlocks(scan, all, predicate, plain, cut);
          await checkReading(scan, all, predicate, plain);
          const again = await spiral.resumeScan(scan.stateJson());
          expect(again.identity).toEqual(scan.identity);
          await checkBlocks(again, all, predicate, plain, cut);
          kept += scan.metrics.rows;
          pruned += scan.metrics.batchesPruned;
        },
      ),
      { numRuns: lawRuns(60, 4000), endOnFailure: true },
    );
    expect(kept).toBeGreaterThan(0);
    expect(pruned).toBeGreaterThan(0);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Spiral } from '../../src/client/spiral.js';
import type { Table } from '../../src/client/table.js';
import { uniqueId } from '../../src/core/random.js';
import type { Shard } from '../../src/sharding/shard.js';
import { encodeKeyValues } from '../../src/table/key-values.js';
import { expectSameValues } from '../arrow/arbitrary.js';
import { lawRuns } from '../laws.js';
import { arbPredicate, type Predicate, type Row } from '../scan/predicates.js';
import { arbSteps, changeTable, predicateColumns, tableOf } from '../scan/random-table.js';
import { spiralAt } from './spiral-at.js';

const arbWhere = fc.option(arbPredicate(predicateColumns), { nil: undefined });
const lawSpiral = (): Spiral => spiralAt(`memory://${uniqueId('index-')}`, { 'limits.partition_max_bytes': 1500 });

function keyOf(table: Table, row: Row): Uint8Array {
  const types = table.keySchema.fields.map(({ type }) => type);
  return encodeKeyValues([row['shelf'], row['id']], types, ['shelf', 'id']);
}

/** Checks that `shards` are what an index of `granularity` promises for the rows of `table` that `predicate` leaves at `asof`. */
async function checkShards(
  spiral: Spiral,
  table: Table,
  shards: readonly Shard[],
  of: { granularity: number; predicate: Predicate | undefined; asof: number },
): Promise<void> {
  const { granularity, predicate, asof } = of;
  const all = await (await spiral.scan(table, { asof })).toRows();
  const expected = all.filter((row) => predicate === undefined || predicate.of(row) === true);
  const where = predicate === undefined ? {} : { where: predicate.expr(table) };
  const scan = await spiral.scan(table, { asof, ...where });
  const given: Row[] = [];
  for (const [at, shard] of shards.entries()) {
    const rows = await scan.toRows({ shards: [shard] });
    expect(rows).toHaveLength(shard.cardinality!);
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.length).toBeLessThanOrEqual(2 * granularity);
    if (shards.length > 1) expect(2 * rows.length).toBeGreaterThanOrEqual(granularity);
    const { begin, end } = shard.keyRange;
    expect(Buffer.compare(begin!, end!)).toBe(-1);
    if (at > 0) expect(Buffer.compare(begin!, shards[at - 1]!.keyRange.end!)).toBe(0);
    for (const row of rows) {
      const key = keyOf(table, row);
      expect(Buffer.compare(begin!, key)).toBeLessThanOrEqual(0);
      expect(Buffer.compare(key, end!)).toBe(-1);
    }
    given.push(...rows);
  }
  expectSameValues(given, expected);
  expectSameValues(await scan.toRows({ shards }), expected);
}

const asJson = (shards: readonly Shard[]): unknown => shards.map((shard) => shard.toJSON());

describe('a key-space index (law 25)', () => {
  it('covers every row that its filter leaves once, in ranges of at most twice its granularity, whatever was written', () =>
    fc.assert(
      fc.asyncProperty(arbSteps, arbWhere, fc.integer({ min: 1, max: 12 }), async (steps, predicate, granularity) => {
        await using spiral = lawSpiral();
        const table = await tableOf(spiral, steps);
        const project = spiral.project('p');
        const options = predicate === undefined ? {} : { where: predicate.expr(table) };
        const index = await project.createKeySpaceIndex('i', granularity, table, options);
        await index.sync();
        const shards = await index.shards();
        await checkShards(spiral, table, shards, { granularity, predicate, asof: index.asof! });
        // Made anew of the same version it is the same.
        const other = await project.createKeySpaceIndex('j', granularity, table, options);
        await other.sync(table.snapshot(index.asof!));
        expect(asJson(await other.shards())).toEqual(asJson(shards));
      }),
      { numRuns: lawRuns(12, 1500), endOnFailure: true },
    ));

  it('is the same whether it was synced at every version before or never (law 25)', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(arbSteps, { minLength: 2, maxLength: 3 }),
        arbWhere,
        fc.integer({ min: 1, max: 12 }),
        async (steps, predicate, granularity) => {
          await using spiral = lawSpiral();
          const table = await tableOf(spiral, steps[0]!);
          const project = spiral.project('p');
          const options = predicate === undefined ? {} : { where: predicate.expr(table) };
          const index = await project.createKeySpaceIndex('i', granularity, table, options);
          await index.sync();
          for (const [at, more] of steps.slice(1).entries()) {
            await changeTable(table, more);
            if (at % 2 === 0) await table.compact();
            await index.sync();
          }
          const fresh = await project.createKeySpaceIndex('j', granularity, table, options);
          await fresh.sync();
          const shards = await index.shards();
          expect(asJson(shards)).toEqual(asJson(await fresh.shards()));
          await checkShards(spiral, table, shards, { granularity, predicate, asof: index.asof! });
        },
      ),
      { numRuns: lawRuns(8, 400), endOnFailure: true },
    ));
});

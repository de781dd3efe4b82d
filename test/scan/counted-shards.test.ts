import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Spiral } from '../../src/client/spiral.js';
import type { Table } from '../../src/client/table.js';
import { uniqueId } from '../../src/core/random.js';
import { type Segment, Shard } from '../../src/sharding/shard.js';
import { encodeKeyValues } from '../../src/table/key-values.js';
import { expectSameValues } from '../arrow/arbitrary.js';
import { newTable, refusal, spiralAt } from '../client/spiral-at.js';
import { lawRuns } from '../laws.js';
import { arbPredicate, type Row } from './predicates.js';
import { arbSteps, predicateColumns, tableOf } from './random-table.js';

async function listOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe('computeShards', () => {
  it('gives contiguous shards of at most so many rows after the filter, together every one (law 25)', () =>
    fc.assert(
      fc.asyncProperty(
        arbSteps,
        fc.option(arbPredicate(predicateColumns), { nil: undefined }),
        fc.integer({ min: 1, max: 15 }),
        async (steps, predicate, rowsMax) => {
          await using spiral = spiralAt(`memory://${uniqueId('shards-')}`, { 'limits.partition_max_bytes': 1500 });
          const table = await tableOf(spiral, steps);
          const query = predicate === undefined ? {} : { where: predicate.expr(table) };
          const all = await (await spiral.scan(table)).toRows();
          const expected = all.filter((row) => predicate === undefined || predicate.of(row) === true);
          const shards = await spiral.computeShards(rowsMax, table, query);
          expect(shards).toHaveLength(Math.ceil(expected.length / rowsMax));
          const scan = await spiral.scan(table, query);
          const given: Row[] = [];
          let before: Segment | undefined;
          for (const [at, shard] of shards.entries()) {
            const rows = await scan.toRows({ shards: [shard] });
            expect(rows).toHaveLength(shard.cardinality!);
            if (at < shards.length - 1) expect(shard.cardinality).toBe(rowsMax);
            given.push(...rows);
            const { begin, end } = shard.keyRange;
            expect(Buffer.compare(begin!, end!)).toBe(-1);
            if (at > 0) expect(Buffer.compare(begin!, shards[at - 1]!.keyRange.end!)).toBe(0);
            for (const row of rows) {
              const key = encodeKeyValues(
                [row['shelf'], row['id']],
                table.keySchema.fields.map(({ type }) => type),
                ['shelf', 'id'],
              );
              expect(Buffer.compare(begin!, key)).toBeLessThanOrEqual(0);
              expect(Buffer.compare(key, end!)).toBe(-1);
            }
            for (const segment of shard.segments) {
              if (before?.part === segment.part) expect(segment.from).toBe(before.to);
              else expect([segment.part, segment.from]).toEqual([(before?.part ?? -1) + 1, 0]);
              before = segment;
            }
          }
          expectSameValues(given, expected);
          const streamed = await listOf(spiral.computeShards(rowsMax, table, { ...query, stream: true }));
          expect(streamed.map((shard) => shard.toJSON())).toEqual(shards.map((shard) => shard.toJSON()));
        },
      ),
      { numRuns: lawRuns(40, 2000), endOnFailure: true },
    ));

  const filled = async (spiral: Spiral): Promise<Table> => {
    const table = await newTable(spiral);
    await table.write({ id: BigInt64Array.from({ length: 100 }, (_, at) => BigInt(at)) }, { batchRows: 16 });
    return table;
  };

  it('is of the version at `asof`, streams as it finds, and stops where it is left', async () => {
    await using spiral = spiralAt();
    const table = await filled(spiral);
    const asof = await table.snapshot().asof();
    await table.write({ id: BigInt64Array.of(1000n) });
    const rows = (shards: readonly Shard[]): number => shards.reduce((sum, { cardinality }) => sum + cardinality!, 0);
    expect(rows(await spiral.computeShards(30, table, { asof }))).toBe(100);
    expect(rows(await spiral.computeShards(30, table))).toBe(101);
    for await (const shard of spiral.computeShards(10, table, { stream: true })) {
      expect(shard.cardinality).toBe(10);
      break;
    }
    expect(
      await spiral.computeShards(10, await spiral.project('p').createTable('none', { keySchema: { id: 'int64' } })),
    ).toEqual([]);
  });

  it('refuses what is no number of rows, a wrong option and a signal that aborted', async () => {
    await using spiral = spiralAt();
    const table = await filled(spiral);
    for (const most of [0, 1.5, -1, '3']) {
      expect(await refusal(() => spiral.computeShards(most as number, table))).toMatchObject({ code: 'invalid_size' });
    }
    expect(await refusal(() => spiral.computeShards(1, table, { stream: 'yes' } as never))).toMatchObject({
      code: 'invalid_argument',
    });
    expect(await refusal(() => spiral.computeShards(1, table, { wher: 1 } as never))).toMatchObject({
      code: 'invalid_argument',
    });
    expect(await refusal(spiral.computeShards(1, table, { signal: AbortSignal.abort() }))).toMatchObject({
      code: 'cancelled',
    });
    expect(await refusal(spiral.computeShards(1, table, { where: table.col('nope').isNull() }))).toMatchObject({
      code: 'unknown_column',
    });
    expect(await refusal(spiral.computeShards(1, table, { where: table.col('id') }))).toMatchObject({
      code: 'type_mismatch',
    });
    expect(Shard.fromJSON((await spiral.computeShards(40, table))[1]!.toJSON()).physicalRows).toBe(40);
  });
});

import { Table as ArrowTable, RecordBatchReader, tableToIPC } from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { columnsToBatch } from '../../src/arrow/build.js';
import { toSchema } from '../../src/arrow/schema.js';
import type { KeyTable } from '../../src/client/key-table.js';
import type { Spiral } from '../../src/client/spiral.js';
import type { Table } from '../../src/client/table.js';
import { uniqueId } from '../../src/core/random.js';
import { se } from '../../src/expr/se.js';
import { expectSameValues } from '../arrow/arbitrary.js';
import { newTable, refusal, spiralAt } from '../client/spiral-at.js';
import { lawRuns } from '../laws.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { arbPredicate, type Row } from './predicates.js';
import { arbSteps, predicateColumns, tableOf } from './random-table.js';

const keyOf = ({ shelf, id }: Row): string => `${shelf} ${id}`;

describe('taking rows by keys', () => {
  it('gives the rows of the keys in their order, as often as they are there, but for those that are not (law 23)', () =>
    fc.assert(
      fc.asyncProperty(
        arbSteps,
        fc.array(
          fc.record({
            id: fc.integer({ min: -1, max: 31 }),
            shelf: fc.constantFrom('', 'a', 'b', 'é', 'none'),
            extra: fc.option(fc.integer({ min: -5, max: 5 })),
          }),
          { maxLength: 60 },
        ),
        fc.option(arbPredicate(predicateColumns), { nil: undefined }),
        fc.option(fc.integer({ min: 1, max: 20 }), { nil: undefined }),
        fc.constantFrom(0, 300, 1_000_000),
        async (steps, keys, predicate, batchSize, kept) => {
          await using spiral = spiralAt(`memory://${uniqueId('take-')}`, {
            'limits.partition_max_bytes': 1500,
            'limits.block_cache_bytes': kept,
          });
          const table = await tableOf(spiral, steps);
          const all = new Map((await (await spiral.scan(table)).toRows()).map((row) => [keyOf(row), row]));
          const query = predicate === undefined ? {} : { where: predicate.expr(table) };
          const projection = [table, { more: se.aux('extra', 'int32') }];
          const scan = await spiral.scan(projection, query);
          const expected = keys.flatMap((key) => {
            const row = all.get(keyOf(key));
            if (row === undefined || (predicate !== undefined && predicate.of(row) !== true)) return [];
            return [{ ...row, more: key.extra }];
          });
          const size = batchSize === undefined ? {} : { batchSize };
          for (let pass = 0; pass < 2; pass++) {
            const batches: number[] = [];
            const rows: Row[] = [];
            const keyTable = columnsToBatch(
              {
                id: keys.map(({ id }) => id),
                shelf: keys.map(({ shelf }) => shelf),
                extra: keys.map(({ extra }) => extra),
              },
              toSchema({ id: 'int32', shelf: 'utf8', extra: 'int32' }, 'keys'),
            );
            const reader = scan.toRecordBatches({ keyTable, batchReadahead: pass, ...size });
            for await (const batch of reader) {
              batches.push(batch.numRows);
              rows.push(...(await import('../../src/arrow/rows.js')).batchRows(batch));
            }
            expectSameValues(rows, expected);
            if (batchSize !== undefined) expect(Math.max(0, ...batches)).toBeLessThanOrEqual(batchSize);
          }
        },
      ),
      { numRuns: lawRuns(40, 2000), endOnFailure: true },
    ));

  const filled = async (spiral: Spiral): Promise<Table> => {
    const table = await newTable(spiral);
    const ids = Array.from({ length: 1000 }, (_, at) => at * 2);
    await table.write(
      ids.map((id) => ({ id: BigInt(id), text: `t${id} `.padEnd(400, '.'), size: id })),
      { batchRows: 100 },
    );
    return table;
  };

  it.each<[string, KeyTable]>([
    ['rows', [{ id: 8n }, { id: 7n }, { id: 2n }, { id: 8n }]],
    ['columns', { id: BigInt64Array.of(8n, 7n, 2n, 8n) }],
    ['an Arrow table', new ArrowTable([columnsToBatch({ id: BigInt64Array.of(8n, 7n, 2n, 8n) })])],
    ['a record batch', columnsToBatch({ id: BigInt64Array.of(8n, 7n, 2n, 8n) })],
    [
      'an Arrow reader',
      RecordBatchReader.from(tableToIPC(new ArrowTable([columnsToBatch({ id: BigInt64Array.of(8n, 7n, 2n, 8n) })]))),
    ],
  ])('takes keys as %s', async (_, keyTable) => {
    await using spiral = spiralAt();
    const scan = await spiral.scan((await filled(spiral)).select('size'));
    expect(await scan.toRows({ keyTable })).toEqual([{ size: 8 }, { size: 2 }, { size: 8 }]);
  });

  it('reads what the rows take, and keys once', async () => {
    await using folder = await temporaryFolder();
    const tableId = await (async () => {
      await using spiral = spiralAt(folder.path);
      return (await filled(spiral)).id;
    })();
    await using spiral = spiralAt(folder.path, { verify: 'never' });
    const table = await spiral.table(tableId);
    const scan = await spiral.scan(table.select('text'));
    const keyTable = { id: BigInt64Array.of(1990n, 4n, 196n) };
    expect((await scan.toRows({ keyTable })).map(({ text }) => Number.parseInt((text as string).slice(1), 10))).toEqual(
      [1990, 4, 196],
    );
    const first = scan.metrics.bytes;
    // Keys of two batches of 100, offsets and values of three rows.
    expect(first).toBeLessThanOrEqual(2 * 100 * 8 + 3 * (400 + 2 * 8) + 40_000);
    await scan.toRows({ keyTable });
    expect(scan.metrics.bytes - first).toBeLessThan(first);
    expect(await scan.toRows({ keyTable: { id: BigInt64Array.of(1n, -5n, 5000n) } })).toEqual([]);
  });

  it('reads nothing of a record batch whose columns are kept', async () => {
    await using spiral = spiralAt(undefined, { 'limits.block_cache_bytes': 1_000_000 });
    const scan = await spiral.scan((await filled(spiral)).select('size', 'text'));
    const take = (...id: bigint[]) => scan.toRows({ keyTable: { id: BigInt64Array.from(id) } });
    expect((await take(2n, 1802n)).map(({ size }) => size)).toEqual([2, 1802]);
    const before = scan.metrics.bytes;
    expect((await take(1998n, 4n)).map(({ size }) => size)).toEqual([1998, 4]);
    expect(scan.metrics.bytes).toBe(before);
    expect((await take(402n)).map(({ size }) => size)).toEqual([402]);
    expect(scan.metrics.bytes).toBeGreaterThan(before);
  });

  it('goes on reading keys that another one, which was ended, had begun to read', async () => {
    await using spiral = spiralAt();
    const table = await filled(spiral);
    const keyTable = { id: BigInt64Array.of(2n) };
    for (let steps = 0; steps < 60; steps += 3) {
      const scan = await spiral.scan(table.select('size'));
      const controller = new AbortController();
      const ended = refusal(scan.toRows({ keyTable, signal: controller.signal })).catch(() => 'was there first');
      const other = scan.toRows({ keyTable });
      for (let step = 0; step < steps; step++) await undefined;
      controller.abort();
      expect(await other).toEqual([{ size: 2 }]);
      await ended;
    }
  });

  it('follows a stream of keys batch by batch: rows are there before the next keys are', async () => {
    await using spiral = spiralAt();
    const scan = await spiral.scan((await filled(spiral)).select('size'));
    const given: number[] = [];
    const seen: number[] = [];
    const keys = async function* (): AsyncGenerator<{ id: BigInt64Array }> {
      for (const id of [4n, 2n, 3n, 6n]) {
        yield { id: BigInt64Array.of(id, id) };
        given.push(Number(id));
        while (id !== 3n && seen.length < given.filter((one) => one !== 3).length) await new Promise(setImmediate);
      }
    };
    const sizes: number[] = [];
    for await (const batch of scan.toRecordBatches({ keyTable: keys(), batchReadahead: 4 })) {
      sizes.push(batch.numRows);
      seen.push(batch.getChild('size')!.get(0) as number);
    }
    expect(seen).toEqual([4, 2, 6]);
    expect(sizes).toEqual([2, 2, 2]);
    const unordered = await scan.toUnorderedRecordBatches({ keyTable: [{ id: 4n }, { id: 0n }] }).toRows();
    expect(unordered.map(({ size }) => size)).toEqual([4, 0]);
  });

  it('leaves the stream of keys when it is left itself, and passes on what that fails with', async () => {
    await using spiral = spiralAt();
    const scan = await spiral.scan(await filled(spiral));
    let left = false;
    const endless = async function* (): AsyncGenerator<{ id: BigInt64Array }> {
      try {
        for (;;) yield { id: BigInt64Array.of(2n) };
      } finally {
        left = true;
      }
    };
    for await (const _ of scan.toRecordBatches({ keyTable: endless() })) break;
    expect(left).toBe(true);
    const failing = async function* (): AsyncGenerator<{ id: BigInt64Array }> {
      yield { id: BigInt64Array.of(2n) };
      throw new Error('no more keys');
    };
    const seen: unknown[] = [];
    const read = async (): Promise<void> => {
      for await (const batch of scan.toRecordBatches({ keyTable: failing() })) seen.push(batch.numRows);
    };
    await expect(read()).rejects.toThrow('no more keys');
    expect(seen).toEqual([1]);
    const stuck = async function* (): AsyncGenerator<{ id: BigInt64Array }> {
      await new Promise(() => {});
      yield { id: BigInt64Array.of(2n) };
    };
    const controller = new AbortController();
    const waiting = scan.toRecordBatches({ keyTable: stuck(), signal: controller.signal }).toRows();
    setImmediate(() => controller.abort());
    expect(await refusal(waiting)).toMatchObject({ code: 'cancelled' });
  });

  it('computes with auxiliary columns, row by row', async () => {
    await using spiral = spiralAt();
    const table = await filled(spiral);
    const text = se.str.substr(table.col('text'), 0, se.aux('chars', 'int32'));
    const scan = await spiral.scan({ text, id: table.col('id') });
    const keyTable = columnsToBatch(
      { id: [10n, 2n, 10n], chars: [1, 2, 3] },
      toSchema({ id: 'int64', chars: 'int32' }, 'keys'),
    );
    expect(await scan.toRows({ keyTable })).toEqual([
      { text: 't', id: 10n },
      { text: 't2', id: 2n },
      { text: 't10', id: 10n },
    ]);
  });

  it('refuses what does not go together, naming it', async () => {
    await using spiral = spiralAt();
    const table = await filled(spiral);
    const scan = await spiral.scan(table);
    const shards = await scan.shards();
    const keys = [{ id: 2n }];
    const stream = async function* (): AsyncGenerator<object[]> {
      yield keys;
    };
    for (const options of [
      { keyTable: keys, shards },
      { keyTable: stream(), batchSize: 10 },
    ]) {
      expect(await refusal(() => scan.toRecordBatches(options as never))).toMatchObject({ code: 'invalid_argument' });
    }
    for (const [keyTable, code] of [
      [[{ key: 2n }], 'invalid_key'],
      [columnsToBatch({ id: Int32Array.of(2) }), 'invalid_key'],
      [[{ id: null }], 'invalid_key'],
      ['keys', 'invalid_rows'],
      [[{ id: 'two' }], 'type_mismatch'],
    ] as const) {
      expect(await refusal(scan.toRows({ keyTable: keyTable as never }))).toMatchObject({ code });
    }
    const withAux = await spiral.scan({ id: table.col('id'), more: se.aux('more', 'utf8') });
    expect(await refusal(withAux.toRows())).toMatchObject({ code: 'invalid_expression', details: { aux: ['more'] } });
    expect(await refusal(withAux.toRows({ keyTable: keys }))).toMatchObject({
      code: 'invalid_expression',
      details: { aux: 'more' },
    });
    const wrong = columnsToBatch({ id: BigInt64Array.of(2n), more: Int32Array.of(1) });
    expect(await refusal(withAux.toRows({ keyTable: wrong }))).toMatchObject({ code: 'type_mismatch' });
    await using loader = withAux.toDataLoader({ feeder: false, batchSize: 1 });
    expect(await refusal(loader.peek())).toMatchObject({ code: 'invalid_expression' });
    const none = await spiral.scan(await spiral.project('p').createTable('none', { keySchema: { id: 'int64' } }));
    expect(await none.toRows({ keyTable: keys })).toEqual([]);
    expect(await scan.toRows({ keyTable: [] })).toEqual([]);
  });
});

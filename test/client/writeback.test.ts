import { describe, expect, it } from 'vitest';
import type { Spiral } from '../../src/client/spiral.js';
import type { Table } from '../../src/client/table.js';
import type { OperationJson } from '../../src/table/operation-json.js';
import { newTable, refusal, spiralAt } from './spiral-at.js';

type Row = Record<string, unknown>;

const rowsOf = async (spiral: Spiral, table: Table): Promise<Row[]> => (await spiral.scan(table)).toRows();
const ids = (from: number, to: number, more: Row = {}): Row[] =>
  Array.from({ length: to - from }, (_, at) => ({ id: BigInt(from + at), ...more }));

/** What a process hands to another. */
const sent = (operations: OperationJson[]): OperationJson[] => JSON.parse(JSON.stringify(operations));

describe('writing back a scan', () => {
  it('writes what it gives under the keys it was read from, whole or by shards', async () => {
    await using spiral = spiralAt(undefined, { 'limits.partition_max_bytes': 2000 });
    const table = await newTable(spiral);
    await table.write(ids(0, 300, { text: 'some words', s: { n: 1 } }), { batchRows: 50 });
    const copy = await spiral.project('p').createTable('copy', { keySchema: { id: 'int64' } });
    const scan = await spiral.scan({ words: table.col('text'), s: { m: table.col('s.n') } });
    const shards = await scan.shards();
    expect(shards.length).toBeGreaterThan(2);
    const parts = await Promise.all(
      shards.map(async (shard) => {
        const txn = copy.txn();
        await txn.writeback(scan, { shards: [shard] });
        return sent(await txn.take());
      }),
    );
    await copy.transaction(async (txn) => {
      for (const part of parts) txn.include(part);
    });
    expect(await rowsOf(spiral, copy)).toEqual(ids(0, 300, { words: 'some words', s: { m: 1 } }));
    await table.transaction((txn) => txn.writeback(scan));
    expect(await rowsOf(spiral, table)).toEqual(
      ids(0, 300, { text: 'some words', s: { n: 1, m: 1 }, words: 'some words' }),
    );
    // A scan with its keys, and an expression, are rows as well.
    const third = await spiral.project('p').createTable('third', { keySchema: { id: 'int64' } });
    await third.write(await spiral.scan(copy));
    await third.write({ id: table.col('id'), twice: table.col('text') });
    expect(await rowsOf(spiral, third)).toEqual(ids(0, 300, { words: 'some words', s: { m: 1 }, twice: 'some words' }));
  });

  it('refuses what is no scan or has other keys', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    const other = await spiral.project('p').createTable('u', { keySchema: { name: 'utf8' } });
    await other.write([{ name: 'a' }]);
    const txn = table.txn();
    expect(await refusal(txn.writeback(await spiral.scan(other)))).toMatchObject({ code: 'type_mismatch' });
    expect(await refusal(txn.writeback(ids(0, 1) as never))).toMatchObject({ code: 'invalid_argument' });
    expect(await refusal(txn.write(await spiral.scan(other)))).toMatchObject({ code: 'invalid_key' });
  });
});

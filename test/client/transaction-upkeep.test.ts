import { describe, expect, it } from 'vitest';
import type { Spiral } from '../../src/client/spiral.js';
import type { Table } from '../../src/client/table.js';
import { macrotask, wallMicros } from '../../src/core/runtime.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import type { OperationJson } from '../../src/table/operation-json.js';
import { vacuumTable } from '../../src/table/vacuum.js';
import { newTable, refusal, spiralAt } from './spiral-at.js';
import { compactTo, UpkeepWarehouse } from './upkeep-story.js';
import { withProject } from './warehouse-over.js';

type Row = Record<string, unknown>;

const rowsOf = async (spiral: Spiral, table: Table): Promise<Row[]> => (await spiral.scan(table)).toRows();
const ids = (from: number, to: number, more: Row = {}): Row[] =>
  Array.from({ length: to - from }, (_, at) => ({ id: BigInt(from + at), ...more }));

/** What a process hands to another. */
const sent = (operations: OperationJson[]): OperationJson[] => JSON.parse(JSON.stringify(operations));

describe('compacting with a transaction', () => {
  it.each([
    ['commit({ compact: true })', false],
    ['compactKeySpace()', true],
  ])('comes after the commit: %s', async (_, ahead) => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write(ids(0, 3, { a: 1 }));
    const txn = table.txn();
    await txn.write(ids(3, 6, { a: 2 }));
    if (ahead) txn.compactKeySpace();
    await txn.commit(ahead ? {} : { compact: true });
    expect(txn.status).toBe('committed');
    const history = await table.history();
    expect(history.slice(2).map(({ operations }) => operations.map(({ kind }) => kind))).toEqual([
      ['write'],
      ['compact'],
    ]);
    expect((await table.inspect()).fragments).toHaveLength(1);
    expect(await rowsOf(spiral, table)).toEqual([...ids(0, 3, { a: 1 }), ...ids(3, 6, { a: 2 })]);
  });
});

describe('deleting in a transaction', () => {
  it('takes away what was written before it, there and in the transaction, and nothing that comes after', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write(ids(0, 4, { a: 1, b: 'x' }));
    const txn = table.txn();
    await txn.write(ids(4, 6, { a: 2, b: 'y' }));
    await txn.deleteKeys({ id: [1n, 2n, 5n, 99n, 1n] });
    await txn.write([{ id: 2n, a: 3 }]);
    expect(await rowsOf(spiral, table)).toHaveLength(4);
    await txn.commit();
    expect(await rowsOf(spiral, table)).toEqual([
      { id: 0n, a: 1, b: 'x' },
      { id: 2n, a: 3, b: null },
      { id: 3n, a: 1, b: 'x' },
      { id: 4n, a: 2, b: 'y' },
    ]);
    expect((await table.history()).at(-1)!.operations.map(({ kind }) => kind)).toEqual(['write', 'delete', 'write']);
  });

  it('is handed on as other operations are, and leaves no file when it is aborted', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write(ids(0, 4, { a: 1 }));
    const worker = table.txn();
    await worker.deleteKeys(ids(1, 3));
    const operations = sent(await worker.take());
    await table.write(ids(2, 3, { a: 5 }));
    await table.transaction(async (txn) => txn.include(operations));
    expect(await rowsOf(spiral, table)).toEqual([...ids(0, 1, { a: 1 }), ...ids(3, 4, { a: 1 })]);
    const { dataFiles } = await table.inspect();
    const aborted = table.txn();
    await aborted.deleteKeys(ids(0, 1));
    expect((await table.inspect()).dataFiles.count).toBe(dataFiles.count + 1);
    await aborted.abort();
    expect((await table.inspect()).dataFiles).toEqual(dataFiles);
  });

  it('makes no version where there are no keys, and refuses columns that are no key and a signal that ended', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write(ids(0, 2, { a: 1 }));
    await table.deleteKeys([]);
    const ended = { signal: AbortSignal.abort() };
    expect(await refusal(table.deleteKeys(ids(0, 1, { a: 1 })))).toMatchObject({ code: 'invalid_rows' });
    expect(await refusal(table.deleteKeys(ids(0, 1), ended))).toMatchObject({ code: 'cancelled' });
    expect(await table.history()).toHaveLength(2);
  });
});

describe('operations that were committed long ago', () => {
  it.each([
    ['their rows in other files, their entry behind a checkpoint', false],
    ['their entry vacuumed', true],
  ])('are refused when they are included again: %s', async (_, vacuumed) => {
    const store = await withProject(memoryStore(), 'p');
    const table = await new UpkeepWarehouse(store).project('p').createTable('t', { keySchema: { id: 'int64' } });
    const worker = table.txn();
    await worker.write(ids(0, 3, { a: 1 }));
    const operations = sent(await worker.take());
    await table.transaction(async (txn) => txn.include(operations));
    await table.write(ids(3, 4, { a: 1 }));
    if (!vacuumed) expect(await table.compact()).toMatchObject({ fragmentsAfter: 1 });
    for (let at = 4; at < 10; at++) await table.write(ids(at, at + 1, { a: at }));
    if (vacuumed) {
      const from = wallMicros();
      while (wallMicros() - from < 2000) await macrotask();
      expect((await table.vacuum({ retainMs: 0, graceMs: 0 })).entries).toBeGreaterThan(2);
    }
    const other = await new UpkeepWarehouse(store).project('p').table('t');
    const again = other.transaction(async (txn) => txn.include(operations));
    expect(await refusal(again)).toMatchObject({ code: 'already_exists' });
  });

  it.each([
    ['a tag', true],
    ['the floor', false],
  ])('are refused too where %s alone still has their files', async (_, tagged) => {
    const store = await withProject(memoryStore(), 'p');
    const warehouse = new UpkeepWarehouse(store);
    const table = await warehouse.project('p').createTable('t', { keySchema: { id: 'int64' } });
    const opened = await warehouse.openTable(table.id);
    const worker = table.txn();
    await worker.write(ids(0, 3, { a: 1 }));
    const operations = sent(await worker.take());
    await table.transaction(async (txn) => txn.include(operations));
    if (tagged) await table.tag('kept');
    else for (let at = 3; at < 6; at++) await table.write(ids(at, at + 1, { a: at }));
    if (!tagged) await vacuumTable(opened, { retainMs: 0, graceMs: -1000 });
    await table.write(ids(0, 3, { a: 2 }));
    await compactTo(opened, 2 ** 27);
    if (tagged) await vacuumTable(opened, { retainMs: 0, graceMs: -1000 });
    await table.write(ids(9, 10, { a: 9 }));
    const before = await warehouse.rows(table);
    const other = await new UpkeepWarehouse(store).project('p').table('t');
    const again = other.transaction(async (txn) => txn.include(operations));
    expect(await refusal(again)).toMatchObject({ code: 'already_exists' });
    expect(await warehouse.rows(other)).toEqual(before);
  });
});

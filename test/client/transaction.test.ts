import { readFile, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { Spiral } from '../../src/client/spiral.js';
import type { Table } from '../../src/client/table.js';
import { Transaction } from '../../src/client/transaction.js';
import { fileStore } from '../../src/storage/file-store.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import type { OperationJson } from '../../src/table/operation-json.js';
import { faultStore } from '../../src/testing/fault-store.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { newTable, refusal, spiralAt } from './spiral-at.js';
import { WarehouseOver, withProject } from './warehouse-over.js';

type Row = Record<string, unknown>;

const rowsOf = async (spiral: Spiral, table: Table): Promise<Row[]> => (await spiral.scan(table)).toRows();
const ids = (from: number, to: number, more: Row = {}): Row[] =>
  Array.from({ length: to - from }, (_, at) => ({ id: BigInt(from + at), ...more }));

async function dataFiles(folder: string): Promise<string[]> {
  const store = fileStore(folder);
  const files: string[] = [];
  for await (const { path } of store.list('tables/')) if (path.includes('/data/')) files.push(path);
  await store.close();
  return files;
}

/** What a process hands to another. */
const sent = (operations: OperationJson[]): OperationJson[] => JSON.parse(JSON.stringify(operations));

describe('a transaction', () => {
  it('makes all its operations visible as one version, and none before', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write(ids(0, 3, { a: 1, old: 'x' }));
    const before = await rowsOf(spiral, table);
    const txn = table.txn();
    expect(txn.isEmpty()).toBe(true);
    await txn.write(ids(0, 3, { a: 2, b: 'new' }));
    await txn.write(ids(10, 12, { b: 'later' }));
    await txn.dropColumns(['old']);
    expect([txn.isEmpty(), txn.status]).toEqual([false, 'open']);
    expect(await rowsOf(spiral, table)).toEqual(before);
    await txn.commit();
    expect(txn.status).toBe('committed');
    expect(await rowsOf(spiral, table)).toEqual([
      ...ids(0, 3, { a: 2, b: 'new' }),
      ...ids(10, 12, { a: null, b: 'later' }),
    ]);
    const { version } = JSON.parse((await spiral.scan(table)).stateJson()) as { version: number };
    expect(version).toBe(3);
    for (const late of [txn.write(ids(0, 1)), txn.commit(), txn.take(), txn.abort()]) {
      expect(await refusal(late)).toMatchObject({ code: 'closed' });
    }
    expect(await refusal(() => txn.include([]))).toMatchObject({ code: 'closed' });
  });

  it('lets the later of two writes of a key win, cell by cell', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.transaction(async (txn) => {
      await txn.write(ids(0, 3, { a: 1, b: 'first' }));
      await txn.write(ids(0, 3, { a: 2, c: true }));
    });
    expect(await rowsOf(spiral, table)).toEqual(ids(0, 3, { a: 2, b: 'first', c: true }));
  });

  it('drops what it has written, and adds it again as another column', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write(ids(0, 2, { a: 1 }));
    await table.transaction(async (txn) => {
      await txn.write(ids(0, 2, { b: 'gone' }));
      await txn.dropColumns(['b', 'a']);
      expect(await refusal(txn.dropColumns(['a']))).toMatchObject({ code: 'unknown_column' });
      await txn.write([{ id: 0n, a: 'text now' }, { id: 1n }]);
    });
    expect(await rowsOf(spiral, table)).toEqual([
      { id: 0n, a: 'text now' },
      { id: 1n, a: null },
    ]);
  });

  it('without operations makes no version', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    const before = await table.snapshot().asof();
    await table.transaction((txn) => txn.write([]));
    const txn = table.txn();
    await txn.commit();
    expect(txn.status).toBe('committed');
    expect(await table.snapshot().asof()).toBe(before);
  });

  it('runs calls in turn, and commits those that nobody awaited', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.transaction(async (txn) => {
      for (let turn = 0; turn < 5; turn++) void txn.write(ids(0, 20, { turn }));
    });
    expect(await rowsOf(spiral, table)).toEqual(ids(0, 20, { turn: 4 }));
    const failing = table.transaction(async (txn) => {
      txn.write(ids(20, 30, { turn: 'text' })).catch(() => {});
    });
    expect(await refusal(failing)).toMatchObject({ code: 'type_mismatch' });
    expect(await rowsOf(spiral, table)).toHaveLength(20);
  });

  it('leaves out a write that failed, and goes on', async () => {
    await using folder = await temporaryFolder();
    await using spiral = spiralAt(folder.path);
    const table = await newTable(spiral);
    await table.transaction(async (txn) => {
      await txn.write(ids(0, 2, { a: 1 }));
      expect(await refusal(txn.write(ids(2, 4, { a: 'text' })))).toMatchObject({ code: 'type_mismatch' });
      expect(await refusal(txn.write([{ id: 7n }, { id: 7n }]))).toMatchObject({ code: 'duplicate_key' });
    });
    expect(await rowsOf(spiral, table)).toEqual(ids(0, 2, { a: 1 }));
    expect(await dataFiles(folder.path)).toHaveLength(1);
  });

  it('that throws or is aborted leaves nothing behind', async () => {
    await using folder = await temporaryFolder();
    await using spiral = spiralAt(folder.path);
    const table = await newTable(spiral);
    const before = await table.snapshot().asof();
    const body = table.transaction(async (txn) => {
      await txn.write(ids(0, 5, { a: 1, s: { b: 2 } }));
      throw new Error('changed my mind');
    });
    await expect(body).rejects.toThrow('changed my mind');
    const txn = table.txn();
    await txn.write(ids(0, 5));
    async function* endless(): AsyncGenerator<object> {
      for (let id = 5n; ; id++) yield { id };
    }
    const under = txn.write(endless());
    await new Promise((resolve) => setTimeout(resolve, 50));
    await txn.abort();
    expect(await refusal(under)).toMatchObject({ code: 'cancelled' });
    expect(txn.status).toBe('aborted');
    await txn.abort();
    {
      await using left = table.txn();
      await left.write(ids(0, 5));
    }
    expect(await dataFiles(folder.path)).toEqual([]);
    expect(await table.snapshot().asof()).toBe(before);
  });
});

describe('operations that one transaction hands to another', () => {
  it('come in with it, as JSON, for writers on many machines', async () => {
    await using folder = await temporaryFolder();
    await using spiral = spiralAt(folder.path);
    const table = await newTable(spiral);
    const workers = await Promise.all(
      [0, 1, 2].map(async (worker) => {
        await using own = spiralAt(folder.path);
        const txn = (await own.table(table.id)).txn();
        await txn.write(ids(worker * 10, worker * 10 + 5, { by: `worker ${worker}` }));
        const taken = await txn.take();
        expect(txn.status).toBe('taken');
        expect(await refusal(txn.abort())).toMatchObject({ code: 'closed' });
        return sent(taken);
      }),
    );
    await table.transaction(async (txn) => {
      for (const operations of workers) txn.include(operations);
    });
    const rows = [0, 1, 2].flatMap((worker) => ids(worker * 10, worker * 10 + 5, { by: `worker ${worker}` }));
    expect(await rowsOf(spiral, table)).toEqual(rows);
    // Once: the same operations cannot come in twice.
    const again = table.transaction(async (txn) => txn.include(workers[1]!));
    expect(await refusal(again)).toMatchObject({ code: 'already_exists' });
    expect(await rowsOf(spiral, table)).toEqual(rows);
  });

  it('survive in a dump, from which a commit that failed is made again', async () => {
    await using folder = await temporaryFolder();
    await using spiral = spiralAt(`${folder.path}/warehouse`);
    const table = await newTable(spiral);
    const txn = table.txn();
    await txn.write(ids(0, 4, { a: 'kept' }));
    const dumps = [`${folder.path}/one.json`, `${new URL('file:///')}${`${folder.path}/two.json`.slice(1)}`];
    await txn.commit({ txnDump: dumps[0]! });
    const other = table.txn();
    await other.write(ids(4, 6, { b: 1n }));
    await other.commit({ txnDump: dumps[1]! });
    await using copy = spiralAt(`${folder.path}/warehouse`);
    const operations = await Transaction.loadDumps(...dumps);
    expect(operations).toHaveLength(2);
    const late = (await copy.table(table.id)).transaction(async (again) => again.include(operations));
    expect(await refusal(late)).toMatchObject({ code: 'already_exists' });
    const text = await readFile(`${folder.path}/one.json`, 'utf8');
    for (const broken of ['', '{}', text.slice(0, -40), text.replace('write', 'wirte'), text.replace('spiral-', '')]) {
      await writeFile(`${folder.path}/broken.json`, broken);
      expect(await refusal(Transaction.loadDumps(`${folder.path}/broken.json`))).toMatchObject({ code: 'corrupt_log' });
    }
    await writeFile(`${folder.path}/newer.json`, text.replace('"format": 1', '"format": 2'));
    expect(await refusal(Transaction.loadDumps(`${folder.path}/newer.json`))).toMatchObject({ code: 'state_version' });
    expect(await refusal(Transaction.loadDumps(`${folder.path}/none.json`))).toMatchObject({ code: 'not_found' });
    const noFile = table.txn();
    expect(await refusal(noFile.commit({ txnDump: `${folder.path}/` }))).toMatchObject({ code: 'invalid_argument' });
  });

  it('are refused where they cannot both hold with what is there', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write(ids(0, 3, { a: 1, b: 'x' }));
    const taken = async (work: (txn: Transaction) => Promise<void>): Promise<OperationJson[]> => {
      const txn = table.txn();
      await work(txn);
      return sent(await txn.take());
    };
    const drop = await taken((txn) => txn.dropColumns(['a']));
    const write = await taken((txn) => txn.write(ids(0, 3, { a: 5 })));
    const text = await taken((txn) => txn.write(ids(0, 3, { c: 'text' })));
    const number = await taken((txn) => txn.write(ids(0, 3, { c: 5 })));
    const struct = await taken((txn) => txn.write(ids(0, 3, { c: { d: 5 } })));
    const pairs = [
      [drop, write],
      [write, drop],
      [drop, await taken((txn) => txn.dropColumns(['a', 'b']))],
      [text, number],
      [text, struct],
      [struct, text],
    ];
    for (const [first, second] of pairs) {
      const txn = table.txn();
      txn.include(first!);
      const error = await refusal(() => txn.include(second!));
      expect(error).toMatchObject({ code: 'write_conflict' });
      expect(error.details).toMatchObject({ ours: expect.any(String), theirs: expect.any(String) });
      await txn.abort();
    }
    const txn = table.txn();
    txn.include(write);
    expect(await refusal(() => txn.include(write))).toMatchObject({ code: 'already_exists' });
    txn.include(await taken((other) => other.write(ids(0, 3, { a: 6, b: 'y' }))));
    await txn.commit();
    expect(await rowsOf(spiral, table)).toEqual(ids(0, 3, { a: 6, b: 'y' }));
    // The base has moved meanwhile: column `a` is gone, and `c` is there with another type.
    await table.dropColumns(['a']);
    await table.write(ids(0, 3, { c: true }));
    for (const operations of [drop, text, struct, await taken((other) => other.write(ids(0, 3, { b: 'z' })))]) {
      const late = table.txn();
      late.include(operations);
      if (operations.length === 1 && late.isEmpty()) throw new Error('Nothing was included.');
      const done = late.commit();
      if (operations === drop) {
        const error = await refusal(done);
        expect(error).toMatchObject({ code: 'write_conflict', details: { column: 'a', version: 4 } });
        expect(error.message).toMatch(/dropped by txn_\w+ in version 4, at 2\d{3}-.* and here is its drop/);
      } else if (operations === text || operations === struct) {
        expect(await refusal(done)).toMatchObject({ code: 'write_conflict', details: { version: 5 } });
      } else await done;
    }
  });

  it('are refused where they are none, are of another table or lack their files', async () => {
    await using folder = await temporaryFolder();
    await using spiral = spiralAt(folder.path);
    const table = await newTable(spiral);
    const other = await spiral.project('p').createTable('u', { keySchema: { id: 'int64' } });
    const txn = table.txn();
    await txn.write(ids(0, 3, { a: 1 }));
    const [operation] = sent(await txn.take());
    const again = table.txn();
    expect(await refusal(() => other.txn().include([operation!]))).toMatchObject({ code: 'invalid_argument' });
    const inner = operation!.operation;
    const [fragment] = inner['fragments'] as Record<string, unknown>[];
    const withPath = (path: string): object => ({
      ...operation!,
      operation: {
        ...inner,
        fragments: [{ ...fragment, files: [{ ...(fragment!['files'] as object[])[0], path }] }],
      },
    });
    const wrong: unknown[] = [
      null,
      5,
      {},
      { ...operation!, base: 0 },
      { ...operation!, operation: { kind: 'create' } },
      { ...operation!, operation: { ...inner, columns: [] } },
      { ...operation!, operation: { ...inner, fragments: [{}] } },
      withPath(''),
    ];
    for (const one of wrong) {
      expect(await refusal(() => again.include([one as never]))).toMatchObject({ code: 'invalid_argument' });
    }
    expect(await refusal(() => again.include(operation as never))).toMatchObject({ code: 'invalid_argument' });
    expect(await refusal(() => again.include([withPath('../../x') as never]))).toMatchObject({
      code: 'path_outside_root',
    });
    expect(await refusal(() => again.include([{ ...operation!, format: 2 } as never]))).toMatchObject({
      code: 'state_version',
    });
    expect(again.isEmpty()).toBe(true);
    const store = fileStore(folder.path);
    for (const path of await dataFiles(folder.path)) await store.delete(path);
    again.include([operation!]);
    expect(await refusal(again.commit())).toMatchObject({ code: 'not_found' });
    expect(again.status).toBe('open');
    await again.abort();
    await store.close();
  });
});

describe('a transaction of a wide table', () => {
  it('has many files under way and no warning of a leak', async () => {
    await using folder = await temporaryFolder();
    await using spiral = spiralAt(folder.path);
    const table = await newTable(spiral);
    const warnings: Error[] = [];
    const listen = (warning: Error): void => void warnings.push(warning);
    process.on('warning', listen);
    const structs = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`s${at}`, { x: at }]));
    await table.write(ids(0, 5, structs), { signal: new AbortController().signal });
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', listen);
    expect(warnings).toEqual([]);
    expect(await dataFiles(folder.path)).toHaveLength(41);
    expect(await rowsOf(spiral, table)).toEqual(ids(0, 5, structs));
  });
});

describe('a commit whose answer is lost', () => {
  it('can be tried again: it is in the table once, and its files stay', async () => {
    const base = await withProject(memoryStore(), 'p');
    const first = new WarehouseOver(base);
    const made = await first.project('p').createTable('t', { keySchema: { id: 'int64' } });
    let silent = false;
    const faults = faultStore(base, { loseAnswerShare: 1, only: ({ path }) => silent && path.includes('/log/') });
    const table = await new WarehouseOver(faults).project('p').table('t');
    const txn = table.txn();
    await txn.write(ids(0, 3, { a: 1 }));
    silent = true;
    expect(await refusal(txn.commit())).toMatchObject({ code: 'unavailable' });
    silent = false;
    await txn.commit();
    expect(txn.status).toBe('committed');
    expect(await first.rows(made)).toEqual(ids(0, 3, { a: 1 }));
    const { version } = await (await first.openTable(made.id)).latest();
    expect(version).toBe(2);
  });
});

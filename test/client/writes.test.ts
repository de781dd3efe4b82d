import { chdir, cwd } from 'node:process';
import type { RecordBatch } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { columnsToBatch } from '../../src/arrow/build.js';
import { toSchema } from '../../src/arrow/schema.js';
import type { Spiral } from '../../src/client/spiral.js';
import type { Table } from '../../src/client/table.js';
import { fileStore } from '../../src/storage/file-store.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { newTable, refusal, spiralAt } from './spiral-at.js';

const rowsOf = async (spiral: Spiral, table: Table): Promise<unknown[]> => (await spiral.scan(table)).toRows();

async function dataFiles(folder: string): Promise<Map<string, string>> {
  const store = fileStore(folder);
  const files = new Map<string, string>();
  for await (const { path, etag } of store.list('tables/')) if (path.includes('/data/')) files.set(path, etag);
  await store.close();
  return files;
}

describe('columns that only some rows of a write have', () => {
  const some = (columns: Record<string, unknown[]>): RecordBatch =>
    columnsToBatch(
      columns,
      toSchema(
        Object.keys(columns).map((name) => [name, 'int64'] as const),
        'the test',
      ),
    );

  it('are null for new keys without them', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    async function* parts(): AsyncGenerator<object[]> {
      yield [{ id: 1n, a: 1 }];
      yield [{ id: 2n, b: 'x' }];
      yield [{ id: 4n, b: 'y', meta: { size: 1 } }];
      yield [{ id: 3n, a: 3, meta: { name: 'n' } }];
    }
    await table.write(parts());
    const none = { a: null, b: null, meta: { size: null, name: null } };
    expect(await rowsOf(spiral, table)).toEqual([
      { ...none, id: 1n, a: 1 },
      { ...none, id: 2n, b: 'x' },
      { ...none, id: 3n, a: 3, meta: { size: null, name: 'n' } },
      { ...none, id: 4n, b: 'y', meta: { size: 1, name: null } },
    ]);
  });

  it('keep older cells of keys that are written without them', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write(some({ id: [1n, 2n], a: [1n, 2n], b: [1n, 2n] }));
    await table.write(some({ id: [5n, 6n], a: [5n, 6n], b: [5n, 6n] }));
    await table.write([
      some({ id: [1n, 2n], a: [10n, 20n] }),
      some({ id: [5n, 6n], b: [50n, 60n] }),
      some({ id: [3n], b: [3n] }),
    ]);
    expect(await rowsOf(spiral, table)).toEqual([
      { id: 1n, a: 10n, b: 1n },
      { id: 2n, a: 20n, b: 2n },
      { id: 3n, a: null, b: 3n },
      { id: 5n, a: 5n, b: 50n },
      { id: 6n, a: 6n, b: 60n },
    ]);
    await table.write([some({ id: [1n], a: [0n] }), some({ id: [2n, 4n], b: [0n, 0n] })]);
    expect((await rowsOf(spiral, table)).slice(0, 4)).toEqual([
      { id: 1n, a: 0n, b: 1n },
      { id: 2n, a: 20n, b: 0n },
      { id: 3n, a: null, b: 3n },
      { id: 4n, a: null, b: 0n },
    ]);
    const twice = table.write([some({ id: [1n], a: [0n] }), some({ id: [2n, 1n], b: [0n, 0n] })]);
    expect(await refusal(twice)).toMatchObject({ code: 'duplicate_key', details: { rows: [0, 2] } });
  });

  it("of a struct keep the struct's other cells", async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write([{ id: 1n, meta: { size: 1, name: 'n' } }]);
    await table.write([{ id: 1n, meta: { size: 2 } }]);
    await table.write([{ id: 1n, meta: { added: true } }]);
    expect(await rowsOf(spiral, table)).toEqual([{ id: 1n, meta: { size: 2, name: 'n', added: true } }]);
    await table.write([{ id: 1n, meta: { name: null } }]);
    expect(await rowsOf(spiral, table)).toEqual([{ id: 1n, meta: { size: 2, name: null, added: true } }]);
  });
});

describe('files', () => {
  it('are not touched by a column that is added, which has one of its own (law 15)', async () => {
    await using folder = await temporaryFolder();
    await using spiral = spiralAt(folder.path);
    const table = await newTable(spiral);
    const ids = Array.from({ length: 50 }, (_, at) => BigInt(at));
    await table.write(ids.map((id) => ({ id, text: `${id}`, meta: { size: 1 } })));
    const before = await dataFiles(folder.path);
    expect(before.size).toBe(2);
    await table.write({ id: ids, label: ids.map((id) => id % 2n) });
    const after = await dataFiles(folder.path);
    expect(after.size).toBe(3);
    for (const [path, etag] of before) expect(after.get(path)).toBe(etag);
    const scan = await spiral.scan(table.select('text', 'label'));
    expect((await scan.toRows())[49]).toEqual({ text: '49', label: 1n });
  });

  it('of a write that is refused are not left behind', async () => {
    await using folder = await temporaryFolder();
    await using spiral = spiralAt(folder.path);
    const table = await newTable(spiral);
    await table.write([{ id: 1n }, { id: 3n }]);
    expect(await refusal(table.write([{ id: 0n }, { id: 2n }, { id: 0n }]))).toMatchObject({ code: 'duplicate_key' });
    expect(await dataFiles(folder.path)).toHaveProperty('size', 1);
  });

  it('keep runs of several writes apart when all keys are written again', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write([
      { id: 5n, a: 5 },
      { id: 6n, a: 6 },
    ]);
    await table.write([{ id: 1n, a: 1 }]);
    await table.write([6n, 5n, 7n, 1n, 0n, 3n].map((id) => ({ id, a: Number(id) * 10, b: id })));
    expect((await (await spiral.scan(table)).shards()).map(({ cardinality }) => cardinality)).toEqual([1, 1, 1, 2, 1]);
    expect(await rowsOf(spiral, table)).toEqual(
      [0n, 1n, 3n, 5n, 6n, 7n].map((id) => ({ id, a: Number(id) * 10, b: id })),
    );
    // And each run on its own again.
    await table.write([
      { id: 6n, b: 0n },
      { id: 5n, b: 0n },
    ]);
    expect((await rowsOf(spiral, table))[3]).toEqual({ id: 5n, a: 50, b: 0n });
  });
});

describe('a table with a root of its own', () => {
  it('is found again from anywhere, and shares the root with others', async () => {
    await using folder = await temporaryFolder();
    const before = cwd();
    chdir(folder.path);
    let id: string;
    try {
      await using spiral = spiralAt(`${folder.path}/warehouse`);
      const project = await spiral.createProject('p');
      const table = await project.createTable('t', { keySchema: { id: 'int64' }, rootUri: './elsewhere' });
      const other = await project.createTable('u', { keySchema: { id: 'int64' }, rootUri: './elsewhere' });
      await table.write([{ id: 1n }]);
      await other.write([{ id: 2n }]);
      id = table.id;
    } finally {
      chdir(before);
    }
    await using spiral = spiralAt(`${folder.path}/warehouse`);
    const table = await spiral.table(id);
    expect(table.identifier).toBe('default.t');
    expect(await rowsOf(spiral, table)).toEqual([{ id: 1n }]);
    expect(await rowsOf(spiral, await spiral.project('p').table('u'))).toEqual([{ id: 2n }]);
    const store = fileStore(`${folder.path}/elsewhere`);
    const paths: string[] = [];
    for await (const { path } of store.list(`${id}/`)) paths.push(path);
    expect(paths.length).toBeGreaterThan(2);
    await store.close();
  });
});

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SchemaLike } from '../../src/arrow/schema.js';
import type { Spiral } from '../../src/client/spiral.js';
import type { Table } from '../../src/client/table.js';
import { isSpiralError } from '../../src/core/errors.js';
import { fileStore } from '../../src/storage/file-store.js';
import { refusal, spiralAt } from '../client/spiral-at.js';
import { lawRuns } from '../laws.js';
import { temporaryFolder } from '../storage/temporary-folder.js';

/** Tables `texts` and `labels`, empty. */
async function twoTables(
  spiral: Spiral,
  keys: SchemaLike = { id: 'int32' },
  others: SchemaLike = keys,
): Promise<[Table, Table]> {
  const project = await spiral.createProject('p');
  return [
    await project.createTable('texts', { keySchema: keys }),
    await project.createTable('labels', { keySchema: others }),
  ];
}

const ids = (from: number, to: number): Int32Array => Int32Array.from({ length: to - from }, (_, at) => from + at);

const projection = (texts: Table, labels: Table) => ({
  id: texts.col('id'),
  text: texts.col('text'),
  label: labels.col('label'),
});

describe('several tables in a scan', () => {
  it('are joined by key: columns of a table without a key are null there, and its key columns are not', async () => {
    await using spiral = spiralAt();
    const [texts, labels] = await twoTables(spiral);
    await texts.write([1, 2, 3].map((id) => ({ id, text: `t${id}`, meta: { tags: ['a'], size: id } })));
    await labels.write([2, 3, 4].map((id) => ({ id, label: id, of: { from: 'hand' } })));
    const rows = await (await spiral.scan([texts, labels])).toRows();
    expect(rows).toEqual([
      { id: 1, text: 't1', meta: { tags: ['a'], size: 1 }, label: null, of: { from: null } },
      { id: 2, text: 't2', meta: { tags: ['a'], size: 2 }, label: 2, of: { from: 'hand' } },
      { id: 3, text: 't3', meta: { tags: ['a'], size: 3 }, label: 3, of: { from: 'hand' } },
      { id: 4, text: null, meta: { tags: null, size: null }, label: 4, of: { from: 'hand' } },
    ]);
    const scan = await spiral.scan(
      { sum: texts.col('id').add(labels.col('label')), of: labels.col('of.from') },
      { where: texts.col('text').neq('t2').and(labels.col('label').gt(0)) },
    );
    expect(await scan.toRows()).toEqual([{ sum: 6, of: 'hand' }]);
    const whereAlone = await spiral.scan(texts.select('id'), { where: labels.col('label').gte(3) });
    expect(await whereAlone.toRows()).toEqual([{ id: 3 }, { id: 4 }]);
  });

  it('keep their rows whatever the other deletes, before or after, and lose a key that both delete', async () => {
    await using spiral = spiralAt();
    const [texts, labels] = await twoTables(spiral);
    await texts.write({ id: ids(0, 6), text: Array.from(ids(0, 6), String) });
    await labels.deleteKeys({ id: ids(0, 6) });
    await labels.write({ id: ids(0, 6), label: ids(0, 6) });
    const rows = async () => (await spiral.scan(projection(texts, labels))).toRows();
    await texts.deleteKeys({ id: ids(0, 6) });
    expect(await rows()).toEqual(Array.from(ids(0, 6), (id) => ({ id, text: null, label: id })));
    await labels.deleteKeys({ id: ids(2, 4) });
    await texts.write([{ id: 3, text: 'again' }]);
    expect(await rows()).toEqual([
      { id: 0, text: null, label: 0 },
      { id: 1, text: null, label: 1 },
      { id: 3, text: 'again', label: null },
      { id: 4, text: null, label: 4 },
      { id: 5, text: null, label: 5 },
    ]);
    await Promise.all([texts.compact(), labels.compact()]);
    expect(await rows()).toHaveLength(5);
  });

  it('with the very same keys are read side by side, and of a filter only what survives', async () => {
    await using folder = await temporaryFolder();
    await using spiral = spiralAt(folder.path, { verify: 'never' });
    const [texts, labels] = await twoTables(spiral);
    const all = ids(0, 20_000);
    await texts.write({ id: all, text: Array.from(all, (id) => `text ${id}`.padEnd(100)) }, { batchRows: 1000 });
    await labels.write({ id: all, label: all }, { batchRows: 800 });
    const scan = await spiral.scan(projection(texts, labels), { where: labels.col('label').gte(19_000) });
    const text = await scan.explain();
    expect(text.split('\n').map((line) => line.replace(/ {2,}/, ': '))).toEqual(
      expect.arrayContaining([
        'scan: default.texts at version 2, outer-joined by key with default.labels at version 2',
        'columns: id, default.texts.text, default.labels.label',
        'reads first: default.labels.label',
        'rows: 20,000 in 1 part, 0 of them merged',
        'files: 2 files',
      ]),
    );
    const rows = await scan.toRows();
    expect(rows.map(({ id, label }) => [id, label])).toEqual(Array.from(ids(19_000, 20_000), (id) => [id, id]));
    expect(scan.metrics.filesOpened).toBe(2);
    expect(scan.metrics.bytes).toBeLessThan(1000 * 160);
    const keys = await scan.toRows({ keyTable: { id: Int32Array.of(19_999, 4, 19_000) } });
    expect(keys.map(({ id }) => id)).toEqual([19_999, 19_000]);
  });

  it('may be empty, one or all of them', async () => {
    await using spiral = spiralAt();
    const [texts, labels] = await twoTables(spiral);
    const none = await spiral.scan([texts, labels]);
    expect(await none.isEmpty()).toBe(true);
    expect(await none.shards()).toEqual([]);
    expect(await none.toRows()).toEqual([]);
    await labels.write([{ id: 1, label: 7 }]);
    expect(await (await spiral.scan([texts, labels])).toRows()).toEqual([{ id: 1, label: 7 }]);
  });

  it('are written to a table of their own, and written back with the key of the first', async () => {
    await using spiral = spiralAt();
    const [texts, labels] = await twoTables(spiral, { id: 'int32' }, { number: 'int32' });
    await texts.write([{ id: 1, text: 'a' }]);
    await labels.write([1, 2].map((number) => ({ number, label: number })));
    const both = await (await spiral.createProject('q')).createTable('both', { keySchema: { id: 'int32' } });
    await both.write({ id: labels.col('number'), text: texts.col('text'), label: labels.col('label') });
    const txn = texts.txn();
    await txn.writeback(await spiral.scan([texts.select(), { twice: labels.col('label').multiply(2) }]));
    await txn.commit();
    expect(await (await spiral.scan(both)).toRows()).toEqual([
      { id: 1, text: 'a', label: 1 },
      { id: 2, text: null, label: 2 },
    ]);
    expect(await (await spiral.scan(texts)).toRows()).toEqual([
      { id: 1, text: 'a', twice: 2 },
      { id: 2, text: null, twice: 4 },
    ]);
  });
});

describe('the versions of several tables', () => {
  it('are pinned, all of them, also through JSON (laws 9, 24)', async () => {
    await using spiral = spiralAt();
    const [texts, labels] = await twoTables(spiral);
    await texts.write([{ id: 1, text: 'a' }]);
    await labels.write([{ id: 1, label: 1 }]);
    const asof = await labels.snapshot().asof();
    const scan = await spiral.scan(projection(texts, labels));
    const recipe = JSON.parse(scan.stateJson());
    expect(recipe).toMatchObject({
      format: 3,
      table: texts.id,
      version: 2,
      joined: [{ table: labels.id, version: 2 }],
    });
    expect(scan.identity).toMatchObject({ table: texts.id, version: 2, table2: labels.id, version2: 2 });
    await labels.write([{ id: 1, label: 9 }]);
    await texts.deleteKeys([{ id: 1 }]);
    const was = [{ id: 1, text: 'a', label: 1 }];
    expect(await scan.toRows()).toEqual(was);
    expect(await (await spiral.resumeScan(scan.stateJson())).toRows()).toEqual(was);
    expect(await (await spiral.scan(projection(texts, labels), { asof })).toRows()).toEqual(was);
    expect(await (await spiral.scan(projection(texts, labels))).toRows()).toEqual([{ id: 1, text: null, label: 9 }]);
    const early = await refusal(spiral.scan(projection(texts, labels), { asof: 1 }));
    expect(early.code).toBe('version_not_found');
  });

  it('are refused where a recipe does not name each table once', async () => {
    await using spiral = spiralAt();
    const [texts, labels] = await twoTables(spiral);
    await texts.write([{ id: 1, text: 'a' }]);
    await labels.write([{ id: 1, label: 1 }]);
    const recipe = JSON.parse((await spiral.scan(projection(texts, labels))).stateJson());
    const second = { table: labels.id, version: 2 };
    const refused = async (changed: object): Promise<string> =>
      (await refusal(spiral.resumeScan(JSON.stringify({ ...recipe, ...changed })))).code;
    for (const joined of [
      [],
      [{ table: texts.id, version: 2 }],
      [second, second],
      [null],
      [{ table: labels.id }],
      'x',
    ]) {
      expect(await refused({ joined })).toBe('invalid_state');
    }
    expect(await refused({ joined: undefined })).toBe('invalid_state');
    expect(await refused({ joined: [{ table: 'other', version: 1 }] })).toBe('invalid_state');
    expect(await refused({ format: 4 })).toBe('state_version');
    expect(await refused({ joined: [{ ...second, version: 9 }] })).toBe('version_not_found');
  });
});

describe('tables that do not fit together', () => {
  it.each<[string, SchemaLike, SchemaLike, string]>([
    ['another type', { id: 'int32' }, { id: 'int64' }, '(id int32) and that of default.labels is (id int64)'],
    ['more columns', { id: 'int32' }, { id: 'int32', part: 'utf8' }, '(id int32, part utf8)'],
    ['another order', { a: 'utf8', b: 'int32' }, { b: 'int32', a: 'utf8' }, '(b int32, a utf8)'],
  ])('are refused for keys of %s, naming both', async (_, keys, others, words) => {
    await using spiral = spiralAt();
    const [texts, labels] = await twoTables(spiral, keys, others);
    const { code, message } = await refusal(spiral.scan({ a: texts, b: labels }));
    expect(code).toBe('type_mismatch');
    for (const part of ['texts', 'labels', words]) expect(message).toContain(part);
  });

  it('are refused where one is a set of files, and so are two of these', async () => {
    await using folder = await temporaryFolder();
    await using spiral = spiralAt();
    const [texts] = await twoTables(spiral);
    await writeFile(join(folder.path, 'a.jsonl'), '{"text":"a"}\n');
    await writeFile(join(folder.path, 'b.jsonl'), '{"text":"b"}\n');
    const [a, b] = await Promise.all(['a', 'b'].map((name) => spiral.files(join(folder.path, `${name}.jsonl`))));
    for (const other of [texts, b!]) {
      const { code, message } = await refusal(spiral.scan({ a: a!, b: other }));
      expect(code).toBe('invalid_expression');
      expect(message).toContain('write them to a table');
    }
  });

  it('are named where a column is not there', async () => {
    await using spiral = spiralAt();
    const [texts, labels] = await twoTables(spiral);
    await labels.write([{ id: 1, label: 1 }]);
    const { code, message } = await refusal(spiral.scan({ id: texts.col('id'), label: labels.col('labl') }));
    expect(code).toBe('unknown_column');
    expect(message).toContain("labels has no column 'labl'. Did you mean 'label'?");
  });
});

describe('a damaged file of one of several tables (law 22)', () => {
  it('gives the rows that were written or an error that names it, whatever byte was changed', async () => {
    await using folder = await temporaryFolder();
    const made = spiralAt(folder.path);
    const [texts, labels] = await twoTables(made);
    await texts.write({ id: ids(0, 40), text: Array.from(ids(0, 40), String) }, { batchRows: 16 });
    await labels.write({ id: ids(0, 40), label: ids(0, 40) }, { batchRows: 10 });
    await labels.write({ id: ids(20, 50), label: ids(120, 150) });
    await texts.deleteKeys({ id: ids(5, 8) });
    const read = async (): Promise<unknown[]> => {
      await using spiral = spiralAt(folder.path);
      const [one, other] = await Promise.all([spiral.table(texts.id), spiral.table(labels.id)]);
      return await (await spiral.scan(projection(one, other))).toRows();
    };
    const expected = await read();
    expect(expected).toHaveLength(50);
    await made.close();
    const store = fileStore(folder.path);
    const files: string[] = [];
    for await (const { path } of store.list('tables/')) if (path.includes('/data/')) files.push(path);
    await store.close();
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...files),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (path, at, bits) => {
          const file = join(folder.path, path);
          const whole = await readFile(file);
          const damaged = Buffer.from(whole);
          damaged[at % whole.length]! ^= bits;
          await writeFile(file, damaged);
          try {
            expect(await read()).toEqual(expected);
          } catch (error) {
            if (!isSpiralError(error)) throw error;
            expect(['corrupt_file', 'unsupported']).toContain(error.code);
            expect(error.message).toContain(path);
            refused++;
          } finally {
            await writeFile(file, whole);
          }
        },
      ),
      { numRuns: lawRuns(60, 3000), endOnFailure: true },
    );
    expect(refused).toBeGreaterThan(10);
  });
});

import { cp, mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { putIndexRecord, readIndexRecord } from '../../src/client/index-record.js';
import { explainSettings, resolveSettings } from '../../src/client/settings.js';
import type { TableRecord } from '../../src/client/table-record.js';
import { Warehouse } from '../../src/client/warehouse.js';
import { toNode } from '../../src/expr/expr.js';
import { Spiral, se } from '../../src/index.js';
import { type FileSet, fileSetId } from '../../src/scan/file-set.js';
import { openStore } from '../../src/storage/open-store.js';
import { webServer } from '../scan/web-server.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { newTable, refusal, spiralAt } from './spiral-at.js';

const ways = ['../../x', '/etc/passwd', 'file:///etc/passwd', 's3://other/x', 'a\0b', '..\\x', 'C:\\x', '.', ''];

describe('a state that was forged', () => {
  it.each(ways)('to read the file %j reads nothing outside of the folder that it names', async (path) => {
    await using folder = await temporaryFolder();
    await mkdir(join(folder.path, 'data'));
    await writeFile(join(folder.path, 'data', 'a.jsonl'), '{"n":1}\n');
    await writeFile(join(folder.path, 'x'), '{"n":2}\n');
    const spiral = spiralAt();
    const files = await spiral.files(join(folder.path, 'data', 'a.jsonl'));
    const text = (await spiral.scan(files)).stateJson();
    const state = JSON.parse(text) as { table: string; files: FileSet };
    const set = { ...state.files, files: [{ ...state.files.files[0]!, path }] };
    // Under the id that such files have, so that nothing but the path is wrong.
    const forged = JSON.stringify({ ...state, files: set }).replaceAll(state.table, fileSetId(set));
    const error = await refusal(async () => (await spiral.resumeScan(forged)).toRows());
    expect(['path_outside_root', 'invalid_argument', 'not_found']).toContain(error.code);
    // One that is as it was is read.
    expect(await (await spiral.resumeScan(text)).toRows()).toEqual([{ n: 1n }]);
    await spiral.close();
  });

  it.each(ways)('to be of the table %j finds none', async (table) => {
    const spiral = spiralAt();
    const own = await newTable(spiral);
    await own.write([{ id: 1n }]);
    const state = (await spiral.scan(own)).stateJson().replaceAll(JSON.stringify(own.id), JSON.stringify(table));
    const error = await refusal(async () => (await spiral.resumeScan(state)).toRows());
    expect(['invalid_state', 'unknown_table']).toContain(error.code);
    expect(await refusal(spiral.table(table))).toMatchObject({ code: 'unknown_table' });
    await spiral.close();
  });
});

describe('a record of the warehouse that was forged', () => {
  const record = (rootUri: string): TableRecord => ({ id: 'etc', project: 'p', rootUri });

  it('leads from an object store to no place of this machine, by whatever name', async () => {
    await using folder = await temporaryFolder();
    for (const uri of ['s3://bucket/warehouse', 'http://host/warehouse']) {
      const warehouse = new Warehouse(resolveSettings({ 'warehouse.uri': uri }));
      for (const root of ['file:///', '/', '.', 'FILE:///', pathToFileURL(folder.path).href, 'memory://x']) {
        const error = await refusal(() => warehouse.rootOf(record(root)));
        expect(error.code, root).toBe('path_outside_root');
        expect((await refusal(() => warehouse.indexRootOf(record(root)))).code, root).toBe('path_outside_root');
      }
      expect(warehouse.rootOf(record('s3://other/x')).uri).toBe('s3://other/x/etc');
      await warehouse.close();
    }
    const local = new Warehouse(resolveSettings({ 'warehouse.uri': folder.path }));
    expect(local.rootOf(record('memory://x')).uri).toBe('memory://x/etc');
    await local.close();
  });

  it('has its files where its links say only as long as they stay in the warehouse', async () => {
    await using folder = await temporaryFolder();
    const [at, others] = [join(folder.path, 'warehouse'), join(folder.path, 'others')];
    const spiral = spiralAt(at);
    const table = await newTable(spiral);
    await table.write([{ id: 1n }]);
    await spiral.close();
    // As an archive may hold it: a whole table, whose log is elsewhere.
    await cp(join(at, 'tables', table.id, 'log'), others, { recursive: true });
    const theirs = await readdir(others);
    expect(theirs.length).toBeGreaterThan(0);
    const linked = 'tbl_linked';
    await mkdir(join(at, 'tables', linked));
    await writeFile(join(at, 'tables', linked, 'table'), JSON.stringify({ id: linked, project: 'p', rootUri: null }));
    await symlink(others, join(at, 'tables', linked, 'log'));
    await symlink(others, join(at, 'tables', linked, 'data'));
    const warehouse = new Warehouse(resolveSettings({ 'warehouse.uri': at }));
    const opened = await warehouse.openTable(linked);
    expect((await refusal(opened.latest())).code).toBe('path_outside_root');
    await warehouse.close();
    const again = spiralAt(at);
    expect(await readdir(others)).toEqual(theirs);
    expect(await (await again.scan(await again.table(table.id))).toRows()).toEqual([{ id: 1n }]);
    await again.close();
  });
});

describe('an index of the warehouse that was forged', () => {
  const code = `data:text/javascript,${encodeURIComponent('globalThis.ranOf = 1; export default (n) => n.toArray();')}`;
  afterEach(() => expect('ranOf' in globalThis).toBe(false));

  it('runs no code that it names, in its filter or its projection', async () => {
    await using folder = await temporaryFolder();
    await writeFile(join(folder.path, 'evil.mjs'), 'globalThis.ranOf = 1; export default (n) => n.toArray();');
    const spiral = spiralAt(join(folder.path, 'warehouse'));
    const table = await newTable(spiral);
    await table.write([{ id: 1n }]);
    const udf = se.udf({ module: pathToFileURL(join(folder.path, 'evil.mjs')), returns: 'int64' });
    const fetched = se.http.get(se.scalar('http://127.0.0.1:1/'));
    for (const [at, evil] of [udf(table.col('id')), fetched].entries()) {
      const index = await spiral.project('p').createKeySpaceIndex(`i${at}`, 10, [{ id: table.col('id') }, { evil }]);
      await index.sync();
      expect(await index.shards()).toHaveLength(1);
      for (const own of [index, await spiral.keySpaceIndex(index.id)]) {
        expect((await refusal(own.scan())).code).toBe('permission_denied');
        expect((await refusal(table.toStreaming(own))).code).toBe('permission_denied');
        expect(await (await own.scan(table.select('id'))).toRows()).toEqual([{ id: 1n }]);
      }
      // As nobody can make it, and whoever may write to the warehouse can put it.
      const store = openStore(join(folder.path, 'warehouse'));
      const record = await readIndexRecord(store, index.id);
      await putIndexRecord(store, { ...record, projection: toNode(table.col('id')), where: toNode(evil.isNotNull()) });
      expect((await refusal(spiral.keySpaceIndex(index.id))).code).toBe('corrupt_log');
    }
    await spiral.close();
  });

  it('nor does a state run code that it brings along', async () => {
    const spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write([{ id: 1n }]);
    for (const module of [code, 'http://127.0.0.1:1/x.mjs', 'node:fs']) {
      const evil = se.udf({ module, returns: 'int64' })(table.col('id'));
      const error = await refusal(async () => (await spiral.scan({ evil })).toRows());
      expect([error.code, error.message]).toEqual(['invalid_transform', expect.stringContaining('file://')]);
    }
    await spiral.close();
  });
});

describe('names that are those of prototypes', () => {
  it('are refused in settings, wherever they stand', async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, 'settings.toml');
    for (const text of [
      '[__proto__]\npolluted = "yes"',
      '"__proto__".polluted = "yes"',
      '[warehouse.__proto__]\npolluted = "yes"',
      '[constructor.prototype]\npolluted = "yes"',
      '[warehouse]\n__proto__ = { polluted = "yes" }',
    ]) {
      await writeFile(file, text);
      expect((await refusal(() => resolveSettings({}, {}, { SPIRAL_CONFIG: file }))).code, text).toBe('invalid_config');
    }
    const own = JSON.parse('{"__proto__":"x"}') as object;
    expect((await refusal(() => resolveSettings(own))).code).toBe('invalid_config');
    expect((await refusal(() => resolveSettings({}, {}, { SPIRAL____PROTO____X: 'yes' }))).code).toBe('invalid_config');
    expect(({} as { polluted?: string }).polluted).toBeUndefined();
  });

  it('are columns like any other, in files and in tables', async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, 'a.jsonl');
    await writeFile(file, '{"id":1,"__proto__":{"polluted":"yes"},"constructor":"c","s":{"__proto__":7}}\n');
    const spiral = spiralAt();
    const files = await spiral.files(file);
    const [row] = (await (await spiral.scan(files)).toRows()) as Record<string, unknown>[];
    expect(Object.getOwnPropertyDescriptor(row, '__proto__')?.value).toEqual({ polluted: 'yes' });
    expect([row!['constructor'], Object.getPrototypeOf(row)]).toEqual(['c', Object.prototype]);
    expect(({} as { polluted?: string }).polluted).toBeUndefined();
    const state = (await spiral.scan(files)).stateJson().replace('{', '{"__proto__":{"polluted":"yes"},');
    expect(await (await spiral.resumeScan(state)).toRows()).toHaveLength(1);
    expect(({} as { polluted?: string }).polluted).toBeUndefined();
    await spiral.close();
  });
});

describe('secrets in settings', () => {
  it('are shown by no explanation, no store, no error and no state', async () => {
    await using server = await webServer({});
    const uri = `${server.url.replace('//', '//ann:pw9@')}/warehouse`;
    const spiral = new Spiral({ config: { 'warehouse.uri': uri } });
    const explained = explainSettings({ config: { 'warehouse.uri': uri } });
    const findings = await spiral.diagnose();
    const error = await refusal(spiral.table('tbl_none'));
    const { stack, cause } = error;
    const all = JSON.stringify([explained, findings, error.details]) + error.message + stack + String(cause);
    expect(all).toContain('127.0.0.1');
    expect(all).not.toContain('pw9');
    await spiral.close();
  });
});

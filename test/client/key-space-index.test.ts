import { describe, expect, it } from 'vitest';
import type { KeySpaceIndex } from '../../src/client/key-space-index.js';
import type { Project } from '../../src/client/project.js';
import type { Spiral } from '../../src/client/spiral.js';
import type { Table } from '../../src/client/table.js';
import { se } from '../../src/expr/se.js';
import { whichRows } from '../../src/loader/which-rows.js';
import { Shard } from '../../src/sharding/shard.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { newTable, refusal, spiralAt } from './spiral-at.js';

type Row = Record<string, unknown>;

const rows = (from: number, to: number): Row[] =>
  Array.from({ length: to - from }, (_, at) => ({ id: BigInt(from + at), even: (from + at) % 2 === 0 }));

/** A table of 100 rows in four fragments, the last of which overlaps the others, and its project. */
async function filled(spiral: Spiral): Promise<{ project: Project; table: Table }> {
  const table = await newTable(spiral);
  for (const from of [0, 40, 70]) await table.write(rows(from, from + 30), { batchRows: 8 });
  await table.write(rows(25, 45), { batchRows: 8 });
  return { project: spiral.project('p'), table };
}

const sizes = async (index: KeySpaceIndex): Promise<(number | null)[]> =>
  (await index.shards()).map(({ cardinality }) => cardinality);

describe('KeySpaceIndex', () => {
  it('is empty until it is synced, then of the newest version, and found again by name, by id and by another client', async () => {
    await using folder = await temporaryFolder();
    await using spiral = spiralAt(folder.path);
    const { project, table } = await filled(spiral);
    const index = await project.createKeySpaceIndex('by_20', 20, table, { where: table.col('even') });
    expect(index).toMatchObject({ name: 'by_20', granularity: 20, asof: null, tableId: table.id });
    expect(await refusal(index.shards())).toMatchObject({ code: 'index_not_synced', kind: 'not_found' });
    await index.sync();
    expect(index.asof).toBe(await table.snapshot().asof());
    expect((await sizes(index)).reduce((sum, own) => sum! + own!, 0)).toBe(50);
    await using other = spiralAt(folder.path);
    for (const again of [await other.project('p').keySpaceIndex('by_20'), await other.keySpaceIndex(index.id)]) {
      expect(again).toMatchObject({ id: index.id, name: 'by_20', granularity: 20, asof: index.asof });
      expect(await again.shards()).toEqual(await index.shards());
      await again.sync();
      expect(again.asof).toBe(index.asof);
    }
  });

  it('gives shards that scans and loaders of its version read, with plans and rows known under its filter', async () => {
    await using spiral = spiralAt();
    const { project, table } = await filled(spiral);
    const where = table.col('even');
    const index = await project.createKeySpaceIndex('i', 8, table, { where });
    await index.sync();
    await table.write(rows(200, 300));
    const shards = await index.shards();
    const scan = await spiral.scan(table, { where, asof: index.asof! });
    const expected = rows(0, 100).filter(({ even }) => even);
    expect(await scan.toRows({ shards })).toEqual(expected);
    const loader = scan.toDataLoader({ shards, shuffleShards: false, batchSize: 7, feeder: false });
    expect(await loader.plan()).toMatchObject({ rows: 50, batches: 8 });
    const ids: unknown[] = [];
    for await (const batch of loader) ids.push(...batch.getChild('id')!);
    expect(ids).toEqual(expected.map(({ id }) => id));
    expect(await loader.plan()).toMatchObject({ rows: 50 });
    const state = JSON.parse(JSON.stringify(loader.stateDict()));
    const resumed = scan.resumeDataLoader(state, { feeder: false });
    const again: unknown[] = [];
    for await (const batch of resumed) again.push(...batch.getChild('id')!);
    expect(again).toEqual(ids);
    expect((await whichRows(scan, state, 3)).rows).toHaveLength(7);
    expect((await whichRows(scan, state, 7)).rows).toHaveLength(1);
  });

  it('gives shards that scans of another version, table or filter refuse, naming what to do', async () => {
    await using spiral = spiralAt();
    const { project, table } = await filled(spiral);
    const other = await project.createTable('other', { keySchema: { id: 'int64' } });
    await other.write(rows(0, 100));
    const index = await project.createKeySpaceIndex('i', 8, table);
    await index.sync();
    const asof = index.asof!;
    const shards = await index.shards();
    const refused = async (work: () => Promise<unknown>): Promise<string> => {
      const error = await refusal(work);
      expect(error.code).toBe('invalid_shards');
      return error.message;
    };
    const read = (scan: Promise<Awaited<ReturnType<Spiral['scan']>>>) => async (): Promise<unknown> =>
      (await scan).toRows({ shards });
    expect(await refused(read(spiral.scan(other)))).toContain(table.id);
    expect(await refused(read(spiral.scan([table, other], { asof: await other.snapshot().asof() })))).toContain(
      table.id,
    );
    expect(await refused(read(spiral.scan(table, { where: table.col('even'), asof })))).toContain('filter');
    await table.write(rows(0, 1));
    expect(await refused(read(spiral.scan(table)))).toContain('asof: index.asof');
    const loader = (await spiral.scan(table)).toDataLoader({ shards, feeder: false });
    expect(await refused(() => loader.plan())).toContain('asof: index.asof');
    // Of JSON a shard is plain rows again.
    const plain = shards.map((shard) => Shard.fromJSON(JSON.parse(JSON.stringify(shard))));
    expect(await (await spiral.scan(table, { asof })).toRows({ shards: plain })).toEqual(rows(0, 100));
  });

  it('goes to the snapshot asked for, and without one never back', async () => {
    await using spiral = spiralAt();
    const { project, table } = await filled(spiral);
    const first = await table.snapshot().asof();
    const index = await project.createKeySpaceIndex('i', 30, table);
    await table.write(rows(100, 200));
    await index.sync();
    const newest = index.asof;
    expect((await sizes(index)).reduce((sum, own) => sum! + own!, 0)).toBe(200);
    await index.sync(table.snapshot(first));
    expect(index.asof).toBe(first);
    expect((await sizes(index)).reduce((sum, own) => sum! + own!, 0)).toBe(100);
    expect((await project.keySpaceIndex('i')).asof).toBe(first);
    await index.sync();
    expect(index.asof).toBe(newest);
    const other = await project.createTable('other', { keySchema: { id: 'int64' } });
    for (const snapshot of [other.snapshot(), 'newest', 5]) {
      expect(await refusal(index.sync(snapshot as never))).toMatchObject({ code: 'invalid_argument' });
    }
    expect(await refusal(index.sync(undefined, { signal: AbortSignal.abort() }))).toMatchObject({ code: 'cancelled' });
    expect(index.asof).toBe(newest);
  });

  it('stays readable beside compaction, and tells when vacuum removed its version, until it is synced or tagged', async () => {
    await using spiral = spiralAt();
    const { project, table } = await filled(spiral);
    const index = await project.createKeySpaceIndex('i', 30, table);
    await index.sync();
    const before = await index.shards();
    await table.compact();
    const asof = index.asof!;
    expect(await (await spiral.scan(table, { asof })).toRows({ shards: before })).toEqual(rows(0, 100));
    await table.tag('kept', asof);
    await table.vacuum({ retainMs: 0, graceMs: 0 });
    expect(await index.shards()).toEqual(before);
    await table.untag('kept');
    const error = await refusal(index.shards());
    expect(error).toMatchObject({ code: 'version_vacuumed', details: { index: 'i', asof } });
    expect(error.message).toContain('Sync the index again');
    await index.sync();
    expect(await (await spiral.scan(table, { asof: index.asof! })).toRows({ shards: await index.shards() })).toEqual(
      rows(0, 100),
    );
  });

  it('has no ranges where there are no rows, of an empty table or of a filter that leaves none', async () => {
    await using spiral = spiralAt();
    const { project, table } = await filled(spiral);
    const empty = await project.createTable('empty', { keySchema: { id: 'int64' } });
    for (const [name, of, options] of [
      ['a', empty, {}],
      ['b', table, { where: table.col('id').lt(0n) }],
    ] as const) {
      const index = await project.createKeySpaceIndex(name, 10, of, options);
      await index.sync();
      expect(await index.shards()).toEqual([]);
      await index.sync();
      expect(await (await project.keySpaceIndex(name)).shards()).toEqual([]);
    }
  });

  it('keeps its files at a root of its own', async () => {
    await using folder = await temporaryFolder();
    await using spiral = spiralAt();
    const { project, table } = await filled(spiral);
    const index = await project.createKeySpaceIndex('far', 10, table, { rootUri: folder.path });
    await index.sync();
    expect((await import('node:fs')).readdirSync(`${folder.path}/${index.id}`).sort()).toEqual(['log', 'ranges']);
    expect(await (await spiral.keySpaceIndex(index.id)).shards()).toEqual(await index.shards());
  });
});

describe('createKeySpaceIndex', () => {
  it('refuses what no index can be over, and sizes and names that are none', async () => {
    await using spiral = spiralAt();
    const { project, table } = await filled(spiral);
    const other = await project.createTable('other', { keySchema: { id: 'int64' } });
    const codeOf = async (work: () => Promise<unknown>): Promise<string> => (await refusal(work)).code;
    for (const granularity of [0, -1, 1.5, Number.NaN, '10', undefined]) {
      expect(await codeOf(() => project.createKeySpaceIndex('i', granularity as number, table))).toBe('invalid_size');
    }
    for (const name of ['', 'a b', 'a.b', 5, undefined]) {
      expect(await codeOf(() => project.createKeySpaceIndex(name as string, 10, table))).toBe('invalid_identifier');
      expect(await codeOf(() => project.keySpaceIndex(name as string))).toBe('invalid_identifier');
    }
    const where = (expr: never): Promise<unknown> => project.createKeySpaceIndex('i', 10, table, { where: expr });
    expect(await codeOf(() => project.createKeySpaceIndex('i', 10, []))).toBe('invalid_expression');
    expect(await codeOf(() => project.createKeySpaceIndex('i', 10, [table, other]))).toBe('invalid_expression');
    expect(await codeOf(() => project.createKeySpaceIndex('i', 10, { a: 5 }))).toBe('invalid_expression');
    expect(
      await codeOf(() => project.createKeySpaceIndex('i', 10, { a: se.aux('x', 'int64'), b: table.col('id') })),
    ).toBe('invalid_expression');
    expect(await codeOf(() => where(table.col('id') as never))).toBe('type_mismatch');
    expect(await codeOf(() => where(table.col('nope') as never))).toBe('unknown_column');
    const status = se.file.get(table.col('even').cast('utf8')).getitem('meta.status_code');
    expect(await codeOf(() => where(status.eq(200) as never))).toBe('invalid_expression');
    expect(await codeOf(() => project.createKeySpaceIndex('i', 10, table.col('id')))).toBe('invalid_expression');
    expect(await codeOf(() => project.createKeySpaceIndex('i', 10, table, { were: 1 } as never))).toBe(
      'invalid_argument',
    );
    expect(await codeOf(() => spiral.project('none').createKeySpaceIndex('i', 10, table))).toBe('unknown_project');
    await using folder = await temporaryFolder();
    const { writeFile } = await import('node:fs/promises');
    await writeFile(`${folder.path}/a.jsonl`, '{"a": 1}\n');
    const files = await spiral.files(`${folder.path}/a.jsonl`);
    expect(await codeOf(() => project.createKeySpaceIndex('i', 10, files))).toBe('invalid_expression');
  });

  it('knows a name that is taken, the same index again with existOk, and near names', async () => {
    await using spiral = spiralAt();
    const { project, table } = await filled(spiral);
    const where = table.col('even');
    const made = await project.createKeySpaceIndex('by_ten', 10, table, { where });
    const again = (granularity: number, options: object): Promise<KeySpaceIndex> =>
      project.createKeySpaceIndex('by_ten', granularity, table, options);
    expect(await refusal(again(10, { where }))).toMatchObject({ code: 'already_exists' });
    expect((await again(10, { where, existOk: true })).id).toBe(made.id);
    expect((await refusal(again(11, { where, existOk: true }))).message).toContain('granularity');
    expect((await refusal(again(10, { existOk: true }))).message).toContain('filter');
    expect(
      (await refusal(project.createKeySpaceIndex('by_ten', 10, table.select('id'), { where, existOk: true }))).message,
    ).toContain('projection');
    const missing = await refusal(project.keySpaceIndex('by_tne'));
    expect(missing).toMatchObject({ code: 'unknown_index', kind: 'not_found', details: { near: ['by_ten'] } });
    expect(await refusal(spiral.keySpaceIndex('idx_none'))).toMatchObject({ code: 'unknown_index' });
    expect(await refusal(spiral.keySpaceIndex('../x'))).toMatchObject({ code: 'unknown_index' });
    expect(await refusal(spiral.project('none').keySpaceIndex('x'))).toMatchObject({ code: 'unknown_project' });
    const racing = await Promise.all(
      Array.from({ length: 4 }, () => project.createKeySpaceIndex('raced', 5, table, { existOk: true })),
    );
    expect(new Set(racing.map(({ id }) => id)).size).toBe(1);
  });
});

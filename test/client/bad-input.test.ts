import { type RecordBatch, tableFromArrays } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { columnsToBatch } from '../../src/arrow/build.js';
import { toSchema } from '../../src/arrow/schema.js';
import { resolveSettings } from '../../src/client/settings.js';
import { Shard } from '../../src/sharding/shard.js';
import { newTable, refusal, spiralAt } from './spiral-at.js';

const rows = [
  { id: 1n, text: 'a', meta: { size: 1 } },
  { id: 2n, text: 'b', meta: { size: 2 } },
];

describe('names that are not there', () => {
  it('come back with the nearest ones', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write(rows);
    const project = spiral.project('p');
    expect(await refusal(project.table('tt'))).toMatchObject({
      code: 'unknown_table',
      details: { table: 'default.tt', near: ['default.t'] },
    });
    expect(await refusal(spiral.table('tbl_nothing'))).toMatchObject({ code: 'unknown_table' });
    expect(await refusal(spiral.table('../p'))).toMatchObject({ code: 'unknown_table' });
    expect(await refusal(spiral.project('q').table('t'))).toMatchObject({
      code: 'unknown_project',
      details: { project: 'q', near: ['p'] },
    });
    expect(await refusal(spiral.project('q').createTable('t', { keySchema: { id: 'int64' } }))).toMatchObject({
      code: 'unknown_project',
    });
    expect(await refusal(spiral.scan(table.select('txt')))).toMatchObject({
      code: 'unknown_column',
      details: { column: 'txt', near: ['text'] },
    });
    const nested = await refusal(spiral.scan({ x: table.col('meta.sise') }));
    expect(nested).toMatchObject({ code: 'unknown_column', details: { near: ['meta.size'] } });
    expect(nested.message).toContain("'meta.sise'");
    expect(await refusal(table.dropColumns(['text', 'metta']))).toMatchObject({ code: 'unknown_column' });
    expect(await refusal(spiral.scan(table.col('text.size').select('x')))).toMatchObject({
      code: 'invalid_expression',
    });
    expect(await refusal(spiral.scan(table.col('text').select('x')))).toMatchObject({ code: 'invalid_expression' });
  });

  it('are refused where they could be no names', async () => {
    await using spiral = spiralAt();
    await newTable(spiral);
    const project = spiral.project('p');
    for (const name of ['', 'a.b.c', '../x', 'a/b', 'ü', '.a', 'x'.repeat(200), undefined as never]) {
      expect(await refusal(project.table(name))).toMatchObject({ code: 'invalid_identifier' });
    }
    expect(await refusal(() => spiral.project('../p'))).toMatchObject({ code: 'invalid_identifier' });
    expect(await refusal(spiral.createProject('a b'))).toMatchObject({ code: 'invalid_identifier' });
  });
});

describe('tables that cannot be made', () => {
  it.each([
    ['invalid_schema', {}],
    ['invalid_schema', { 'a.b': 'int64' }],
    ['invalid_schema', { id: 'int63' }],
    ['unsupported_type', { id: 'list<int64>' }],
    ['unsupported_type', { id: 'dictionary<int32, utf8>' }],
    ['invalid_schema', null as never],
  ])('%s for the key %j', async (code, keySchema) => {
    await using spiral = spiralAt();
    expect(await refusal(newTable(spiral, keySchema))).toMatchObject({ code });
  });

  it('already_exists for a name that is taken, or with another key', async () => {
    await using spiral = spiralAt();
    await newTable(spiral);
    const project = spiral.project('p');
    expect(await refusal(project.createTable('t', { keySchema: { id: 'int64' } }))).toMatchObject({
      code: 'already_exists',
    });
    expect(await refusal(project.createTable('t', { keySchema: { id: 'utf8' }, existOk: true }))).toMatchObject({
      code: 'already_exists',
    });
    const option = { keySchema: { id: 'int64' }, existsOk: true } as never;
    expect(await refusal(project.createTable('u', option))).toMatchObject({
      code: 'invalid_argument',
      details: { near: ['existOk'] },
    });
  });
});

describe('rows that cannot be written', () => {
  const batchOf = (fields: Record<string, string>, columns: Record<string, unknown[]>): RecordBatch =>
    columnsToBatch(columns, toSchema(fields, 'the test'));
  const twoRows = { id: [3n, 4n] };

  it.each<[string, unknown, object?]>([
    ['invalid_key', [{ id: null, text: 'x' }]],
    ['invalid_key', [{ text: 'x' }]],
    ['invalid_key', batchOf({ id: 'int32' }, { id: [1, 2] })],
    ['duplicate_key', [{ id: 5n }, { id: 6n }, { id: 5n }]],
    [
      'duplicate_key',
      [batchOf({ id: 'int64' }, { id: [5n] }), batchOf({ id: 'int64', text: 'utf8' }, { id: [5n], text: ['x'] })],
    ],
    ['type_mismatch', [{ id: 'one' }]],
    ['type_mismatch', [{ id: 3n, text: 5 }]],
    ['type_mismatch', batchOf({ id: 'int64', text: 'int32' }, { ...twoRows, text: [1, 2] })],
    ['type_mismatch', [{ id: 3n, meta: 'a leaf where a struct is' }]],
    ['type_mismatch', [{ id: 3n, text: { a: 'struct where a leaf is' } }]],
    ['type_mismatch', batchOf({ id: 'int64', meta: 'int32' }, { ...twoRows, meta: [1, 2] })],
    ['type_mismatch', batchOf({ id: 'int64', text: 'struct<{a: int32}>' }, { ...twoRows, text: [{ a: 1 }, { a: 2 }] })],
    [
      'type_mismatch',
      [
        batchOf({ id: 'int64', new: 'int32' }, { id: [8n], new: [1] }),
        batchOf({ id: 'int64', new: 'utf8' }, { id: [9n], new: ['x'] }),
      ],
    ],
    ['value_out_of_range', [{ id: 2n ** 63n }]],
    [
      'invalid_rows',
      [
        { id: 3n, meta: null },
        { id: 4n, meta: { size: 1 } },
      ],
    ],
    ['invalid_rows', 5],
    ['invalid_rows', 'rows'],
    ['invalid_rows', {}],
    ['invalid_rows', [1, 2]],
    ['invalid_rows', { id: [1n, 2n], text: ['a'] }],
    ['invalid_schema', [{ id: 3n, 'a.b': 1 }]],
    ['invalid_argument', [{ id: 3n }], { pushDownNull: true }],
    ['invalid_argument', [{ id: 3n }], { pushDownNulls: 'yes' }],
    ['invalid_size', [{ id: 3n }], { batchRows: 0 }],
  ])('%s for %o', async (code, data, options = {}) => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write(rows);
    const before = await table.snapshot().asof();
    const error = await refusal(table.write(data as never, options));
    expect(error.code).toBe(code);
    expect(error.message.length).toBeGreaterThan(40);
    expect(await table.snapshot().asof()).toBe(before);
    expect(await (await spiral.scan(table)).toRows()).toEqual(rows);
  });

  it('an empty write commits nothing', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    const before = await table.snapshot().asof();
    for (const nothing of [[], tableFromArrays({ id: new BigInt64Array(0) }), { id: [] }]) {
      await table.write(nothing);
    }
    expect(await table.snapshot().asof()).toBe(before);
    expect(await (await spiral.scan(table)).toRows()).toEqual([]);
  });

  it('a struct that is null becomes null fields with pushDownNulls', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write(
      [
        { id: 1n, meta: { size: 1, deep: { a: 'x' } } },
        { id: 2n, meta: null },
        { id: 3n, meta: { deep: null } },
      ],
      {
        pushDownNulls: true,
      },
    );
    expect(await (await spiral.scan(table)).toRows()).toEqual([
      { id: 1n, meta: { size: 1, deep: { a: 'x' } } },
      { id: 2n, meta: { size: null, deep: { a: null } } },
      { id: 3n, meta: { size: null, deep: { a: null } } },
    ]);
  });

  it('keys and structs are no columns to drop', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write(rows);
    for (const path of ['id', 'meta']) {
      expect(await refusal(table.dropColumns([path]))).toMatchObject({ code: 'invalid_argument' });
    }
    expect(await refusal(table.dropColumns('text' as never))).toMatchObject({ code: 'invalid_argument' });
    await table.dropColumns([]);
    await table.dropColumns(['text', 'text']);
    expect((await table.schema()).fields.map(({ name }) => name)).toEqual(['id', 'meta']);
  });
});

describe('scans that cannot be made', () => {
  it('say what to do instead', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write(rows);
    const bare = await refusal(spiral.scan(table.col('text')));
    expect(bare).toMatchObject({ code: 'invalid_expression', details: { column: 'text' } });
    expect(bare.message).toContain("table.select('text')");
    const merged = await refusal(spiral.scan([table.select('id'), table.col('meta.size')]));
    expect(merged.message).toContain("table.select('meta.size')");
    const invalid: unknown[] = [
      [],
      {},
      null,
      5,
      { a: 5 },
      { 'a..b': table.col('id') },
      { a: table.col('id'), 'a.b': table.col('text') },
    ];
    for (const projection of invalid) {
      expect(await refusal(spiral.scan(projection as never))).toMatchObject({ code: 'invalid_expression' });
    }
    const circle: Record<string, unknown> = {};
    circle['again'] = circle;
    expect(await refusal(spiral.scan(circle as never))).toMatchObject({ code: 'invalid_expression' });
    expect(await refusal(() => table.select(5 as never))).toMatchObject({ code: 'invalid_expression' });
    expect(await refusal(() => table.select({ exclude: 'id' as never }))).toMatchObject({ code: 'invalid_expression' });
    expect(await refusal(() => table.col(5 as never))).toMatchObject({ code: 'invalid_expression' });
    expect(await refusal(() => Number(table.col('id')))).toMatchObject({ code: 'invalid_expression' });
    expect(await refusal(spiral.scan(table, { asof: 5 }))).toMatchObject({ code: 'version_not_found' });
    expect(await refusal(spiral.scan(table, { asof: Number.NaN }))).toMatchObject({ code: 'invalid_argument' });
    expect(await refusal(spiral.scan(table, { asof: 'now' as never }))).toMatchObject({ code: 'invalid_argument' });
    expect(await refusal(spiral.scan(table, { as_of: 5 } as never))).toMatchObject({ code: 'invalid_argument' });
  });

  it('refuse recipes that stateJson did not write', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write(rows);
    const state = JSON.parse((await spiral.scan(table)).stateJson()) as Record<string, unknown>;
    const resumed = (changes: object): Promise<unknown> => spiral.resumeScan(JSON.stringify({ ...state, ...changes }));
    expect(await refusal(resumed({ format: 4, projection: undefined }))).toMatchObject({
      code: 'state_version',
      details: { expected: 3, found: 4 },
    });
    expect(await refusal(resumed({ version: 99 }))).toMatchObject({ code: 'version_not_found' });
    expect(
      await refusal(resumed({ table: 'tbl_gone', projection: { kind: 'table', table: 'tbl_gone' } })),
    ).toMatchObject({
      code: 'unknown_table',
    });
    const wrong = [
      { format: undefined },
      { format: 0 },
      { version: 0 },
      { version: -1 },
      { version: '1' },
      { table: 5 },
      { table: 'tbl_other' },
      { projection: null },
      { projection: { kind: 'exec' } },
      { projection: { kind: 'select', of: state['projection'], paths: 'id', exclude: false } },
      { projection: { kind: 'pack', fields: [['a']] } },
      { projection: { kind: 'merge', of: [] } },
    ];
    for (const changes of wrong) expect(await refusal(resumed(changes))).toMatchObject({ code: 'invalid_state' });
    const deep = '{"kind":"field","name":"x","of":'.repeat(5000);
    const projection = `${deep}${JSON.stringify(state['projection'])}${'}'.repeat(5000)}`;
    const tooDeep = `{"format":1,"version":2,"table":${JSON.stringify(state['table'])},"projection":${projection}}`;
    for (const json of [tooDeep, '', '{', 'null', '5', '[]', '"x"', undefined as never]) {
      expect(await refusal(spiral.resumeScan(json))).toMatchObject({ code: 'invalid_state' });
    }
  });

  it('refuse shards of others', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral);
    await table.write(rows);
    const scan = await spiral.scan(table);
    const [shard] = await scan.shards();
    const { keyRange } = shard!;
    const range = (from: number, to: number, part = 0): Shard => new Shard(keyRange, null, [{ part, from, to }]);
    const key = Uint8Array.of(0xff);
    const wrong: unknown[] = [
      [range(0, 3)],
      [range(-1, 1)],
      [range(2, 1)],
      [range(0, 1, 1)],
      [range(0, 0.5)],
      [range(0, 0, 0.5)],
      [shard, shard],
      [range(0, 2), range(1, 2)],
      [new Shard({ begin: key, end: null }, 2, [{ part: 0, from: 0, to: 2 }])],
      [shard!.toJSON()],
      shard,
    ];
    for (const shards of wrong) {
      expect(await refusal(() => scan.toRecordBatches({ shards: shards as never }))).toMatchObject({
        code: 'invalid_shards',
      });
    }
  });
});

describe('settings', () => {
  it.each([
    [{ 'warehouse.url': 'x' }, ['warehouse.uri']],
    [{ verify: 'sometimes' }, undefined],
    [{ 'limits.batch_readahead': 0 }, undefined],
    [{ 'limits.partition_max_bytes': 'a lot' }, undefined],
    [{ constructor: 'x' }, []],
    [{ 'warehouse.uri': '' }, undefined],
  ])('%o are refused with the nearest name', async (config, near) => {
    const error = await refusal(() => resolveSettings(config as never, {}, {}));
    expect(error.code).toBe('invalid_config');
    expect(error.details['near']).toEqual(near);
  });

  it('come from overrides before config before the environment', () => {
    const environment = { SPIRAL__VERIFY: 'never', SPIRAL__WAREHOUSE__URI: 'env', OTHER: 'x' };
    expect(resolveSettings({ 'warehouse.uri': 'config' }, {}, environment)).toMatchObject({
      verify: 'never',
      'warehouse.uri': 'config',
    });
    expect(resolveSettings({ verify: 'always' }, { verify: 'first' }, environment).verify).toBe('first');
  });

  it('name a place that can be opened', async () => {
    expect(await refusal(() => spiralAt('ftp://host/x').project('p'))).toMatchObject({ code: 'unsupported' });
    const spiral = spiralAt();
    const table = await newTable(spiral);
    await spiral.close();
    expect(await refusal(table.write(rows))).toMatchObject({ code: 'closed' });
    expect(await refusal(spiral.listProjects())).toMatchObject({ code: 'closed' });
  });
});

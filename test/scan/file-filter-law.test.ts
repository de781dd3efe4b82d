import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { batchRows } from '../../src/arrow/rows.js';
import type { FileTable } from '../../src/client/file-table.js';
import { type Expr, se } from '../../src/index.js';
import { expectSameValues } from '../arrow/arbitrary.js';
import { spiralAt } from '../client/spiral-at.js';
import { duck, duckRows } from '../format/duck.js';
import { lawRuns } from '../laws.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { arbPredicate, type PredicateColumn, type Row } from './predicates.js';

const folder = await temporaryFolder();
afterAll(() => folder[Symbol.asyncDispose]());
const spiral = spiralAt();
afterAll(() => spiral.close());

const texts = ['', 'a', 'ab', 'b', 'é', '\u{1f600}', 'x'.repeat(40), `${'x'.repeat(40)}y`];
const wide = [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n];
/** Five groups of Parquet in two files; `id` and `shelf` go with them. */
const counts = [5000, 4096];
const sizes = { 'a.x': counts[0]!, 'b.x': counts[1]! };
const rowsOf = (from: number, to: number): Row[] =>
  Array.from({ length: to - from }, (_, at) => {
    const id = from + at;
    return {
      id: BigInt(id),
      shelf: `s${Math.floor(id / 2048)}`,
      a: id % 7 === 0 ? null : (id * 31) % 19,
      b: id % 11 === 0 ? null : id % 13 === 0 ? Number.NaN : (id % 17) / 2 - 3,
      t: id % 5 === 0 ? null : texts[id % texts.length]!,
      flag: id % 3 === 0 ? null : id % 2 === 0,
      s: id % 6 === 0 ? null : { x: id % 4 === 0 ? null : wide[id % wide.length]!, y: texts[(id * 3) % texts.length]! },
    };
  });

const all: Row[] = [];
const sqlOf = (value: unknown): string => {
  if (value === null) return 'null';
  if (typeof value === 'string') return `'${value}'`;
  if (typeof value === 'object') {
    const { x, y } = value as Row;
    return `{'x': ${x === null ? 'null' : `'${x}'`}::bigint, 'y': ${sqlOf(y)}}`;
  }
  return typeof value === 'number' && Number.isNaN(value) ? "'NaN'::double" : `${value}`;
};
const jsonOf = ({ id, s, b, ...row }: Row): string => {
  const struct = s === null ? 'null' : `{"x":${(s as Row)['x']},"y":${JSON.stringify((s as Row)['y'])}}`;
  return `${JSON.stringify({ ...row, b }).slice(0, -1)},"id":${id},"s":${struct}}`;
};
const csvOf = ({ id, shelf, a, t, flag }: Row): string =>
  [id, shelf, a, t === null || t === '' ? '' : `"${t}"`, flag].map((value) => value ?? '').join(',');

const tables: Record<string, FileTable> = {};

beforeAll(async () => {
  let from = 0;
  for (const format of ['parquet', 'jsonl', 'csv']) await mkdir(join(folder.path, format));
  for (const [name, count] of Object.entries(sizes)) {
    const rows = rowsOf(from, from + count);
    all.push(...rows);
    from += count;
    const path = (format: string): string => join(folder.path, format, name.replace('x', format));
    const values = rows.map((row) => `(${Object.values(row).map(sqlOf).join()})`);
    const types = 'id bigint, shelf varchar, a int, b double, t varchar, flag bool, s struct(x bigint, y varchar)';
    await (await duck()).run(`create or replace table own (${types}); insert into own values ${values.join()}`);
    await (await duck()).run(`copy own to '${path('parquet')}' (format parquet, row_group_size 2048)`);
    await writeFile(path('jsonl'), rows.map(jsonOf).join('\n'));
    await writeFile(path('csv'), ['id,shelf,a,t,flag', ...rows.map(csvOf)].join('\n'));
  }
  const plain = { id: 'int64', shelf: 'utf8', a: 'int32', t: 'utf8', flag: 'bool' } as const;
  const schema = { ...plain, b: 'float64', s: 'struct<x: int64, y: utf8>' } as const;
  tables['parquet'] = await spiral.files(join(folder.path, 'parquet'));
  tables['jsonl'] = await spiral.files(join(folder.path, 'jsonl'), { schema });
  tables['csv'] = await spiral.files(join(folder.path, 'csv'), { schema: plain });
}, 60_000);

const plainColumns: readonly PredicateColumn[] = [
  { path: 'id', values: fc.bigInt(-1n, 9200n) },
  { path: 'shelf', values: fc.constantFrom('s0', 's1', 's3', 'x') },
  { path: 'a', values: fc.integer({ min: -1, max: 20 }) },
  { path: 't', values: fc.constantFrom(...texts.slice(1)) },
  { path: 'flag', values: fc.boolean() },
];
const columns: readonly PredicateColumn[] = [
  ...plainColumns,
  { path: 'b', values: fc.constantFrom(Number.NaN, 0, -3, 2.5, Number.POSITIVE_INFINITY) },
  { path: 's.x', values: fc.constantFrom(...wide) },
  { path: 's.y', values: fc.constantFrom(...texts) },
];
const keys: readonly PredicateColumn[] = [
  { path: 'file', values: fc.constantFrom('a.parquet', 'b.jsonl', 'a.csv', 'b.parquet', 'c') },
  { path: 'row', values: fc.bigInt(-1n, 5001n) },
];

describe('a filtered scan of files', () => {
  it.each([
    ['parquet', [...columns, ...keys], 8],
    ['jsonl', [...columns, ...keys], 4],
    ['csv', [...plainColumns, ...keys], 4],
  ] as const)(
    'of %s gives the rows of the unfiltered one for which plain JavaScript finds the predicate true',
    async (format, own, runs) => {
      const files = tables[format]!;
      const projection = se.merge(files, files.select('file', 'row'));
      const unfiltered = await (await spiral.scan(projection)).toRows();
      expect(unfiltered).toHaveLength(all.length);
      const arb = fc.tuple(arbPredicate(own), fc.integer({ min: 1, max: 3000 }));
      await fc.assert(
        fc.asyncProperty(arb, async ([predicate, cut]) => {
          const where = predicate.expr(files);
          const expected = unfiltered.filter((row) => predicate.of(row) === true);
          const scan = await spiral.scan(projection, { where });
          expectSameValues(await scan.toRows(), expected);
          if (await scan.isEmpty()) expect(expected).toEqual([]);
          // Blocks of any rows, as loaders read them: other columns than those of the filter, and where rows stood.
          const source = await (await spiral.scan(files.select('id'), { where })).openSource();
          let first = 0;
          for (const shard of source.shards) {
            for (let from = 0; from < shard.physicalRows; from += cut) {
              const to = Math.min(shard.physicalRows, from + cut);
              const { batch, rows } = await source.readBlock(shard, from, to, new AbortController().signal);
              const stored = unfiltered.slice(first + from, first + to);
              const survive = stored.flatMap((row, at) => (predicate.of(row) === true ? [at] : []));
              expect(batchRows(batch).map(({ id }) => id)).toEqual(survive.map((at) => stored[at]!['id']));
              if (rows === undefined) expect(survive).toHaveLength(stored.length);
              else expect([...rows]).toEqual(survive);
            }
            first += shard.physicalRows;
          }
          // Computed shards: disjoint, covering, of as many rows as they say.
          const shards = await spiral.computeShards(cut, files.select('id'), { where });
          expect(shards.map(({ cardinality }) => cardinality)).toEqual(
            shards.map((_, at) => Math.min(cut, expected.length - at * cut)),
          );
          const ids: unknown[] = [];
          const plain = await spiral.scan(files.select('id'), { where });
          for (const shard of shards) ids.push(...(await plain.toRows({ shards: [shard] })).map(({ id }) => id));
          expect(ids).toEqual(expected.map(({ id }) => id));
        }),
        { numRuns: lawRuns(runs, 400) },
      );
    },
    120_000,
  );

  it('of Parquet selects the rows that DuckDB does, whatever the statistics tell', async () => {
    const files = tables['parquet']!;
    const from = join(folder.path, 'parquet', '*.parquet');
    await fc.assert(
      fc.asyncProperty(arbPredicate(columns), async (predicate) => {
        const found = await duckRows(`select id from read_parquet('${from}') where ${predicate.text} order by id`);
        const rows = await (await spiral.scan(files.select('id'), { where: predicate.expr(files) })).toRows();
        expect(
          rows.map(({ id }) => String(id)),
          predicate.text,
        ).toEqual(found.map(([id]) => String(id)));
      }),
      { numRuns: lawRuns(40, 2000) },
    );
  }, 60_000);

  it('of Parquet reads the statistics of every type as DuckDB does', async () => {
    const path = join(folder.path, 'types.parquet');
    const select = `select i::utinyint u8, (i * 715000)::uinteger u32, (i::hugeint * 3000000000000000)::ubigint u64,
      (i - 3000)::smallint i16, (i - 3000)::float f32, (i / 7)::decimal(12, 3) price, date '1970-01-01' + (i - 3000)::int d,
      timestamp '1970-01-01' + interval 1 hour * (i - 3000) ts, 'k' || lpad(i::varchar, 5, '0') k,
      encode('b' || lpad(i::varchar, 5, '0')) bin from range(0, 6000) r(i)`.replace(
      'i::utinyint',
      '(i // 24)::utinyint',
    );
    await (await duck()).run(`copy (${select}) to '${path}' (format parquet, row_group_size 2048)`);
    const files = await spiral.files(path);
    const epoch = (hours: number): Date => new Date(hours * 3_600_000);
    const cases: readonly (readonly [sql: string, where: Expr])[] = [
      ['u8 > 200', files.col('u8').gt(200)],
      ['u32 >= 4285000000 or u32 < 5000000', files.col('u32').gte(4_285_000_000).or(files.col('u32').lt(5_000_000))],
      ['u64 > 17900000000000000000', files.col('u64').gt(17_900_000_000_000_000_000n)],
      ['i16 < -2990', files.col('i16').lt(-2990)],
      ['f32 = 100.0', files.col('f32').eq(100)],
      ['f32 < -2998.5', files.col('f32').lt(-2998.5)],
      ['price > 850', files.col('price').gt(850)],
      ["d < date '1962-01-01'", files.col('d').lt(new Date('1962-01-01'))],
      ["ts > timestamp '1970-04-28 21:00:00'", files.col('ts').gt(epoch(117 * 24 + 21))],
      ["ts <= timestamp '1969-08-30 01:00:00'", files.col('ts').lte(new Date('1969-08-30T01:00:00Z'))],
      ["k between 'k02047' and 'k02049'", files.col('k').gte('k02047').and(files.col('k').lte('k02049'))],
      ["bin = encode('b04096')", files.col('bin').eq(Buffer.from('b04096'))],
    ];
    for (const [sql, where] of cases) {
      const found = await duckRows(`select k from '${path}' where ${sql} order by k`);
      const rows = await (await spiral.scan(files.select('k'), { where })).toRows();
      expect(
        rows.map(({ k }) => k),
        sql,
      ).toEqual(found.map(([k]) => k));
      expect(rows.length, sql).toBeGreaterThan(0);
      expect(rows.length, sql).toBeLessThan(6000);
    }
  });
});

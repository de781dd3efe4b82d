import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchRows } from '../../src/arrow/rows.js';
import type { Scan } from '../../src/client/scan.js';
import type { Spiral } from '../../src/client/spiral.js';
import type { Table } from '../../src/client/table.js';
import { uniqueId } from '../../src/core/random.js';
import { spiralAt } from '../client/spiral-at.js';
import { lawRuns } from '../laws.js';
import { arbPredicate, type Row } from './predicates.js';

/** What is done to a table; `ids` are keys of it, in order. */
type Step =
  | { readonly kind: 'write'; readonly ids: readonly number[]; readonly cells: Row; readonly batchRows: number }
  | { readonly kind: 'delete'; readonly ids: readonly number[] }
  | { readonly kind: 'compact' };

const range = (from: number, to: number, step = 1): number[] =>
  Array.from({ length: Math.max(0, Math.ceil((to - from) / step)) }, (_, at) => from + at * step);

/** Some are drawn time and again, so that tables have the very same keys. */
const arbIds = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom(range(0, 24), range(0, 24, 2), range(24, 40)) },
  { weight: 2, arbitrary: fc.uniqueArray(fc.nat(40), { minLength: 1, maxLength: 15 }) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.nat(39), fc.integer({ min: 1, max: 20 })).map(([at, rows]) => range(at, at + rows)),
  },
);
const numbers = fc.option(fc.integer({ min: -9, max: 9 }));
const texts = fc.option(fc.constantFrom('', 'a', 'é', 'x'.repeat(40)));
const arbCells = fc.record({ a: numbers, t: texts, s: fc.record({ b: numbers }) }, { requiredKeys: ['a'] });
const arbStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      ids: arbIds,
      cells: arbCells,
      batchRows: fc.integer({ min: 1, max: 20 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete' as const), ids: arbIds }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'compact' as const }) },
);
const arbTables = fc.array(fc.array(arbStep, { maxLength: 6 }), { minLength: 2, maxLength: 3 });

const key = (id: number): Row => ({ shelf: id % 3 === 0 ? 'b' : 'a', id: -0 + id / 2 });
const code = ({ shelf, id }: Row): string => `${shelf} ${String(id).padStart(6)}`;

/** The columns of each table, all there from the beginning. */
const schema = { shelf: 'utf8', id: 'float64', a: 'int32', t: 'utf8', s: 'struct<{b: int32}>' };
const names = ['x', 'y', 'z'];

/** What the cells of a step are for a key: a number with the key added, so that no two rows are alike. */
function cellsOf(id: number, cells: Row): Row {
  const shifted = (value: unknown): unknown => (typeof value === 'number' ? (value + id) % 10 : value);
  const { a, s, ...rest } = cells;
  return { a: shifted(a), ...rest, ...(s === undefined ? {} : { s: { b: shifted((s as Row)['b']) } }) };
}

async function tableOf(spiral: Spiral, name: string, steps: readonly Step[]): Promise<[Table, Map<string, Row>]> {
  const { columnsToBatch } = await import('../../src/arrow/build.js');
  const { toSchema } = await import('../../src/arrow/schema.js');
  const project = spiral.project('p');
  // Key columns may have other names.
  const names = name === 'z' ? ['shelf', 'id'] : [`${name}shelf`, `${name}id`];
  const keySchema = { [names[0]!]: 'utf8', [names[1]!]: 'float64' };
  const table = await project.createTable(name, { keySchema });
  const named = (row: Row): Row => {
    const { shelf, id, ...rest } = row;
    return { [names[0]!]: shelf, [names[1]!]: id, ...rest };
  };
  const rows = new Map<string, Row>();
  const write = async (written: readonly Row[], batchRows: number): Promise<void> => {
    const has = ['shelf', 'id', ...['a', 't', 's'].filter((column) => column in written[0]!)];
    const types = has.map((column) => [column, schema[column as keyof typeof schema]] as const);
    const columns = named(Object.fromEntries(has.map((column) => [column, written.map((row) => row[column])])));
    const own = types.map(([column, type]): [string, string] => [
      column === 'shelf' ? names[0]! : column === 'id' ? names[1]! : column,
      type,
    ]);
    await table.write(columnsToBatch(columns as never, toSchema(own, 'a random table')), { batchRows });
  };
  await write([{ shelf: 'none', id: -1, a: null, t: null, s: { b: null } }], 1);
  await table.deleteKeys([named({ shelf: 'none', id: -1 })]);
  for (const step of steps) {
    if (step.kind === 'compact') await table.compact();
    else if (step.kind === 'delete') {
      await table.deleteKeys(step.ids.map((id) => named(key(id))));
      for (const id of step.ids) rows.delete(code(key(id)));
    } else {
      const written = step.ids.map((id) => ({ ...key(id), ...cellsOf(id, step.cells) }));
      await write(written, step.batchRows);
      for (const row of written) rows.set(code(row), { ...rows.get(code(row)), ...row });
    }
  }
  return [table, rows];
}

/** The model of an outer join. */
function joinedRows(tables: readonly Map<string, Row>[]): Row[] {
  const codes = [...new Set(tables.flatMap((rows) => [...rows.keys()]))];
  const keys = new Map(range(0, 80).map((id) => [code(key(id)), key(id)]));
  const byKey = codes.map((own) => keys.get(own)!);
  byKey.sort((a, b) => (a['shelf'] === b['shelf'] ? Number(a['id']) - Number(b['id']) : code(a) < code(b) ? -1 : 1));
  return byKey.map((own) =>
    Object.fromEntries(
      tables.map((rows, at) => {
        const { a = null, t = null, s = { b: null } } = rows.get(code(own)) ?? {};
        return [names[at]!, { ...own, a, t, s }];
      }),
    ),
  );
}

const columns = names.slice(0, 2).flatMap((name) => [
  { path: `${name}.a`, values: numbers },
  { path: `${name}.t`, values: texts },
  { path: `${name}.s.b`, values: numbers },
  { path: `${name}.id`, values: fc.integer({ min: 0, max: 20 }) },
  { path: `${name}.shelf`, values: fc.constantFrom('a', 'b') },
]);

/** Column `x.a` of tables that are called by the beginning of a path, keys under the names that they have there. */
const columnOf = (tables: readonly Table[]) => ({
  col: (path: string) => {
    const [name, ...rest] = path.split('.') as [string, ...string[]];
    const own = rest.join('.');
    const prefix = name !== 'z' && (own === 'id' || own === 'shelf') ? name : '';
    return tables[names.indexOf(name)]!.col(prefix + own);
  },
});

function projectionOf(tables: readonly Table[]) {
  const { col } = columnOf(tables);
  return Object.fromEntries(
    tables.map((_, at) => {
      const own = (path: string) => col(`${names[at]}.${path}`);
      return [names[at]!, { shelf: own('shelf'), id: own('id'), a: own('a'), t: own('t'), s: { b: own('s.b') } }];
    }),
  );
}

/** Checks blocks of any rows, as loaders read them. */
async function checkBlocks(scan: Scan, all: readonly Row[], survives: (row: Row) => boolean, cut: number) {
  const source = await scan.openSource();
  let first = 0;
  for (const shard of source.shards) {
    for (let from = 0; from < shard.physicalRows; from += cut) {
      const to = Math.min(shard.physicalRows, from + cut);
      const { batch } = await source.readBlock(shard, from, to, new AbortController().signal);
      expect(batchRows(batch)).toEqual(all.slice(first + from, first + to).filter(survives));
    }
    first += shard.physicalRows;
  }
  expect(first).toBe(all.length);
}

async function checkTakes(scan: Scan, expected: readonly Row[]): Promise<void> {
  const wanted = range(0, 80, 3).reverse().map(key);
  const [shelf, id] = scan.keySchema.names as [string, string];
  const keyTable = wanted.map((row) => ({ [shelf]: row['shelf'], [id]: row['id'] }));
  const byKey = new Map(expected.map((row) => [code(row['x'] as Row), row]));
  expect(await scan.toRows({ keyTable })).toEqual(
    wanted.flatMap((row) => (byKey.has(code(row)) ? [byKey.get(code(row))] : [])),
  );
}

describe('a scan of several tables', () => {
  it('gives a row for each key that any of them has, as plain JavaScript joins them (laws 14, 21, 23 to 25)', async () => {
    let [kept, dropped, single, both] = [0, 0, 0, 0];
    await fc.assert(
      fc.asyncProperty(
        arbTables,
        fc.option(arbPredicate(columns)),
        fc.integer({ min: 1, max: 12 }),
        fc.boolean(),
        async (steps, predicate, cut, verified) => {
          const uri = `memory://${uniqueId('joined-')}`;
          await using writer = spiralAt(uri);
          await writer.createProject('p');
          const made = await Promise.all(steps.map((own, at) => tableOf(writer, names[at]!, own)));
          const all = joinedRows(made.map(([, rows]) => rows));
          await using spiral = spiralAt(uri, {
            'limits.partition_max_bytes': 1500,
            verify: verified ? 'first' : 'never',
          });
          const tables = await Promise.all(made.map(([{ id }]) => spiral.table(id)));
          const where = predicate === null ? {} : { where: predicate.expr(columnOf(tables)) };
          const survives = (row: Row): boolean => predicate === null || predicate.of(row) === true;
          const expected = all.filter(survives);
          const scan = await spiral.scan(projectionOf(tables), where);
          if (cut % 2 === 0) await checkBlocks(scan, all, survives, cut);
          expect(await scan.toRows({ batchReadahead: 1 })).toEqual(expected);
          expect(await scan.toRows()).toEqual(expected);
          if (await scan.isEmpty()) expect(expected).toEqual([]);
          await checkTakes(scan, expected);
          const shards = await scan.shards();
          if (predicate === null) {
            expect(shards.reduce((sum, shard) => sum + shard.cardinality!, 0)).toBe(all.length);
          }
          const counted = await spiral.computeShards(cut, projectionOf(tables), where);
          const parts: Row[] = [];
          for (const shard of counted) {
            const rows = await scan.toRows({ shards: [shard], verify: 'always' });
            expect(rows).toHaveLength(shard.cardinality!);
            parts.push(...rows);
          }
          expect(parts).toEqual(expected);
          const again = await spiral.resumeScan(scan.stateJson());
          expect(again.identity).toEqual(scan.identity);
          await checkBlocks(again, all, survives, cut);
          expect((await scan.explain()).split('\n')[0]).toContain('outer-joined by key with');
          kept += expected.length;
          dropped += all.length - expected.length;
          const [x, y] = made.map(([, rows]) => rows) as [Map<string, Row>, Map<string, Row>];
          for (const own of x.keys())
            if (y.has(own)) both++;
            else single++;
        },
      ),
      { numRuns: lawRuns(60, 4000), endOnFailure: true },
    );
    for (const count of [kept, dropped, single, both]) expect(count).toBeGreaterThan(0);
  });
});

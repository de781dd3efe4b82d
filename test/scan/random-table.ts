import fc from 'fast-check';
import type { Spiral } from '../../src/client/spiral.js';
import type { Table } from '../../src/client/table.js';
import type { PredicateColumn, Row } from './predicates.js';

const texts = [
  '',
  'a',
  'ab',
  'b',
  'é',
  '\u{1f600}',
  '\uffff',
  'x'.repeat(40),
  `${'x'.repeat(40)}y`,
  `${'x'.repeat(32)}`,
];
const numbers = fc.oneof(
  fc.integer({ min: -9, max: 9 }),
  fc.constantFrom(Number.NaN, -0, Number.POSITIVE_INFINITY, 0.5),
);
const wide = fc.oneof(
  fc.integer({ min: -5, max: 5 }).map(BigInt),
  fc.constantFrom(2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n),
);

/** The columns of random tables; keys first. */
const columns: readonly (PredicateColumn & { readonly type: string })[] = [
  { path: 'shelf', type: 'utf8', values: fc.constantFrom(...texts) },
  { path: 'id', type: 'int32', values: fc.integer({ min: 0, max: 30 }) },
  { path: 'a', type: 'int32', values: fc.integer({ min: -9, max: 9 }) },
  { path: 'b', type: 'float64', values: numbers },
  { path: 't', type: 'utf8', values: fc.constantFrom(...texts) },
  { path: 'flag', type: 'bool', values: fc.boolean() },
  { path: 's.x', type: 'int64', values: wide },
  { path: 's.y', type: 'utf8', values: fc.constantFrom(...texts) },
];
const cells = columns.slice(2);

export const predicateColumns: readonly PredicateColumn[] = columns;

/** What is done to a table. */
type Step =
  | { readonly kind: 'write'; readonly rows: readonly Row[]; readonly batchRows: number }
  | { readonly kind: 'delete'; readonly keys: readonly Row[] }
  | { readonly kind: 'drop'; readonly path: string }
  | { readonly kind: 'compact' };

/** Keys of a few shelves: often neighbours, often the same as before. */
const arbKeys: fc.Arbitrary<Row[]> = fc.oneof(
  fc.uniqueArray(fc.record({ shelf: fc.constantFrom('', 'a', 'é'), id: fc.integer({ min: 0, max: 30 }) }), {
    minLength: 1,
    maxLength: 25,
    selector: ({ shelf, id }) => `${shelf} ${id}`,
  }),
  fc
    .tuple(fc.constantFrom('a', 'b'), fc.nat(20), fc.integer({ min: 1, max: 10 }))
    .map(([shelf, from, count]) => Array.from({ length: count }, (_, at) => ({ shelf, id: from + at }))),
);

const arbWrite: fc.Arbitrary<Step> = fc
  .tuple(arbKeys, fc.subarray([...cells]), fc.integer({ min: 1, max: 9 }), fc.boolean())
  .chain(([keys, own, batchRows, sparse]) => {
    const values = own.map(({ values }) =>
      sparse
        ? fc.option(values, { freq: 2 })
        : fc.oneof({ weight: 9, arbitrary: values }, { weight: 1, arbitrary: fc.constant(null) }),
    );
    return fc.array(fc.tuple(...values), { minLength: keys.length, maxLength: keys.length }).map(
      (drawn): Step => ({
        kind: 'write',
        batchRows,
        rows: keys.map((key, row) => {
          const made: Row = { ...key };
          for (const [at, { path }] of own.entries()) {
            const [first, second] = path.split('.') as [string, string?];
            if (second === undefined) made[first] = drawn[row]![at];
            else made[first] = { ...(made[first] as Row | undefined), [second]: drawn[row]![at] };
          }
          return made;
        }),
      }),
    );
  });

/** Steps that make a table of overlapping writes. */
export const arbSteps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: arbWrite },
    { weight: 2, arbitrary: arbKeys.map((keys): Step => ({ kind: 'delete', keys })) },
    { weight: 1, arbitrary: fc.constantFrom(...cells).map(({ path }): Step => ({ kind: 'drop', path })) },
    { weight: 1, arbitrary: fc.constant<Step>({ kind: 'compact' }) },
  ),
  { minLength: 1, maxLength: 6 },
);

/** A table with every column of {@link predicateColumns} that `steps` made. */
export async function tableOf(spiral: Spiral, steps: readonly Step[]): Promise<Table> {
  const project = await spiral.createProject('p');
  const table = await project.createTable('t', { keySchema: { shelf: 'utf8', id: 'int32' } });
  await addColumns(table);
  await changeTable(table, steps);
  return table;
}

/** Does `steps` to a table of {@link tableOf}. */
export async function changeTable(table: Table, steps: readonly Step[]): Promise<void> {
  for (const step of steps) {
    if (step.kind === 'write') await table.write(step.rows, { batchRows: step.batchRows });
    else if (step.kind === 'delete') await table.deleteKeys(step.keys as Row[]);
    else if (step.kind === 'compact') await table.compact();
    else {
      await table.dropColumns([step.path]);
      await addColumns(table);
    }
  }
}

/** Adds the columns that are missing by a row that is then deleted. */
async function addColumns(table: Table): Promise<void> {
  const { columnsToBatch } = await import('../../src/arrow/build.js');
  const { toSchema } = await import('../../src/arrow/schema.js');
  const nested = { x: null, y: null };
  const schema = toSchema(
    { shelf: 'utf8', id: 'int32', a: 'int32', b: 'float64', t: 'utf8', flag: 'bool', s: 'struct<{x: int64, y: utf8}>' },
    'a random table',
  );
  const key = { shelf: 'none', id: -1 };
  const row = { shelf: ['none'], id: [-1], a: [null], b: [null], t: [null], flag: [null], s: [nested] };
  await table.write(columnsToBatch(row as never, schema));
  await table.deleteKeys([key]);
}

import { DuckDBInstance } from '@duckdb/node-api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lawRuns } from '../laws.js';
import { drawnDouble, drawnPredicate, drawnTable, drawnText, drawnTypes } from './drawn-expr.js';
import { evaluated, selected, type TestColumn } from './evaluated.js';

const words: Readonly<Record<string, string>> = {
  int16: 'SMALLINT',
  int32: 'INTEGER',
  int64: 'BIGINT',
  float32: 'FLOAT',
  float64: 'DOUBLE',
  utf8: 'VARCHAR',
  'dictionary<int32, utf8>': 'VARCHAR',
  bool: 'BOOLEAN',
};

const rows = 24;

function literal(value: unknown, type: string): string {
  if (value === null) return 'NULL';
  if (typeof value === 'string') return `'${value.replaceAll("'", "''")}'`;
  const text = Object.is(value, -0) ? '-0.0' : String(value);
  return type.startsWith('float') ? `'${text}'::${words[type]}` : text;
}

/** A table of DuckDB with the rows of `columns`, and their number as `row`. */
function tableSql(columns: Readonly<Record<string, TestColumn>>): string {
  const names = Object.keys(drawnTypes);
  const values = Array.from({ length: rows }, (_, row) =>
    [row, ...names.map((name) => literal(columns[name]!.values[row], drawnTypes[name]!))].join(', '),
  );
  const types = names.map((name) => `${name} ${words[drawnTypes[name]!]}`);
  return `CREATE OR REPLACE TABLE t (row INTEGER, ${types.join(', ')}); INSERT INTO t VALUES (${values.join('), (')});`;
}

/** -0 as 0: DuckDB and JavaScript differ in which of both some functions give. */
const unsigned = (value: unknown): unknown => (Object.is(value, -0) ? 0 : value);

describe('beside DuckDB, over random tables', () => {
  it('random predicates select the same rows, random projections give the same values', async () => {
    const instance = await DuckDBInstance.create(':memory:');
    const connection = await instance.connect();
    const ask = async (sql: string): Promise<unknown[][]> => (await connection.runAndReadAll(sql)).getRowsJS();
    const predicates = fc.array(drawnPredicate, { minLength: 12, maxLength: 12 });
    const numbers = fc.array(drawnDouble, { minLength: 4, maxLength: 4 });
    const texts = fc.array(drawnText, { minLength: 4, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(drawnTable(rows), predicates, numbers, texts, async (columns, wheres, doubles, strings) => {
        await connection.run(tableSql(columns));
        for (const { expr, sql } of wheres) {
          const found = await ask(`SELECT row FROM t WHERE ${sql} ORDER BY row`);
          expect(selected(expr, columns), sql).toEqual(found.map(([row]) => row));
        }
        const projected = [...doubles, ...strings];
        const found = await ask(`SELECT ${projected.map(({ sql }) => sql).join(', ')} FROM t ORDER BY row`);
        for (const [at, { expr, sql }] of projected.entries()) {
          expect(evaluated(expr, columns).values.map(unsigned), sql).toEqual(found.map((row) => unsigned(row[at])));
        }
      }),
      { numRuns: lawRuns(25, 2000) },
    );
    connection.closeSync();
    instance.closeSync();
  });
});

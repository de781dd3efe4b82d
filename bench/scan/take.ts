import type { Scan, Spiral } from 'spiral-loader';
import type { Benchmark, OpenSide, Pass, Side } from '../benchmark.js';
import { warehouse } from '../data/data-set.js';
import { numbersFrom } from '../data/numbers.js';
import { wideParquet, wideRowBytes, wideRowCount, wideRows } from '../data/wide-rows.js';
import { importPeer } from '../peers.js';
import { type DuckDb, drained } from './duckdb.js';

const keysTaken = 10_000;

/** Rows by random keys, each pass others. */
export const takeRandom: Benchmark = {
  name: 'take/random',
  work: `${keysTaken.toLocaleString('en-US')} random rows of 1 M, all columns, by their keys; each pass takes others.`,
  data: [wideRows],
  sides: [spiral(), duckdb()],
  figures: [{ kind: 'ratio', of: 'spiral, verified', against: 'best peer', atLeast: 1 }],
};

/** Keys of each pass, not sorted; some may come twice. */
function keysOf(rows: number, seed: number): () => BigInt64Array {
  const next = numbersFrom(seed);
  return () => BigInt64Array.from({ length: Math.min(keysTaken, rows) }, () => BigInt(next() % rows));
}

function spiral(): Side {
  return {
    name: 'spiral, verified',
    open: async (scale): Promise<OpenSide> => {
      const client: Spiral = warehouse('wide');
      const scan = await client.scan(await client.project('bench').table('wide'));
      const keys = keysOf(scale.rows(wideRowCount), 1);
      return { pass: () => take(scan, keys()), close: () => client.close() };
    },
  };
}

async function take(scan: Scan, id: BigInt64Array): Promise<Pass> {
  const before = scan.metrics.bytes;
  let rows = 0;
  for await (const batch of scan.toRecordBatches({ keyTable: { id } })) rows += batch.numRows;
  if (rows !== id.length) throw new Error(`Expected ${id.length} rows, found ${rows}.`);
  return { rows, bytes: scan.metrics.bytes - before };
}

/** A join of the Parquet file with a table of the keys, which DuckDB answers by scanning what its statistics leave. */
function duckdb(): Side {
  return {
    name: 'DuckDB, Parquet',
    peer: true,
    open: async (scale): Promise<OpenSide> => {
      const { DuckDBInstance } = await importPeer<DuckDb>('@duckdb/node-api');
      const connection = await (await DuckDBInstance.create(':memory:')).connect();
      const keys = keysOf(scale.rows(wideRowCount), 1);
      const pass = async (): Promise<Pass> => {
        const values = [...keys()].join('), (');
        await connection.run(`CREATE OR REPLACE TEMP TABLE keys AS SELECT * FROM (VALUES (${values})) AS v(id)`);
        const sql = `SELECT w.* FROM keys k JOIN read_parquet('${wideParquet}') w ON w.id = k.id`;
        const rows = await drained(await connection.stream(sql));
        return { rows, bytes: rows * wideRowBytes };
      };
      return { pass, close: async () => connection.closeSync() };
    },
  };
}

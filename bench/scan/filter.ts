import type { Scan } from 'spiral-loader';
import type { Benchmark, OpenSide, Pass, Side } from '../benchmark.js';
import { warehouse } from '../data/data-set.js';
import { wideParquet, wideRowBytes, wideRowCount, wideRows } from '../data/wide-rows.js';
import { importPeer } from '../peers.js';
import { type DuckDb, drained } from './duckdb.js';

/** The filter's column: one that rows are sorted by, or one of random values. */
type By = 'id' | 'label';

/** Labels go from 0 to 999. */
const labels = 1000;
const times = 'bytes read, × least';

/** Reading all columns of some of the rows: rates are of rows that were filtered, not of those that are left. */
export function scanFilter(by: By, percent: number): Benchmark {
  const about = by === 'id' ? 'a range of the key' : 'labels below a limit, which lie anywhere';
  return {
    name: `scan/filter/${by}-${percent}`,
    work: `1 M rows of {id int64, vec float32[16], text ~200 B, label int32}, all columns of the ${percent} % with ${about}.`,
    data: [wideRows],
    sides: [spiral(by, percent), duckdb(by, percent)],
    figures: [
      { kind: 'ratio', of: 'spiral, verified', against: 'best peer', atLeast: 1 },
      ...(by === 'id' ? [{ kind: 'value', of: 'spiral, verified', value: times, atMost: 1.2 } as const] : []),
    ],
  };
}

/** Ids from the middle of all, or labels from 0. */
function rangeOf(by: By, percent: number, rows: number): [from: number, to: number] {
  if (by === 'label') return [0, (labels * percent) / 100];
  const from = Math.floor(rows * 0.4);
  return [from, from + Math.floor((rows * percent) / 100)];
}

function spiral(by: By, percent: number): Side {
  return {
    name: 'spiral, verified',
    open: async (scale): Promise<OpenSide> => {
      const rows = scale.rows(wideRowCount);
      const client = warehouse('wide');
      const table = await client.project('bench').table('wide');
      const [from, to] = rangeOf(by, percent, rows);
      const bounds = by === 'id' ? ([BigInt(from), BigInt(to)] as const) : ([from, to] as const);
      const where = table.col(by).gte(bounds[0]).and(table.col(by).lt(bounds[1]));
      const scan = await client.scan(table, { where });
      return { pass: () => readAll(scan, rows), close: () => client.close() };
    },
  };
}

async function readAll(scan: Scan, rows: number): Promise<Pass> {
  const before = scan.metrics.bytes;
  let survivors = 0;
  for await (const batch of scan.toRecordBatches()) survivors += batch.numRows;
  const bytes = scan.metrics.bytes - before;
  return { rows, bytes, values: { [times]: bytes / (survivors * wideRowBytes) } };
}

function duckdb(by: By, percent: number): Side {
  return {
    name: 'DuckDB, Parquet',
    peer: true,
    open: async (scale): Promise<OpenSide> => {
      const rows = scale.rows(wideRowCount);
      const { DuckDBInstance } = await importPeer<DuckDb>('@duckdb/node-api');
      const connection = await (await DuckDBInstance.create(':memory:')).connect();
      const [from, to] = rangeOf(by, percent, rows);
      const sql = `SELECT id, vec, text, label FROM read_parquet('${wideParquet}') WHERE ${by} >= ${from} AND ${by} < ${to}`;
      const pass = async (): Promise<Pass> => {
        const survivors = await drained(await connection.stream(sql));
        return { rows, bytes: survivors * wideRowBytes };
      };
      return { pass, close: async () => connection.closeSync() };
    },
  };
}

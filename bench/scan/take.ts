import type { Scan, Spiral } from 'spiral-loader';
import type { Benchmark, OpenSide, Pass, Side } from '../benchmark.js';
import { warehouse } from '../data/data-set.js';
import { numbersFrom } from '../data/numbers.js';
import { type LanceDb, wideLance, wideParquet, wideRowBytes, wideRowCount, wideRows } from '../data/wide-rows.js';
import { importPeer } from '../peers.js';
import { type DuckDb, drained } from './duckdb.js';

const keysTaken = 10_000;
const MiB = 2 ** 20;

const mainSide = 'spiral, verified';
const lanceSide = 'LanceDB, takeOffsets';

/** Rows by random keys, each pass others. */
export const takeRandom: Benchmark = {
  name: 'take/random',
  work: `${keysTaken.toLocaleString('en-US')} random rows of 1 M, all columns, by their keys; each pass takes others.`,
  data: [wideRows],
  sides: [spiral('others'), lance('others'), duckdb()],
  figures: [
    { kind: 'ratio', of: mainSide, against: lanceSide, atLeast: 1 },
    { kind: 'ratio', of: mainSide, against: 'best peer', atLeast: 1 },
  ],
};

/** The same rows again and again, and enough memory for the columns they are taken of. */
export const takeCached: Benchmark = {
  name: 'take/cached',
  work: `${keysTaken.toLocaleString('en-US')} random rows of 1 M, all columns, by their keys; each pass takes the same, with limits.block_cache_bytes of 512 MiB.`,
  data: [wideRows],
  sides: [spiral('same'), lance('same')],
  figures: [{ kind: 'ratio', of: mainSide, against: lanceSide, atLeast: 3 }],
};

/** Whether each pass takes other rows than the one before. */
type Rows = 'others' | 'same';

/** Keys of each pass, not sorted; some may come twice. */
function keysOf(rows: number, each: Rows): () => BigInt64Array {
  const next = numbersFrom(1);
  const draw = (): BigInt64Array =>
    BigInt64Array.from({ length: Math.min(keysTaken, rows) }, () => BigInt(next() % rows));
  if (each === 'others') return draw;
  const same = draw();
  return () => same;
}

function spiral(each: Rows): Side {
  return {
    name: mainSide,
    open: async (scale): Promise<OpenSide> => {
      const client: Spiral = warehouse('wide', { 'limits.block_cache_bytes': each === 'same' ? 512 * MiB : 0 });
      const scan = await client.scan(await client.project('bench').table('wide'));
      const keys = keysOf(scale.rows(wideRowCount), each);
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

/** Rows by where they stand, which keys are here: no index of keys is asked. A row that is asked for twice comes once. */
function lance(each: Rows): Side {
  return {
    name: lanceSide,
    peer: true,
    open: async (scale): Promise<OpenSide> => {
      const { connect } = await importPeer<LanceDb>('@lancedb/lancedb');
      const table = await (await connect(wideLance)).openTable('wide');
      const keys = keysOf(scale.rows(wideRowCount), each);
      const pass = async (): Promise<Pass> => {
        const offsets = Array.from(keys(), Number);
        const { numRows } = await table.takeOffsets(offsets).toArrow();
        const wanted = new Set(offsets).size;
        if (numRows < wanted) throw new Error(`Expected ${wanted} rows, found ${numRows}.`);
        return { rows: offsets.length, bytes: numRows * wideRowBytes };
      };
      return { pass };
    },
  };
}

/** A join of the Parquet file with a table of the keys, which DuckDB answers by scanning what its statistics leave. */
function duckdb(): Side {
  return {
    name: 'DuckDB, Parquet',
    peer: true,
    open: async (scale): Promise<OpenSide> => {
      const { DuckDBInstance } = await importPeer<DuckDb>('@duckdb/node-api');
      const connection = await (await DuckDBInstance.create(':memory:')).connect();
      const keys = keysOf(scale.rows(wideRowCount), 'others');
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

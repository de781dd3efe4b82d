import { readFile } from 'node:fs/promises';
import { tableFromIPC } from 'apache-arrow';
import type { OpenSide, Pass, Side } from '../benchmark.js';
import { wideIpcFiles, wideParquet, wideRowBytes } from '../data/wide-rows.js';
import { importPeer } from '../peers.js';
import { type DuckDb, drained } from './duckdb.js';

/** What a scan is asked for: all columns, or the label alone. */
export type Wanted = 'all columns' | 'label';

const names: Record<Wanted, readonly string[]> = {
  'all columns': ['id', 'vec', 'text', 'label'],
  label: ['label'],
};
const rowBytes: Record<Wanted, number> = { 'all columns': wideRowBytes, label: 4 };

/** Other readers of the same rows, each asked for its own fastest form of all values in memory. */
export function peerReaders(wanted: Wanted): Side[] {
  return [polarsIpc(wanted), polarsParquet(wanted), duckdb(wanted), hyparquet(wanted), parquetWasm(wanted)];
}

function peer(name: string, wanted: Wanted, open: () => Promise<{ read(): Promise<number>; close?(): void }>): Side {
  return {
    name,
    peer: true,
    open: async (): Promise<OpenSide> => {
      const { read, close } = await open();
      const pass = async (): Promise<Pass> => {
        const rows = await read();
        return { rows, bytes: rows * rowBytes[wanted] };
      };
      return { pass, close: async () => close?.() };
    },
  };
}

interface Frame {
  readonly height: number;
  getColumn(name: string): { toTypedArray(): ArrayLike<number> };
}
interface Polars {
  readonly default: {
    readIPC(path: string, options: { columns: readonly string[] }): Frame;
    readParquet(path: string, options: { columns: readonly string[] }): Frame;
  };
}

/** Into memory of polars' own; a single column of numbers is then a typed array. */
function polarsIpc(wanted: Wanted): Side {
  return peer('polars, Arrow IPC', wanted, async () => {
    const { default: polars } = await importPeer<Polars>('nodejs-polars');
    const files = wideIpcFiles();
    const read = async (): Promise<number> => {
      const frames = files.map((file) => polars.readIPC(file, { columns: names[wanted] }));
      return frames.reduce((rows, frame) => rows + counted(frame, wanted), 0);
    };
    return { read };
  });
}

function polarsParquet(wanted: Wanted): Side {
  return peer('polars, Parquet', wanted, async () => {
    const { default: polars } = await importPeer<Polars>('nodejs-polars');
    const read = async (): Promise<number> =>
      counted(polars.readParquet(wideParquet, { columns: names[wanted] }), wanted);
    return { read };
  });
}

function counted(frame: Frame, wanted: Wanted): number {
  return wanted === 'label' ? frame.getColumn('label').toTypedArray().length : frame.height;
}

/** Chunk by chunk, each column as the vector that the client has for it; no value is turned into a JavaScript one. */
function duckdb(wanted: Wanted): Side {
  return peer('DuckDB, Parquet', wanted, async () => {
    const { DuckDBInstance } = await importPeer<DuckDb>('@duckdb/node-api');
    const connection = await (await DuckDBInstance.create(':memory:')).connect();
    const sql = `SELECT ${names[wanted].join(', ')} FROM read_parquet('${wideParquet}')`;
    const read = async (): Promise<number> => {
      return drained(await connection.stream(sql));
    };
    return { read, close: () => connection.closeSync() };
  });
}

interface Hyparquet {
  asyncBufferFromFile(path: string): Promise<object>;
  parquetRead(options: {
    file: object;
    columns: readonly string[];
    onChunk: (chunk: { columnName: string; columnData: ArrayLike<unknown> }) => void;
  }): Promise<void>;
}

/** Column chunks, decoded into arrays. */
export function hyparquet(wanted: Wanted): Side {
  return peer('hyparquet, Parquet', wanted, async () => {
    const { asyncBufferFromFile, parquetRead } = await importPeer<Hyparquet>('hyparquet');
    const read = async (): Promise<number> => {
      let rows = 0;
      await parquetRead({
        file: await asyncBufferFromFile(wideParquet),
        columns: names[wanted],
        onChunk: ({ columnName, columnData }) => {
          if (columnName === 'label') rows += columnData.length;
        },
      });
      return rows;
    };
    return { read };
  });
}

interface ParquetWasm {
  readParquet(
    file: Uint8Array,
    options: { columns: readonly string[]; batchSize: number },
  ): {
    intoIPCStream(): Uint8Array;
  };
}

/** Out of the memory of WebAssembly, as an Arrow table. */
function parquetWasm(wanted: Wanted): Side {
  return peer('parquet-wasm, Parquet', wanted, async () => {
    const { readParquet } = await importPeer<ParquetWasm>('parquet-wasm');
    const read = async (): Promise<number> => {
      const file = await readFile(wideParquet);
      const table = readParquet(file, { columns: names[wanted], batchSize: 8192 });
      return tableFromIPC(table.intoIPCStream()).numRows;
    };
    return { read };
  });
}

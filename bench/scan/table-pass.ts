import type { Scan } from 'spiral-loader';
import type { OpenSide, Pass, Side } from '../benchmark.js';
import { scanOf, warehouse } from '../data/data-set.js';

/** Reads every record batch of `columns` of a data set; a client that lasts has verified its files in the first pass. */
export function warmScan(table: string, columns?: readonly string[]): Side {
  return {
    name: 'spiral, verified',
    open: async (): Promise<OpenSide> => {
      const spiral = warehouse(table);
      const scan = await scanOf(spiral, table, columns);
      return { pass: () => readAll(scan), close: () => spiral.close() };
    },
  };
}

/** The same with a new client each pass: it opens the table and verifies every checksum. */
export function firstScan(table: string, columns?: readonly string[]): Side {
  return {
    name: 'spiral, first pass',
    open: async (): Promise<OpenSide> => ({
      pass: async () => {
        await using spiral = warehouse(table);
        return await readAll(await scanOf(spiral, table, columns));
      },
    }),
  };
}

async function readAll(scan: Scan): Promise<Pass> {
  const before = scan.metrics.bytes;
  let rows = 0;
  for await (const batch of scan.toRecordBatches()) rows += batch.numRows;
  return { rows, bytes: scan.metrics.bytes - before };
}

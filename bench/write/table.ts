import { once } from 'node:events';
import { createWriteStream, mkdirSync, rmSync } from 'node:fs';
import { type RecordBatch, RecordBatchFileWriter } from 'apache-arrow';
import { Spiral } from 'spiral-loader';
import type { Benchmark, OpenSide, Scale, Side } from '../benchmark.js';
import { dataFolder } from '../data/data-set.js';
import { wideBatches, wideRowBytes, wideRowCount } from '../data/wide-rows.js';

/** Writing a table of rows that are in memory as record batches. */
export const writeTable: Benchmark = {
  name: 'write/table',
  work: '1 M rows of {id int64, vec float32[16], text ~200 B, label int32}, in memory as record batches of 50,000, to files.',
  data: [],
  sides: [
    spiral('spiral', (batches) => batches),
    spiral('spiral, batches in reverse', (batches) => [...batches].reverse()),
    arrowWriter('apache-arrow writer', false),
    arrowWriter('apache-arrow writer, fsync', true),
  ],
  figures: [{ kind: 'ratio', of: 'spiral', against: 'apache-arrow writer, fsync', atLeast: 0.4 }],
};

/** A new table each pass: sorted, checked for duplicates, with checksums and statistics, durable when it counts. */
function spiral(name: string, order: (batches: readonly RecordBatch[]) => readonly RecordBatch[]): Side {
  return writer(name, async (folder, batches) => {
    await using client = new Spiral({ config: { 'warehouse.uri': folder } });
    const project = await client.createProject('bench');
    const table = await project.createTable('wide', { keySchema: { id: 'int64' } });
    await table.write(order(batches));
  });
}

/** apache-arrow's file writer into a stream of the file system. */
function arrowWriter(name: string, isDurable: boolean): Side {
  return writer(name, async (folder, batches) => {
    const file = createWriteStream(`${folder}/wide.arrow`, { highWaterMark: 1 << 22, flush: isDurable });
    const bytes = RecordBatchFileWriter.writeAll(batches);
    for await (const piece of bytes) if (!file.write(piece)) await once(file, 'drain');
    file.end();
    await once(file, 'close');
  });
}

function writer(name: string, write: (folder: string, batches: readonly RecordBatch[]) => Promise<void>): Side {
  return {
    name,
    open: async (scale: Scale): Promise<OpenSide> => {
      const batches = [...wideBatches(scale.rows(wideRowCount), BigInt)];
      const rows = batches.reduce((sum, batch) => sum + batch.numRows, 0);
      const folder = `${dataFolder}${name.replaceAll(/\W+/g, '-')}`;
      return {
        pass: async () => {
          rmSync(folder, { recursive: true, force: true });
          mkdirSync(folder, { recursive: true });
          await write(folder, batches);
          return { rows, bytes: rows * wideRowBytes };
        },
        close: async () => rmSync(folder, { recursive: true, force: true }),
      };
    },
  };
}

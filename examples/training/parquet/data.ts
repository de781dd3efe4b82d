import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { readIdx } from '../mnist/idx-file.js';

const pixels = 784;
const rowsPerFile = 10_000;

/**
 * A folder of Parquet files with the first `rows` images of MNIST's part, made with DuckDB where it is not there: `{ image:
 * blob of 784 bytes, label: utinyint }`, in row groups of 2,048 rows.
 */
export async function parquetFolder(dir: string, part: 'train' | 't10k', rows: number): Promise<string> {
  const folder = join(dir, `${part}_${rows}`);
  if (existsSync(folder)) return folder;
  // A run that is killed in between leaves a folder of another name.
  const unfinished = `${folder}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  const images = readIdx(`${part}-images-idx3-ubyte`);
  const labels = readIdx(`${part}-labels-idx1-ubyte`);
  const connection = await (await DuckDBInstance.create()).connect();
  for (let from = 0; from < rows; from += rowsPerFile) {
    await connection.run('create or replace table part (image blob, label utinyint)');
    const appender = await connection.createAppender('part');
    for (let row = from; row < Math.min(rows, from + rowsPerFile); row++) {
      appender.appendBlob(images.bytes.subarray(row * pixels, (row + 1) * pixels));
      appender.appendUTinyInt(labels.bytes[row]!);
      appender.endRow();
    }
    appender.closeSync();
    const file = join(unfinished, `part-${String(from / rowsPerFile).padStart(3, '0')}.parquet`);
    await connection.run(`copy part to '${file}' (format parquet, codec zstd, row_group_size 2048)`);
  }
  connection.closeSync();
  renameSync(unfinished, folder);
  return folder;
}

import type { RecordBatch } from 'apache-arrow';
import { batchRows } from '../../src/arrow/rows.js';
import { spiralAt } from '../client/spiral-at.js';
import { duck, plainOf } from './duck.js';
import { type Plain, plainDuck } from './plain-value.js';

/** The rows of the Parquet file at `path` as `spiral.files` gives them, as plain values. */
async function* ourRows(path: string): AsyncGenerator<Plain[], void, undefined> {
  await using spiral = spiralAt();
  const files = await spiral.files(path);
  for await (const batch of (await spiral.scan(files)).toRecordBatches()) {
    for (const row of batchRows(batch as RecordBatch)) yield plainOf(row, files.schema);
  }
}

/** The same as DuckDB gives them. */
async function* duckFileRows(path: string): AsyncGenerator<Plain[], void, undefined> {
  const result = await (await duck()).stream(`select * from read_parquet('${path}')`);
  for (;;) {
    const chunk = await result.fetchChunk();
    if (!chunk || chunk.rowCount === 0) return;
    for (const row of chunk.getRows()) yield row.map(plainDuck);
  }
}

/**
 * Reads a file row by row with both readers, so that one of millions of rows takes no memory.
 * @returns how many rows are equal, and the first that is not, as each has it.
 */
export async function compareWithDuck(path: string): Promise<{ rows: number; difference: (Plain[] | undefined)[] }> {
  const [ours, theirs] = [ourRows(path), duckFileRows(path)];
  for (let rows = 0; ; rows++) {
    const [our, their] = [await ours.next(), await theirs.next()];
    if (our.done && their.done) return { rows, difference: [] };
    const pair = [our.value ?? undefined, their.value ?? undefined];
    if (JSON.stringify(pair[0]) !== JSON.stringify(pair[1])) {
      await Promise.all([ours.return(), theirs.return()]);
      return { rows, difference: pair };
    }
  }
}

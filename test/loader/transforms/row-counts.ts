import type { RecordBatch } from 'apache-arrow';

/** How many rows a batch has. */
export function rowCount(batch: RecordBatch): number {
  return batch.numRows;
}

import type { RecordBatch } from 'apache-arrow';

/** The column `row` of a batch. */
export function rowNumbers(batch: RecordBatch): Int32Array {
  return Int32Array.from(batch.getChild('row')!.toArray() as Int32Array);
}

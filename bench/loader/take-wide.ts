import type { RecordBatch } from 'apache-arrow';
import type { Taken } from './drained.js';

/** What a batch of the wide rows counts for: 80 bytes a row and its text. */
export function takeWide(batch: RecordBatch): Taken {
  const [, , text] = batch.data.children;
  const rows = batch.numRows;
  return { rows, bytes: rows * 80 + (text!.valueOffsets as Int32Array)[rows]! };
}

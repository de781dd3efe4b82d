import type { RecordBatch } from 'apache-arrow';
import type { Taken } from './drained.js';

/** What a batch of the wide rows counts for: 80 bytes a row and its text. */
export function takeWide(batch: RecordBatch): Taken {
  const [, , text] = batch.data.children;
  const rows = batch.numRows;
  const offsets = text!.valueOffsets as Int32Array;
  return { rows, bytes: rows * 80 + offsets[rows]! - offsets[0]! };
}

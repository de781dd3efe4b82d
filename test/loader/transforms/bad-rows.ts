import type { RecordBatch } from 'apache-arrow';
import type { TransformContext } from '../../../src/loader/transform.js';
import { type Told, tell } from './samples.js';

/** The rows, as `shard:row` of their data, on which the transforms of this file throw: set by the test, for all threads. */
export function setBadRows(keys: readonly string[]): void {
  process.env['SPIRAL_TEST_BAD_ROWS'] = keys.join(',');
}

/** As {@link tell}, but it throws on a batch with a bad row; an error that names a column where the row is even. */
export async function tellGood(batch: RecordBatch, context: TransformContext): Promise<Told> {
  const bad = new Set(process.env['SPIRAL_TEST_BAD_ROWS']?.split(','));
  const [shard, row] = [batch.getChild('shard')!, batch.getChild('row')!];
  for (let at = 0; at < batch.numRows; at++) {
    const key = `${shard.get(at)}:${row.get(at)}`;
    if (!bad.has(key)) continue;
    if (row.get(at) % 2 === 1) throw new RangeError(`cannot decode ${key}`);
    throw Object.assign(new Error(`cannot decode ${key}`), { column: 'text' });
  }
  return tell(batch, context);
}

/** Throws on any batch of more than one row. */
export function tellAlone(batch: RecordBatch, context: TransformContext): Told {
  if (batch.numRows > 1) throw new Error('too much at once');
  return tell(batch, context);
}

/** Throws on bad rows, and on batches of three rows whatever they hold. */
export async function failsOnThree(batch: RecordBatch, context: TransformContext): Promise<Told> {
  if (batch.numRows === 3) throw new Error('three are refused');
  return tellGood(batch, context);
}

/** Returns nothing for a batch with a bad row. */
export async function nothingForBad(batch: RecordBatch, context: TransformContext): Promise<Told | undefined> {
  return tellGood(batch, context).catch(() => undefined);
}

/** Ends its thread on a batch with a bad row. */
export async function dieOfBad(batch: RecordBatch, context: TransformContext): Promise<Told> {
  return tellGood(batch, context).catch(() => process.exit(9));
}

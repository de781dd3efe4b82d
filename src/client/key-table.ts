import { type RecordBatch, RecordBatchReader, Table } from 'apache-arrow';
import { BatchReader } from '../arrow/batch-reader.js';
import { sliceBatch } from '../arrow/record-batch.js';
import { type RowsLike, toBatches } from '../arrow/rows-like.js';
import { toSchema } from '../arrow/schema.js';
import { SpiralError } from '../core/errors.js';
import { keyRowsDefault } from '../core/limits.js';
import type { QueryPlan } from '../scan/query-plan.js';

/** Keys of rows to take, with columns that auxiliary expressions read: rows in any of the forms that `write` takes. */
export type KeyTable = RowsLike;

/**
 * `keys` in the batches in which they are looked up: those of a reader (any stream) as they come, else `batchSize` of them
 * together, default 65,536.
 *
 * @throws SpiralError `invalid_argument` for a `batchSize` with a reader; while reading, `invalid_rows` and what the reader
 * ends with.
 */
export function keyBatches(
  keys: KeyTable,
  { keySchema, aux, tableName }: QueryPlan,
  batchSize: number | undefined,
): AsyncIterable<RecordBatch> {
  const isReader = isStream(keys);
  if (isReader && batchSize !== undefined) {
    throw new SpiralError(
      'invalid_argument',
      `Expected no \`batchSize\` with a stream of keys, whose own batches are kept, got ${batchSize}. Leave it out, or pass a ` +
        'table.',
      { details: { name: 'batchSize', found: batchSize } },
    );
  }
  const types = new Map([
    ...keySchema.fields.map((field) => [field.name, field.type] as const),
    ...[...aux].filter(([name]) => !keySchema.names.includes(name)),
  ]);
  const what = `the key table for ${tableName}`;
  const batches = toBatches(keys, toSchema([...types], what), what);
  return isReader ? batches : cutBatches(batches, batchSize ?? keyRowsDefault);
}

function isStream(keys: KeyTable): boolean {
  if (keys instanceof BatchReader || keys instanceof RecordBatchReader) return true;
  return typeof keys === 'object' && keys !== null && !(keys instanceof Table) && Symbol.asyncIterator in keys;
}

async function* cutBatches(batches: AsyncIterable<RecordBatch>, rows: number): AsyncGenerator<RecordBatch, void> {
  for await (const batch of batches) {
    for (let from = 0; from < batch.numRows; from += rows) {
      yield sliceBatch(batch, from, Math.min(rows, batch.numRows - from));
    }
  }
}

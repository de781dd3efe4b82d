import type { RecordBatch } from 'apache-arrow';
import { batchRows } from '../../arrow/rows.js';
import { SpiralError } from '../../core/errors.js';
import type { Sample } from '../writing/shard-layout.js';

/**
 * The rows of `batch` as objects, 64-bit integers as `int64` says.
 *
 * @throws SpiralError `value_out_of_range` for an integer that a number cannot hold exactly.
 */
export function plainSamples(batch: RecordBatch, int64: 'bigint' | 'number'): Sample[] {
  const samples = batchRows(batch);
  if (int64 === 'bigint' || !batch.schema.fields.some(({ type }) => /int64/i.test(String(type)))) return samples;
  for (const sample of samples) {
    for (const [name, value] of Object.entries(sample)) sample[name] = numbered(value, name);
  }
  return samples;
}

function numbered(value: unknown, column: string): unknown {
  if (typeof value === 'bigint') return exact(value, column);
  if (value instanceof BigInt64Array || value instanceof BigUint64Array) {
    return Float64Array.from(value as Iterable<bigint>, (one) => exact(one, column));
  }
  if (Array.isArray(value)) return value.map((one) => numbered(one, column));
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, numbered(one, column)]));
}

function exact(value: bigint, column: string): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw new SpiralError(
    'value_out_of_range',
    `Expected integers of column '${column}' that a number holds exactly, got ${value}. Leave out \`int64: 'number'\`.`,
    { details: { column, found: String(value) } },
  );
}

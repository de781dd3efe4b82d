import { toWire, type WireError } from '../core/error-wire.js';
import { isSpiralError } from '../core/errors.js';
import type { RowIds } from './row-ids.js';

/** A row that is skipped, and why; it crosses between threads as it is. */
export interface BadRow {
  /** Its place among the rows that it was found in, skipped ones counted. */
  readonly at: number;
  /** Number of its shard in the global list, and physical row of that shard. */
  readonly shard: number;
  readonly row: number;
  readonly error: WireError;
}

/** Bad rows where there are none. */
export const noBadRows: readonly BadRow[] = [];

/** Row `at` of those that `rowIds` names, which `error` is about. */
export function badRow(rowIds: RowIds, at: number, error: unknown): BadRow {
  return { at, shard: rowIds.shards[at]!, row: rowIds.rows[at]!, error: toWire(error) };
}

/** Whether `error` says that stored bytes are not what was written: the rows in them are bad, others may be good. */
export function isDamage(error: unknown): boolean {
  return isSpiralError(error, 'corrupt_file');
}

/** The numbers below `length` at which none of `bad` stands. */
export function goodPlaces(length: number, bad: readonly BadRow[]): Int32Array {
  const wrong = new Set(bad.map(({ at }) => at));
  return Int32Array.from(Array.from({ length }, (_, at) => at).filter((at) => !wrong.has(at)));
}

/** The column that the error of a row names, if it names one. */
export function badColumn({ error }: BadRow): string | undefined {
  for (let of: WireError | undefined = error; of !== undefined; of = of.cause) {
    const column = of.details?.['column'];
    if (typeof column === 'string') return column;
  }
  return undefined;
}

/** Why the row is bad: what the transform threw, or how its bytes are damaged. */
export function badCause({ error }: BadRow): string {
  return error.code === 'transform_failed' && error.cause !== undefined ? error.cause.message : error.message;
}

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
  /** The column that is to blame, where the error names one. */
  readonly column: string | undefined;
  readonly error: WireError;
}

/** Bad rows where there are none. */
export const noBadRows: readonly BadRow[] = [];

/** Row `at` of those that `rowIds` names, which `error` is about. */
export function badRow(rowIds: RowIds, at: number, error: unknown): BadRow {
  return { at, shard: rowIds.shards[at]!, row: rowIds.rows[at]!, column: columnOf(error), error: toWire(error) };
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

/** Errors followed down to one that names a column. */
const causesMax = 8;

/** The column that `error` or one of its causes names: as `column`, or in its details. */
export function columnOf(error: unknown): string | undefined {
  let of = error;
  for (let depth = 0; depth < causesMax && of instanceof Error; depth++) {
    const { column, details } = of as { column?: unknown; details?: { column?: unknown } };
    const named = column ?? details?.column;
    if (typeof named === 'string') return named;
    of = of.cause;
  }
  return undefined;
}

/** Why the row is bad: what the transform threw, or how its bytes are damaged. */
export function badCause({ error }: BadRow): string {
  return error.code === 'transform_failed' && error.cause !== undefined ? error.cause.message : error.message;
}

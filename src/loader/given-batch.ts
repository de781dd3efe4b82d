import { type BadRow, goodPlaces } from './bad-row.js';
import { withoutBadRows } from './good-rows.js';
import type { LoaderSettings } from './options.js';
import { openResult } from './packed-result.js';
import { badRowsMax } from './row-errors.js';
import { pickRowIds, type RowIds } from './row-ids.js';
import type { SuppliedBatch } from './supply.js';
import { type InlineTransform, transformContext, transformed } from './transform.js';

/** A batch as the consumer gets it; null: it is dropped, by its transform or as none of its rows is good. */
export interface GivenBatch<T> {
  readonly value: T | null;
  /** Rows that the value is made of. */
  readonly rowIds: RowIds;
  /** Rows that were skipped. */
  readonly bad: readonly BadRow[];
}

/** What is given for `supplied`, which is batch `place`: opened where it was mapped, else transformed on this thread. */
export async function givenBatch<T>(
  supplied: SuppliedBatch,
  transform: InlineTransform<T> | undefined,
  { seed, rowErrors, world }: LoaderSettings,
  place: { readonly epoch: number; readonly step: number },
  signal: AbortSignal,
): Promise<GivenBatch<T>> {
  const { rowIds, bad } = supplied;
  if ('mapped' in supplied) {
    const value = supplied.mapped === null ? null : (openResult(supplied.mapped) as T);
    return { value, rowIds, bad };
  }
  const { batch } = supplied;
  if (rowIds.length === 0) return { value: null, rowIds, bad };
  if (transform === undefined) return { value: batch as T, rowIds, bad };
  const contextOf = (ids: RowIds) => transformContext(seed, { ...place, rank: world.rank }, ids);
  const { result, bad: failed } = await withoutBadRows(
    (rows, context) => transformed(transform, rows, context),
    { batch, rowIds, contextOf },
    badRowsMax(rowErrors),
    signal,
  );
  if (failed.length === 0) return { value: result, rowIds, bad };
  const good = pickRowIds(rowIds, goodPlaces(rowIds.length, failed));
  return { value: result, rowIds: good, bad: [...bad, ...failed] };
}

import type { RecordBatch } from 'apache-arrow';
import { gatherRows } from '../arrow/gather.js';
import { isSpiralError, SpiralError } from '../core/errors.js';
import { type BadRow, badRow, goodPlaces, noBadRows } from './bad-row.js';
import { pickRowIds, type RowIds } from './row-ids.js';
import type { TransformContext } from './transform.js';

/** Runs a transform, with its errors as `transformed` throws them. */
export type Run<R> = (batch: RecordBatch, context: TransformContext) => Promise<R | null>;

/** A batch for a transform, and the context of any of its rows. */
export interface GivenRows {
  readonly batch: RecordBatch;
  readonly rowIds: RowIds;
  contextOf(rowIds: RowIds): TransformContext;
}

/** What a transform made of a batch without its bad rows; null: nothing, or none was left. */
export interface GoodResult<R> {
  readonly result: R | null;
  readonly bad: readonly BadRow[];
}

/**
 * What `run` makes of the batch. Where it throws, the rows that it throws on are searched by halves, each half a copy of its
 * own, and it is run once more on the others together; so it sees good rows several times. More than `badRowsMax` bad rows
 * are not searched for, and leave no result.
 *
 * @throws what `run` threw, where no row by itself is to blame, where the other rows fail too, or with `badRowsMax: 0`.
 */
export async function withoutBadRows<R>(
  run: Run<R>,
  given: GivenRows,
  badRowsMax: number,
  signal?: AbortSignal,
): Promise<GoodResult<R>> {
  const { batch, rowIds, contextOf } = given;
  try {
    return { result: await run(batch, contextOf(rowIds)), bad: noBadRows };
  } catch (error) {
    if (badRowsMax === 0 || !isRowError(error)) throw error;
    const search = new Search(run, given, badRowsMax, signal);
    await search.narrow(0, rowIds.length, error);
    const { bad } = search;
    if (bad.length === 0) throw error;
    const good = goodPlaces(rowIds.length, bad);
    if (bad.length > badRowsMax || good.length === 0) return { result: null, bad };
    return { result: await search.run(good), bad };
  }
}

/** Whether a row can be to blame: the transform threw. A wrong result, a death or a hang is the transform's own. */
function isRowError(error: unknown): boolean {
  return isSpiralError(error, 'transform_failed');
}

class Search<R> {
  readonly bad: BadRow[] = [];
  readonly #run: Run<R>;
  readonly #given: GivenRows;
  readonly #most: number;
  readonly #signal: AbortSignal | undefined;

  constructor(run: Run<R>, given: GivenRows, most: number, signal: AbortSignal | undefined) {
    this.#run = run;
    this.#given = given;
    this.#most = most;
    this.#signal = signal;
  }

  run(places: Int32Array): Promise<R | null> {
    if (this.#signal?.aborted) throw new SpiralError('cancelled', 'The search for bad rows was stopped.');
    const { batch, rowIds, contextOf } = this.#given;
    return this.#run(gatherRows(batch, places), contextOf(pickRowIds(rowIds, places)));
  }

  /** Finds the bad ones among rows `from … to`, on which together the transform threw `error`. */
  async narrow(from: number, to: number, error: unknown): Promise<void> {
    if (to - from === 1) {
      this.bad.push(badRow(this.#given.rowIds, from, error));
      return;
    }
    const middle = (from + to) >> 1;
    for (const [start, end] of [
      [from, middle],
      [middle, to],
    ] as const) {
      if (this.bad.length > this.#most) return;
      const thrown = await this.#thrown(start, end);
      if (thrown !== undefined) await this.narrow(start, end, thrown);
    }
  }

  async #thrown(from: number, to: number): Promise<unknown> {
    try {
      await this.run(Int32Array.from({ length: to - from }, (_, at) => from + at));
      return undefined;
    } catch (error) {
      if (isRowError(error)) return error;
      throw error;
    }
  }
}

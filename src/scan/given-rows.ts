import type { RecordBatch } from 'apache-arrow';
import { batchSources, gatherBatch } from '../arrow/gather.js';
import { allRanges } from '../arrow/ranges.js';
import { recordBatch } from '../arrow/record-batch.js';
import { listed } from '../core/check.js';
import { SpiralError } from '../core/errors.js';
import type { Effects } from './effects.js';
import type { NumberedColumns } from './filterable-rows.js';
import type { QueryPlan } from './query-plan.js';
import type { Stretch } from './set-reader.js';

/** Rows of a part or of a file that a scan gives, before its projection. */
export interface GivenColumns {
  readonly count: number;
  /** Where each of them stood, counted from the first row asked for; undefined where none is left out. */
  readonly rows: Int32Array | undefined;
  readonly columns: NumberedColumns;
}

/** What the projection of `plan` makes of rows. */
async function projected(
  plan: QueryPlan,
  effects: Effects,
  { count, columns }: GivenColumns,
  signal: AbortSignal | undefined,
): Promise<RecordBatch> {
  const parts = await effects.evaluate(plan.outputs.parts, { rows: count, columns }, signal);
  return recordBatch(plan.schema, parts, count);
}

/** Rows of several pieces as one batch, and where they stood, counted from the first row of the first. */
export async function joinedRows(
  plan: QueryPlan,
  effects: Effects,
  given: readonly GivenColumns[],
  pieces: readonly Stretch[],
  signal: AbortSignal | undefined,
): Promise<{ batch: RecordBatch; rows: Int32Array | undefined }> {
  const batches = await Promise.all(given.map((one) => projected(plan, effects, one, signal)));
  const rows = given.every((one) => one.rows === undefined)
    ? undefined
    : shifted(
        given.map((one) => one.rows ?? Int32Array.from({ length: one.count }, (_, at) => at)),
        pieces,
      );
  if (batches.length === 1) return { batch: batches[0]!, rows };
  const { schema } = plan;
  const ranges = allRanges(batches.map((batch) => batch.numRows));
  return { batch: gatherBatch(schema, batchSources(schema, batches), ranges), rows };
}

/** Row numbers within each of `pieces` as numbers within all of them. */
export function shifted(found: readonly Int32Array[], pieces: readonly Stretch[]): Int32Array {
  const rows = new Int32Array(found.reduce((sum, { length }) => sum + length, 0));
  let [at, start] = [0, 0];
  for (const [number, own] of found.entries()) {
    for (const row of own) rows[at++] = start + row;
    start += pieces[number]!.to - pieces[number]!.from;
  }
  return rows;
}

/** @throws SpiralError `invalid_expression` where rows are not taken by a key table, but expressions need its columns. */
export function refuseAux({ aux, tableName }: QueryPlan): void {
  if (aux.size === 0) return;
  throw new SpiralError(
    'invalid_expression',
    `Expected a key table with the auxiliary columns ${listed([...aux.keys()], 'and')}, which the scan of ${tableName} reads, got none. ` +
      'Pass `keyTable`.',
    { details: { table: tableName, aux: [...aux.keys()] } },
  );
}

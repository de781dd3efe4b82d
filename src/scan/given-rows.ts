import type { Data, RecordBatch } from 'apache-arrow';
import { batchSources, gatherBatch } from '../arrow/gather.js';
import { allRanges } from '../arrow/ranges.js';
import { recordBatch } from '../arrow/record-batch.js';
import { listed } from '../core/check.js';
import { SpiralError } from '../core/errors.js';
import { evaluate } from '../expr/evaluate.js';
import { type FilteredReading, readSurvivors } from './filtered-reader.js';
import type { Part } from './part.js';
import { readPart } from './part-reader.js';
import type { ScanPlan } from './plan.js';
import type { PartOptions, PartReading, Stretch } from './set-reader.js';

/** Rows of a part that a scan gives, before its projection. */
export interface GivenColumns {
  readonly count: number;
  /** Where each of them stood, counted from the first row asked for; undefined where none is left out. */
  readonly rows: Int32Array | undefined;
  /** By column number. */
  readonly columns: ReadonlyMap<number, Data>;
}

/** Those of rows `from … to` of `part` that survive the filter, if there is one, with the columns of `reading`. */
export async function readGiven(
  reading: PartReading,
  filtered: FilteredReading | undefined,
  part: Part,
  { from, to }: Stretch,
  options: PartOptions | undefined,
): Promise<GivenColumns> {
  if (filtered !== undefined) return readSurvivors(filtered, part, from, to, options);
  const data = await readPart(reading, part, from, to, options);
  const columns = new Map(reading.plan.columns.map(({ id }, slot) => [id, data[slot]!]));
  return { count: to - from, rows: undefined, columns };
}

/** What the projection of `plan` makes of rows. */
export function projected(plan: ScanPlan, { count, columns }: Omit<GivenColumns, 'rows'>): RecordBatch {
  const parts = plan.outputs.parts.map((part) => evaluate(part, { rows: count, columns }));
  return recordBatch(plan.schema, parts, count);
}

/** Rows of several pieces as one batch, and where they stood, counted from the first row of the first. */
export function joinedRows(
  plan: ScanPlan,
  given: readonly GivenColumns[],
  pieces: readonly Stretch[],
): { batch: RecordBatch; rows: Int32Array | undefined } {
  const batches = given.map((one) => projected(plan, one));
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
export function refuseAux({ aux, tableName }: ScanPlan): void {
  if (aux.size === 0) return;
  throw new SpiralError(
    'invalid_expression',
    `Expected a key table with the auxiliary columns ${listed([...aux.keys()], 'and')}, which the scan of ${tableName} reads, got none. ` +
      'Pass `keyTable`.',
    { details: { table: tableName, aux: [...aux.keys()] } },
  );
}

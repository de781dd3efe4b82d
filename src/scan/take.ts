import type { Data, DataType, RecordBatch } from 'apache-arrow';
import { gatherColumn } from '../arrow/gather.js';
import { nullColumn } from '../arrow/nulls.js';
import { rowRanges } from '../arrow/ranges.js';
import { recordBatch } from '../arrow/record-batch.js';
import { sameType } from '../arrow/schema.js';
import { columnSources } from '../arrow/sources.js';
import { typeWords } from '../arrow/words.js';
import { listed } from '../core/check.js';
import { SpiralError } from '../core/errors.js';
import { type Column, pathText } from '../table/column.js';
import { type EncodedKeys, encodeKeys } from '../table/key-codec.js';
import type { Effects } from './effects.js';
import type { NumberedColumns } from './filterable-rows.js';
import type { FoundRows } from './key-blocks.js';
import type { QueryPlan } from './query-plan.js';
import type { PartOptions } from './set-reader.js';

/** What taking rows by their keys needs. */
export interface Taking {
  readonly plan: QueryPlan;
  readonly effects: Effects;
  /** The columns that outputs and filter read, with their types. */
  readonly columns: readonly { readonly id: number; readonly type: DataType }[];
  /** Where the rows with some keys are; of these the codes, and the columns. */
  find(codes: EncodedKeys, keys: readonly Data[], options: PartOptions): Promise<FoundRows>;
  /** Rows of part number `part`, ascending: the columns. */
  pick(part: number, rows: Int32Array, options: PartOptions): Promise<NumberedColumns>;
}

/**
 * The rows with the keys of `table`, in its order, as often as they are in there; keys without a row, or with one that does
 * not survive the filter, are left out. Its columns beside the keys are what `aux` names.
 *
 * @throws SpiralError `invalid_key` for a key column that is missing, of another type or null in a row;
 * `invalid_expression` and `type_mismatch` for an auxiliary column that is missing or of another type.
 */
export async function takeRows(taking: Taking, table: RecordBatch, options: PartOptions = {}): Promise<RecordBatch> {
  const { plan, effects } = taking;
  const keys = plan.keys.map((key) => keyColumn(plan, table, key));
  const aux = new Map<string, Data>(Array.from(plan.aux, ([name, type]) => [name, auxColumn(plan, table, name, type)]));
  const encoded = encodeKeys(
    keys,
    plan.keys.map(({ path }) => pathText(path)),
  );
  const found = await taking.find(encoded, keys, options);
  const there = Int32Array.from(found.part.keys()).filter((at) => found.part[at]! >= 0);
  let rows = there.length;
  let columns = await columnsAt(taking, found, there, options);
  let given = pickAll(aux, there);
  if (plan.where !== undefined) {
    const kept = await effects.select(plan.where, { rows, columns, aux: given }, options.signal);
    if (kept !== 'all') {
      [columns, given, rows] = [pickAll(columns, kept), pickAll(given, kept), kept.length];
    }
  }
  const input = { rows, columns, aux: given };
  return recordBatch(plan.schema, await effects.evaluate(plan.outputs.parts, input, options.signal), rows);
}

/** The plan's columns for the found rows numbered `there`, in that order, by column number. */
async function columnsAt(
  taking: Taking,
  found: FoundRows,
  there: Int32Array,
  options: PartOptions,
): Promise<Map<number, Data>> {
  const byPart = new Map<number, number[]>();
  for (const at of there) {
    const rows = byPart.get(found.part[at]!);
    if (rows === undefined) byPart.set(found.part[at]!, [found.row[at]!]);
    else rows.push(found.row[at]!);
  }
  const sources = new Map([...byPart.keys()].map((part, source) => [part, source]));
  const picked = Array.from(byPart.values(), ascending);
  const data = await Promise.all(
    Array.from(byPart.keys(), (part, source) => taking.pick(part, picked[source]!, options)),
  );
  const source = Int32Array.from(there, (at) => sources.get(found.part[at]!)!);
  const row = Int32Array.from(there, (at, number) => placeOf(picked[source[number]!]!, found.row[at]!));
  const ranges = rowRanges(source, row);
  return new Map(
    taking.columns.map(({ id, type }): [number, Data] => {
      const own = data.map((columns) => columns.get(id)!);
      return [id, own.length === 0 ? nullColumn(type, 0) : gatherColumn(columnSources(type, own), ranges)];
    }),
  );
}

function pickAll<Name>(columns: ReadonlyMap<Name, Data>, rows: Int32Array): Map<Name, Data> {
  const ranges = rowRanges(new Int32Array(rows.length), rows);
  return new Map(
    Array.from(columns, ([name, data]) => [name, gatherColumn(columnSources(data.type, [data]), ranges)] as const),
  );
}

/** The different ones of `rows`, in order. */
function ascending(rows: readonly number[]): Int32Array {
  const sorted = Int32Array.from(rows).sort();
  return sorted.filter((row, at) => at === 0 || row !== sorted[at - 1]);
}

/** The index of `row` in `rows`, ascending, in which it is. */
function placeOf(rows: Int32Array, row: number): number {
  let [low, high] = [0, rows.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle]! < row) low = middle + 1;
    else high = middle;
  }
  return low;
}

function keyColumn({ tableName }: QueryPlan, table: RecordBatch, { path, type }: Column): Data {
  const name = pathText(path);
  const found = columnNamed(table, name);
  if (found !== undefined && sameType(found.type, type)) return found;
  const has = found === undefined ? `none of ${listed(names(table), 'and') || 'no columns'}` : typeWords(found.type);
  throw new SpiralError(
    'invalid_key',
    `Expected the key table for ${tableName} to have the key column '${name}' (${typeWords(type)}), got ${has}.`,
    { details: { table: tableName, column: name, expected: typeWords(type), found: names(table) } },
  );
}

function auxColumn({ tableName }: QueryPlan, table: RecordBatch, name: string, type: DataType): Data {
  const found = columnNamed(table, name);
  if (found === undefined) {
    throw new SpiralError(
      'invalid_expression',
      `Expected the key table for ${tableName} to have the auxiliary column '${name}' (${typeWords(type)}), got only ` +
        `${listed(names(table), 'and')}.`,
      { details: { table: tableName, aux: name, found: names(table) } },
    );
  }
  if (sameType(found.type, type)) return found;
  throw new SpiralError(
    'type_mismatch',
    `Expected the auxiliary column '${name}' of the key table for ${tableName} to be ${typeWords(type)}, as the expression ` +
      `says, got ${typeWords(found.type)}.`,
    { details: { table: tableName, aux: name, expected: typeWords(type), found: typeWords(found.type) } },
  );
}

function columnNamed({ schema, data, numRows }: RecordBatch, name: string): Data | undefined {
  const column = data.children[schema.fields.findIndex((field) => field.name === name)];
  return column === undefined || column.length === numRows ? column : column.slice(0, numRows);
}

function names({ schema }: RecordBatch): string[] {
  return schema.fields.map(({ name }) => name);
}

import type { Data } from 'apache-arrow';
import { gatherColumn } from '../arrow/gather.js';
import { nullColumn } from '../arrow/nulls.js';
import { allRanges, rowRanges } from '../arrow/ranges.js';
import { columnSources } from '../arrow/sources.js';
import type { BoundExpr } from '../expr/bound.js';
import { selectRows } from '../expr/evaluate.js';
import type { ColumnChoice } from './column-choice.js';
import type { Part } from './part.js';
import { partCuts, partStretch, pickPart, readPart } from './part-reader.js';
import type { PartOptions, PartReading, Stretch } from './set-reader.js';
import type { Candidates, Verdicts } from './verdicts.js';

/** What reading the rows that survive a filter needs: the columns that it reads, those that are only given, all given. */
export interface FilteredReading {
  readonly where: BoundExpr;
  readonly verdicts: Verdicts;
  readonly filtering: PartReading;
  readonly others: PartReading;
  readonly given: PartReading;
  /** Counts record batches and pieces that were not read. */
  readonly notePruned: (batches: number) => void;
}

/** Rows that survive, with the given columns. */
export interface Survivors {
  /** Where they stood, ascending, counted from the first row asked for; undefined where all survived. */
  readonly rows: Int32Array | undefined;
  readonly count: number;
  /** By column number. */
  readonly columns: ReadonlyMap<number, Data>;
}

/**
 * Those of rows `from … to` of `part` that survive: what keys and zone maps rule out is not read at all, of the rest first
 * the columns of the filter, then the others for the rows that survive.
 *
 * Rows that are whole or damaged together stay so: where some of them survive, the others' columns are verified for all of
 * them, whatever part is asked for.
 */
export async function readSurvivors(
  reading: FilteredReading,
  part: Part,
  from: number,
  to: number,
  options: PartOptions = {},
): Promise<Survivors> {
  const { candidates, byKeys, byZones } = await reading.verdicts.candidates(part, from, to);
  reading.notePruned(byKeys + byZones);
  const found = await Promise.all(
    candidates.map((span) =>
      span.verdict === 'all' ? readAll(reading, part, span, options) : readSome(reading, part, span, options),
    ),
  );
  const choice = reading.given.plan;
  const filled = found.filter(({ count }) => count > 0);
  if (filled.length === 1) return { ...filled[0]!, rows: rowsFrom(filled, from, to) };
  const lengths = filled.map(({ count }) => count);
  const columns = choice.columns.map(({ id, type }): [number, Data] => {
    if (filled.length === 0) return [id, nullColumn(type, 0)];
    const data = filled.map((one) => one.columns.get(id)!);
    return [id, gatherColumn(columnSources(type, data), allRanges(lengths))];
  });
  const count = lengths.reduce((sum, length) => sum + length, 0);
  return { rows: rowsFrom(filled, from, to), count, columns: new Map(columns) };
}

/** Which of rows `from … to` of `part` survive, counted from `from`, in order. Reads the columns of the filter alone. */
export async function survivingRows(
  reading: FilteredReading,
  part: Part,
  from: number,
  to: number,
  options: PartOptions = {},
): Promise<Int32Array> {
  const { candidates, byKeys, byZones } = await reading.verdicts.candidates(part, from, to);
  reading.notePruned(byKeys + byZones);
  const found = await Promise.all(
    candidates.map(async (span): Promise<Placed> => {
      if (span.verdict === 'all') return { ...span, count: span.to - span.from, rows: undefined };
      const columns = await readPart(reading.filtering, part, span.from, span.to, options);
      const rows = selectRows(reading.where, inputOf(reading.filtering.plan, columns, span.to - span.from));
      if (rows === 'all') return { ...span, count: span.to - span.from, rows: undefined };
      return { ...span, count: rows.length, rows };
    }),
  );
  return placedRows(found, from);
}

/** Rows of a stretch; `rows` are counted from its first, undefined: all. */
interface Placed extends Stretch {
  readonly count: number;
  readonly rows: Int32Array | undefined;
}

interface SurvivingSpan extends Placed {
  readonly columns: ReadonlyMap<number, Data>;
}

async function readAll(
  { given }: FilteredReading,
  part: Part,
  { from, to }: Stretch,
  options: PartOptions,
): Promise<SurvivingSpan> {
  const read = await readPart(given, part, from, to, options);
  return { from, to, count: to - from, rows: undefined, columns: byId(given.plan, read) };
}

async function readSome(
  reading: FilteredReading,
  part: Part,
  span: Candidates,
  options: PartOptions,
): Promise<SurvivingSpan> {
  const { filtering, others, given, where } = reading;
  const { from, to } = await wholeStretches(reading, part, span, options);
  const scratch = options.memory?.scratch();
  try {
    const read = await readPart(filtering, part, from, to, { ...options, memory: scratch });
    const selected = selectRows(where, inputOf(filtering.plan, read, to - from));
    if (selected === 'all' && scratch === undefined && from === span.from && to === span.to) {
      const rest = await readPart(others, part, from, to, options);
      const columns = new Map([...byId(filtering.plan, read), ...byId(others.plan, rest)]);
      return { from, to, count: to - from, rows: undefined, columns: only(columns, given.plan) };
    }
    const survivors = selected === 'all' ? Int32Array.from({ length: to - from }, (_, at) => at) : selected;
    const rest = await pickPart(
      others,
      part,
      survivors.map((row) => from + row),
      options,
    );
    const kept = within(survivors, span.from - from, span.to - from);
    const columns = new Map<number, Data>();
    for (const [slot, { id, type }] of filtering.plan.columns.entries()) {
      if (given.plan.slots[id]! < 0) continue;
      const rows = survivors.subarray(kept.from, kept.to);
      columns.set(id, gatherColumn(columnSources(type, [read[slot]!]), rowRanges(new Int32Array(rows.length), rows)));
    }
    for (const [id, data] of byId(others.plan, rest)) columns.set(id, cut(data, kept));
    scratch?.release();
    const rows = survivors.subarray(kept.from, kept.to).map((row) => row + from - span.from);
    const all = rows.length === span.to - span.from;
    return { ...span, count: rows.length, rows: all ? undefined : rows, columns };
  } catch (error) {
    scratch?.abandon();
    throw error;
  }
}

/** `span` with the rows that are whole or damaged together with its first and its last, as far as that is to be found out. */
async function wholeStretches(
  { filtering, others }: FilteredReading,
  part: Part,
  span: Stretch,
  options: PartOptions,
): Promise<Stretch> {
  const verify = options.verify ?? filtering.verify;
  if (verify === 'never') return span;
  let { from, to } = span;
  for (const row of new Set([span.from, span.to - 1])) {
    const stretches = await Promise.all([filtering, others].map((own) => partStretch(own, part, row, verify)));
    if (stretches.every(({ trusted }) => trusted)) continue;
    const grid = 'index' in part ? 0 : Math.floor(row / part.batchRows) * part.batchRows;
    const gridEnd = 'index' in part ? part.rows : Math.min(part.rows, grid + part.batchRows);
    from = Math.min(from, Math.max(grid, ...stretches.map((stretch) => stretch.from)));
    to = Math.max(to, Math.min(gridEnd, ...stretches.map((stretch) => stretch.to)));
  }
  return { from, to };
}

/** The rows between `from` and `to` of `part` at which other stretches begin that are whole or damaged together. */
export async function filteredCuts(reading: PartReading, part: Part, from: number, to: number): Promise<number[]> {
  const cuts = new Set(await partCuts(reading, part, from, to));
  if (!('index' in part)) {
    const first = (Math.floor(from / part.batchRows) + 1) * part.batchRows;
    for (let row = first; row < to; row += part.batchRows) cuts.add(row);
  }
  return [...cuts].sort((a, b) => a - b);
}

function inputOf(
  choice: ColumnChoice,
  data: readonly Data[],
  rows: number,
): { rows: number; columns: Map<number, Data> } {
  return { rows, columns: byId(choice, data) };
}

function byId({ columns }: ColumnChoice, data: readonly Data[]): Map<number, Data> {
  return new Map(columns.map(({ id }, slot) => [id, data[slot]!]));
}

function only(columns: ReadonlyMap<number, Data>, { slots }: ColumnChoice): Map<number, Data> {
  return new Map([...columns].filter(([id]) => slots[id]! >= 0));
}

/** Which of `rows`, ascending, lie from `from` to `to`. */
function within(rows: Int32Array, from: number, to: number): Stretch {
  let [first, last] = [0, rows.length];
  while (first < last && rows[first]! < from) first++;
  while (last > first && rows[last - 1]! >= to) last--;
  return { from: first, to: last };
}

function cut(data: Data, { from, to }: Stretch): Data {
  if (from === 0 && to === data.length) return data;
  const rows = Int32Array.from({ length: to - from }, (_, at) => from + at);
  return gatherColumn(columnSources(data.type, [data]), rowRanges(new Int32Array(rows.length), rows));
}

function rowsFrom(found: readonly Placed[], from: number, to: number): Int32Array | undefined {
  const count = found.reduce((sum, one) => sum + one.count, 0);
  return count === to - from ? undefined : placedRows(found, from);
}

function placedRows(found: readonly Placed[], from: number): Int32Array {
  const rows = new Int32Array(found.reduce((sum, one) => sum + one.count, 0));
  let at = 0;
  for (const one of found) {
    for (let row = 0; row < one.count; row++) rows[at++] = one.from - from + (one.rows?.[row] ?? row);
  }
  return rows;
}

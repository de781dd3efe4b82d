import type { Data } from 'apache-arrow';
import { gatherColumn } from '../arrow/gather.js';
import { nullColumn } from '../arrow/nulls.js';
import { allRanges, rowRanges } from '../arrow/ranges.js';
import { columnSources } from '../arrow/sources.js';
import type { BoundExpr } from '../expr/bound.js';
import type { Effects } from './effects.js';
import type { Candidates, FilterableRows, NumberedColumns } from './filterable-rows.js';
import type { PartOptions, Stretch } from './set-reader.js';

/** What reading the rows that survive a filter needs. */
export interface Filtering {
  readonly where: BoundExpr;
  readonly effects: Effects;
  readonly rows: FilterableRows;
  /** Counts record batches, pieces and groups that were not read. */
  readonly notePruned: (batches: number) => void;
}

/** Rows that survive, with the given columns. */
export interface Survivors {
  /** Where they stood, ascending, counted from the first row asked for; undefined where all survived. */
  readonly rows: Int32Array | undefined;
  readonly count: number;
  readonly columns: NumberedColumns;
}

/**
 * Those of rows `from … to` that survive: what keys and statistics rule out is not read at all, of the rest first the
 * columns of the filter, then the others for the rows that survive.
 *
 * Rows that are whole or damaged together stay so: where some of them survive, the others' columns are verified for all of
 * them, whatever part is asked for.
 */
export async function readSurvivors(
  filtering: Filtering,
  from: number,
  to: number,
  options: PartOptions = {},
): Promise<Survivors> {
  const { rows } = filtering;
  const found = await Promise.all(
    (await candidatesOf(filtering, from, to)).map((span) =>
      span.verdict === 'all' ? readAll(rows, span, options) : readSome(filtering, span, options),
    ),
  );
  const filled = found.filter(({ count }) => count > 0);
  if (filled.length === 1) return { ...filled[0]!, rows: rowsFrom(filled, from, to) };
  const lengths = filled.map(({ count }) => count);
  const columns = rows.given.map(({ id, type }): [number, Data] => {
    if (filled.length === 0) return [id, nullColumn(type, 0)];
    const data = filled.map((one) => one.columns.get(id)!);
    return [id, gatherColumn(columnSources(type, data), allRanges(lengths))];
  });
  const count = lengths.reduce((sum, length) => sum + length, 0);
  return { rows: rowsFrom(filled, from, to), count, columns: new Map(columns) };
}

/** Which of rows `from … to` survive, counted from `from`, in order. Reads the columns of the filter alone. */
export async function survivingRows(
  filtering: Filtering,
  from: number,
  to: number,
  options: PartOptions = {},
): Promise<Int32Array> {
  const { rows, where, effects } = filtering;
  const found = await Promise.all(
    (await candidatesOf(filtering, from, to)).map(async (span): Promise<Placed> => {
      const length = span.to - span.from;
      if (span.verdict === 'all') return { ...span, count: length, rows: undefined };
      const columns = await rows.read('filtering', span.from, span.to, options);
      const selected = await effects.select(where, { rows: length, columns }, options.signal);
      if (selected === 'all') return { ...span, count: length, rows: undefined };
      return { ...span, count: selected.length, rows: selected };
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
  readonly columns: NumberedColumns;
}

async function candidatesOf({ rows, notePruned }: Filtering, from: number, to: number): Promise<Candidates[]> {
  const { candidates, byKeys, byZones } = await rows.candidates(from, to);
  notePruned(byKeys + byZones);
  return candidates;
}

async function readAll(rows: FilterableRows, { from, to }: Stretch, options: PartOptions): Promise<SurvivingSpan> {
  const columns = await rows.read('given', from, to, options);
  return { from, to, count: to - from, rows: undefined, columns };
}

async function readSome(
  { rows: stored, where, effects }: Filtering,
  span: Candidates,
  options: PartOptions,
): Promise<SurvivingSpan> {
  const { from, to } = await stored.around(span, options);
  const scratch = options.memory?.scratch();
  try {
    const read = await stored.read('filtering', from, to, { ...options, memory: scratch });
    const selected = await effects.select(where, { rows: to - from, columns: read }, options.signal);
    const given = new Set(stored.given.map(({ id }) => id));
    const both = [...read].filter(([id]) => given.has(id));
    if (selected === 'all' && scratch === undefined && from === span.from && to === span.to) {
      const columns = new Map([...both, ...(await stored.read('others', from, to, options))]);
      return { from, to, count: to - from, rows: undefined, columns };
    }
    const survivors = selected === 'all' ? Int32Array.from({ length: to - from }, (_, at) => at) : selected;
    const kept = within(survivors, span.from - from, span.to - from);
    const own = survivors.subarray(kept.from, kept.to);
    const others = await stored.pick(from, survivors, kept, options);
    const ranges = rowRanges(new Int32Array(own.length), own);
    const columns = new Map(others);
    for (const [id, data] of both) columns.set(id, gatherColumn(columnSources(data.type, [data]), ranges));
    scratch?.release();
    const rows = own.map((row) => row + from - span.from);
    const all = rows.length === span.to - span.from;
    return { ...span, count: rows.length, rows: all ? undefined : rows, columns };
  } catch (error) {
    scratch?.abandon();
    throw error;
  }
}

/** Which of `rows`, ascending, lie from `from` to `to`. */
function within(rows: Int32Array, from: number, to: number): Stretch {
  let [first, last] = [0, rows.length];
  while (first < last && rows[first]! < from) first++;
  while (last > first && rows[last - 1]! >= to) last--;
  return { from: first, to: last };
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

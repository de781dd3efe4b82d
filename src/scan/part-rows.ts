import type { Data } from 'apache-arrow';
import { gatherColumn } from '../arrow/gather.js';
import { oneRange } from '../arrow/ranges.js';
import { columnSources } from '../arrow/sources.js';
import type { BoundExpr } from '../expr/bound.js';
import type { ColumnChoice } from './column-choice.js';
import type { Effects } from './effects.js';
import type { FilterableRows, NumberedColumns } from './filterable-rows.js';
import { type Filtering, readSurvivors } from './filtered-reader.js';
import type { GivenColumns } from './given-rows.js';
import type { Part } from './part.js';
import { partCuts, partStretch, pickPart, readPart } from './part-reader.js';
import type { PartOptions, PartReading, Stretch } from './set-reader.js';
import type { Verdicts } from './verdicts.js';

/** How the parts of a table are read by a filter: the columns that it reads, those that are only given, all given. */
export interface FilteredReading {
  readonly where: BoundExpr;
  readonly effects: Effects;
  readonly verdicts: Verdicts;
  readonly filtering: PartReading;
  readonly others: PartReading;
  readonly given: PartReading;
  /** Counts record batches and pieces that were not read. */
  readonly notePruned: (batches: number) => void;
}

/** The filter of `reading` over the rows of `part`. */
export function partFiltering(reading: FilteredReading, part: Part): Filtering {
  const { where, effects, notePruned } = reading;
  return { where, effects, notePruned, rows: new PartRows(reading, part) };
}

/** Those of rows `from … to` of `part` that survive the filter, if there is one, with the columns of `reading`. */
export async function readGiven(
  reading: PartReading,
  filtered: FilteredReading | undefined,
  part: Part,
  { from, to }: Stretch,
  options: PartOptions | undefined,
): Promise<GivenColumns> {
  if (filtered !== undefined) return readSurvivors(partFiltering(filtered, part), from, to, options);
  const columns = byId(reading.plan, await readPart(reading, part, from, to, options));
  return { count: to - from, rows: undefined, columns };
}

class PartRows implements FilterableRows {
  readonly #reading: FilteredReading;
  readonly #part: Part;

  constructor(reading: FilteredReading, part: Part) {
    this.#reading = reading;
    this.#part = part;
  }

  get given(): FilterableRows['given'] {
    return this.#reading.given.plan.columns;
  }

  candidates(from: number, to: number): ReturnType<FilterableRows['candidates']> {
    return this.#reading.verdicts.candidates(this.#part, from, to);
  }

  async read(
    columns: 'filtering' | 'others' | 'given',
    from: number,
    to: number,
    options: PartOptions,
  ): Promise<NumberedColumns> {
    const reading = this.#reading[columns];
    return byId(reading.plan, await readPart(reading, this.#part, from, to, options));
  }

  /** Reads all of `survivors`: what is read for fewer may leave damage out that others would meet. */
  async pick(base: number, survivors: Int32Array, kept: Stretch, options: PartOptions): Promise<NumberedColumns> {
    const { others } = this.#reading;
    const rows = survivors.map((row) => base + row);
    const picked = await pickPart(others, this.#part, rows, options);
    return byId(
      others.plan,
      picked.map((data) => cut(data, kept)),
    );
  }

  /** `span` with the rows that are whole or damaged together with its ends, as far as that is still to be found out. */
  async around(span: Stretch, options: PartOptions): Promise<Stretch> {
    const { filtering, others } = this.#reading;
    const part = this.#part;
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

/** Columns, in the order of a choice, by their numbers. */
export function byId({ columns }: ColumnChoice, data: readonly Data[]): NumberedColumns {
  return new Map(columns.map(({ id }, slot) => [id, data[slot]!]));
}

function cut(data: Data, { from, to }: Stretch): Data {
  if (from === 0 && to === data.length) return data;
  return gatherColumn(columnSources(data.type, [data]), oneRange(from, to - from));
}

import { Data } from 'apache-arrow';
import { gatherColumn } from '../arrow/gather.js';
import { nullColumn } from '../arrow/nulls.js';
import { type Ranges, rowRanges } from '../arrow/ranges.js';
import { columnSources } from '../arrow/sources.js';
import { stretchAt } from '../core/search.js';
import { type CellReading, type ReadSource, readSources, type Source, settledAll } from './cell-sources.js';
import type { PlacedRows } from './placed-rows.js';
import type { OpenedFile } from './set-files.js';
import { openedFiles, type PartReading } from './set-reader.js';

/** Rows that a file, or where that is undefined a deletion, of a table has a say in. */
interface Step {
  readonly file: OpenedFile | undefined;
  readonly table: number;
  readonly order: number;
  readonly rows: PlacedRows;
}

/** A {@link Source} of which it is still to be found out what rows of it are wanted. */
type GrowingSource = { -readonly [Key in keyof Source]: Source[Key] };

/** Where the cells of some columns are: row `row[i]` of source `source[i]`, or nowhere where that is -1. */
interface CellPlaces {
  readonly sources: readonly Source[];
  readonly source: Int32Array;
  readonly row: Int32Array;
}

/** Cells that were read and wait to be put together; the memory that they lie in is held until then. */
export interface PlacedCells {
  /** The columns of the plan by their slots; one without any cell is left out. Once, and not after {@link release}. */
  take(): Data[];
  /** Gives the memory back where nobody takes what lies in it. */
  release(): void;
}

/** Cells of columns that the same files have. */
export interface PlacedGroup {
  readonly slots: readonly number[];
  readonly read: readonly ReadSource[];
  readonly ranges: Ranges;
  /** Whether ranges name one source more, for cells that are nowhere. */
  readonly nulls: boolean;
}

/**
 * Reads the columns of the plan for `rows` rows, of each cell the newest: those that are written by the same files are
 * found together, by going through the files from the oldest to the newest.
 */
export async function placeCells(
  reading: PartReading,
  placed: readonly PlacedRows[],
  rows: number,
  cells: CellReading,
): Promise<PlacedCells> {
  const steps = await stepsOf(reading, placed);
  const groups = Array.from(columnGroups(steps, reading.plan.columns.length), ({ slots, steps: own }) =>
    placeGroup(reading, newestCells(own, rows), slots, cells),
  );
  return placedCells(reading, await settledAll(groups, releaseGroup));
}

/** `groups`, which wait to be put together. */
export function placedCells(reading: PartReading, groups: PlacedGroup[]): PlacedCells {
  return {
    take: () => {
      const columns: Data[] = [];
      try {
        for (const group of groups) gatherGroup(reading, group, columns);
        return columns;
      } finally {
        for (const group of groups.splice(0)) releaseGroup(group);
      }
    },
    release: () => {
      for (const group of groups.splice(0)) releaseGroup(group);
    },
  };
}

export function releaseGroup({ read }: PlacedGroup): void {
  for (const { release } of read) release();
}

async function stepsOf(reading: PartReading, placed: readonly PlacedRows[]): Promise<Step[]> {
  const steps: Step[] = [];
  for (const rows of placed) {
    for (const file of await openedFiles(reading, rows.set)) steps.push({ ...file, file, rows });
    const deletion = rows.set.layers.findLast(({ fragment }) => fragment.deletes);
    if (deletion !== undefined) steps.push({ ...deletion, file: undefined, rows });
  }
  return steps.sort((a, b) => a.order - b.order);
}

/** Columns by the files that have them, with the deletions of their tables, which concern all. */
function columnGroups(steps: readonly Step[], count: number): Iterable<{ slots: number[]; steps: Step[] }> {
  const names = new Array<string>(count).fill('');
  for (const [at, { file }] of steps.entries()) {
    if (file !== undefined) for (const slot of file.slots) names[slot] += `${at},`;
  }
  const groups = new Map<string, { slots: number[]; steps: Step[] }>();
  for (const [slot, name] of names.entries()) {
    if (name === '') continue;
    const group = groups.get(name);
    if (group !== undefined) group.slots.push(slot);
    else {
      const own = new Set(name.slice(0, -1).split(',').map(Number));
      const tables = new Set(Array.from(own, (at) => steps[at]!.table));
      const concerns = ({ file, table }: Step, at: number): boolean =>
        file === undefined ? tables.has(table) : own.has(at);
      groups.set(name, { slots: [slot], steps: steps.filter(concerns) });
    }
  }
  return groups.values();
}

/**
 * Lets each of `steps`, oldest first, cover what its table has there, and a table what those before it have: only key
 * columns, which are the same in all, are of several tables.
 */
function newestCells(steps: readonly Step[], rows: number): CellPlaces {
  const sources: GrowingSource[] = [];
  const source = new Int32Array(rows).fill(-1);
  const row = new Int32Array(rows);
  for (const [at, { table }] of steps.entries()) {
    if (steps[at - 1]?.table === table) continue;
    const own = steps.filter((step) => step.table === table);
    const isOnly = own.length === steps.length;
    const cells = isOnly ? { source, row } : { source: new Int32Array(rows).fill(-1), row: new Int32Array(rows) };
    for (const { file, rows: placed } of own) {
      if (file === undefined) cover(cells.source, placed.targets);
      else addCells(file, placed, sources, cells.source, cells.row);
    }
    if (!isOnly) overlay(cells, source, row);
  }
  for (let at = 0; at < rows; at++) {
    const from = sources[source[at]!];
    if (from === undefined) continue;
    // Rows of a source ascend.
    if (from.to === 0) from.from = row[at]!;
    from.to = row[at]! + 1;
  }
  return { sources, source, row };
}

/** Puts the cells that are there over `source` and `row`. */
function overlay(cells: Pick<CellPlaces, 'source' | 'row'>, source: Int32Array, row: Int32Array): void {
  for (let at = 0; at < source.length; at++) {
    if (cells.source[at]! < 0) continue;
    source[at] = cells.source[at]!;
    row[at] = cells.row[at]!;
  }
}

function cover(source: Int32Array, targets: Int32Array): void {
  for (const target of targets) if (target >= 0) source[target] = -1;
}

/** Adds the cells of `file`, a source for each of its record batches. */
function addCells(
  file: OpenedFile,
  { from, targets }: PlacedRows,
  sources: GrowingSource[],
  source: Int32Array,
  row: Int32Array,
): void {
  const { rowStarts } = file.file;
  for (let at = 0, batch = stretchAt(rowStarts, from); at < targets.length; batch++) {
    const number = sources.push({ file, batch, from: 0, to: 0 }) - 1;
    const end = Math.min(targets.length, rowStarts[batch + 1]! - from);
    for (let place = from + at - rowStarts[batch]!; at < end; at++, place++) {
      const target = targets[at]!;
      if (target < 0) continue;
      source[target] = number;
      row[target] = place;
    }
  }
}

/** Reads the columns at `slots`, of the cells at `places`. */
async function placeGroup(
  reading: PartReading,
  places: CellPlaces,
  slots: readonly number[],
  cells: CellReading,
): Promise<PlacedGroup> {
  const used = places.sources.filter(({ to }) => to > 0);
  const read = await readSources(reading, used, slots, cells);
  const ranges = numbered(places, used, read);
  return { slots, read, ranges, nulls: ranges.source.includes(read.length) };
}

/** The rows of `places` in the sources that are `used`, as they were `read`; of one more behind them where there is no cell. */
function numbered({ sources, source, row }: CellPlaces, used: readonly Source[], read: readonly ReadSource[]): Ranges {
  const numbers = new Int32Array(sources.length);
  for (const [number, one] of used.entries()) numbers[sources.indexOf(one)] = number;
  const bases = read.map(({ base }) => base);
  for (let at = 0; at < source.length; at++) {
    const from = source[at]!;
    if (from >= 0) {
      source[at] = numbers[from]!;
      row[at]! -= bases[numbers[from]!]!;
    } else {
      source[at] = used.length;
      row[at] = 0;
    }
  }
  return rowRanges(source, row);
}

/** Puts the columns of a group into `columns`, unless there is no cell at all. */
function gatherGroup(reading: PartReading, { slots, read, ranges, nulls }: PlacedGroup, columns: Data[]): void {
  if (read.length === 0) return;
  for (const [at, slot] of slots.entries()) {
    const { type } = reading.plan.columns[slot]!;
    const data = read.map(({ columns }) => columns[at]!);
    if (nulls) data.push(nullOf(data[0]!));
    columns[slot] = gatherColumn(columnSources(type, data), ranges);
  }
}

/** One null of the type of `data`, and of its dictionary, so that no dictionaries have to be joined for it. */
function nullOf({ type, dictionary }: Data): Data {
  const data = nullColumn(type, 1);
  const buffers = [data.valueOffsets, data.values, data.nullBitmap] as never;
  return new Data(type, 0, 1, 1, buffers, data.children, dictionary);
}

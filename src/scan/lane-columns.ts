import { type Ranges, rowRanges } from '../arrow/ranges.js';
import { stretchAt } from '../core/search.js';
import { laneShift, type MergeEntries } from '../table/key-merge.js';
import type { KeySet } from '../table/key-run.js';
import { type CellReading, type ReadSource, readSources, type Source, settledAll } from './cell-sources.js';
import { type PlacedCells, type PlacedGroup, placedCells, releaseGroup } from './merged-columns.js';
import type { LaneRows, SetSpan } from './placed-rows.js';
import type { OpenedFile } from './set-files.js';
import { openedFiles, type PartReading } from './set-reader.js';

/** A {@link SetSpan} with its files. */
interface FileSpan extends SetSpan {
  readonly files: readonly OpenedFile[];
}

/**
 * Reads the columns of the plan for `rows`, where all cells of a row are in one write: what `placeCells` does of any rows, in
 * one pass over them. Undefined where the sets do not have the same columns in files of the same make, or are of several writes.
 */
export async function placeLaneCells(
  reading: PartReading,
  { entries, lanes }: LaneRows,
  cells: CellReading,
): Promise<PlacedCells | undefined> {
  if (!lanes.flat().every(({ set }) => isOneWrite(set))) return undefined;
  const withFiles = (span: SetSpan): Promise<FileSpan> =>
    openedFiles(reading, span.set).then((files) => ({ ...span, files }));
  const opened = await Promise.all(lanes.map((spans) => Promise.all(spans.map(withFiles))));
  const makes = new Set(
    opened.flat().map(({ files }) => files.map(({ table, slots }) => `${table} ${slots}`).join(';')),
  );
  if (makes.size > 1) return undefined;
  const [first] = opened.flat();
  const groups = (first?.files ?? []).map(({ slots }, at) =>
    placeLaneGroup(reading, entries, opened, at, slots, cells),
  );
  return placedCells(reading, await settledAll(groups, releaseGroup));
}

function isOneWrite({ layers }: KeySet): boolean {
  return layers.length === 1 && !layers[0]!.fragment.deletes;
}

/** Reads the columns at `slots`, those of file number `at` of each set. */
async function placeLaneGroup(
  reading: PartReading,
  entries: MergeEntries,
  lanes: readonly (readonly FileSpan[])[],
  at: number,
  slots: readonly number[],
  cells: CellReading,
): Promise<PlacedGroup> {
  const sources = lanes.map((spans) =>
    spans.flatMap(({ files, from, rows }) => [...batchSources(files[at]!, from, rows)]),
  );
  const read = await readSources(reading, sources.flat(), slots, cells);
  return { slots, read, ranges: laneRanges(entries, sources, read), nulls: false };
}

/** Rows `from … from + rows` of `file`, a source for each of its record batches. */
function* batchSources(file: OpenedFile, from: number, rows: number): Generator<Source, void> {
  const { rowStarts } = file.file;
  for (let at = from, batch = stretchAt(rowStarts, from); at < from + rows; batch++) {
    const [start, end] = [rowStarts[batch]!, Math.min(from + rows, rowStarts[batch + 1]!)];
    yield { file, batch, from: at - start, to: end - start };
    at = end;
  }
}

/** The rows of `lanes`, the sources of each as they were `read` one lane after the other, in the order of `entries`. */
function laneRanges(entries: MergeEntries, lanes: readonly (readonly Source[])[], read: readonly ReadSource[]): Ranges {
  const count = entries.length;
  const [source, row] = [new Int32Array(count), new Int32Array(count)];
  // The source that a lane is at, its next row there, and the rows there are.
  const [number, next, end] = [
    new Int32Array(lanes.length),
    new Int32Array(lanes.length),
    new Int32Array(lanes.length),
  ];
  let before = 0;
  for (const [lane, sources] of lanes.entries()) {
    number[lane] = before - 1;
    before += sources.length;
  }
  const all = lanes.flat();
  let last = -1;
  let turns = 0;
  for (let at = 0; at < count; at++) {
    const lane = entries[at]! >> laneShift;
    if (next[lane] === end[lane]) {
      const own = ++number[lane]!;
      next[lane] = all[own]!.from - read[own]!.base;
      end[lane] = all[own]!.to - read[own]!.base;
    }
    source[at] = number[lane]!;
    row[at] = next[lane]!++;
    if (lane !== last) turns++;
    last = lane;
  }
  // Where lanes seldom take turns their rows are copied in stretches.
  return turns * 4 > count ? { count, source, start: row, lengths: 1, total: count } : rowRanges(source, row);
}

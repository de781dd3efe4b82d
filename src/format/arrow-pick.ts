import type { Data } from 'apache-arrow';
import { gatherColumn } from '../arrow/gather.js';
import { rowRanges } from '../arrow/ranges.js';
import { columnSources } from '../arrow/sources.js';
import { coalesceGapBytes } from '../core/limits.js';
import type { ArrowFile } from './arrow-file.js';
import { type ReadRequest, readRows, trusted } from './arrow-read.js';
import type { ColumnBlocks } from './column-blocks.js';

/** A column is read whole where runs of rows would take this share of it, as one read costs less than many. */
const wholeShare = 0.5;

/**
 * The rows `picked` (ascending, counted in the batch) of batch number `batch`, as columns that own their memory.
 *
 * Of a column whose buffers are verified, in a file that is not compressed, only the ranges that hold the rows are read: rows
 * so near to each other that skipping costs more than reading are one range. Where such ranges make half of the column, or
 * nothing of it was read yet, the column is read whole, and so verified (law 22). What is read whole is kept in `blocks`, and
 * what is there is not read.
 *
 * @throws SpiralError `corrupt_file`, naming file and column, and what the store rejects with.
 */
export async function readPicked(
  file: ArrowFile,
  batch: number,
  picked: Int32Array,
  request: ReadRequest,
  blocks?: ColumnBlocks,
): Promise<Data[]> {
  const { rows } = file.index.batches[batch]!;
  const scratch = request.memory?.scratch();
  const own = { ...request, memory: scratch };
  try {
    const kept = request.columns.map((column) => blocks?.get(file, batch, column));
    const runs = request.columns.map((column, at) => {
      if (kept[at] !== undefined) return undefined;
      const partly = file.index.compression === 'none' && trusted(file, batch, { ...request, columns: [column] });
      return partly ? runsOf(picked, rows, columnBytes(file, batch, column) / rows) : undefined;
    });
    const whole = request.columns.filter((_, at) => kept[at] === undefined && runs[at] === undefined);
    const [read, ...parts] = await Promise.all([
      readWhole(file, batch, { ...own, columns: whole }, blocks),
      ...request.columns.map((column, at) => readRuns(file, batch, column, runs[at] ?? [], own)),
    ]);
    const all = read.values();
    const columns = runs.map((cut, at) => {
      const data = cut === undefined ? [kept[at] ?? all.next().value!] : parts[at]!;
      return gatherColumn(columnSources(data[0]!.type, data), placesOf(picked, cut ?? [{ from: 0, to: rows }]));
    });
    scratch?.release();
    return columns;
  } catch (error) {
    scratch?.abandon();
    throw error;
  }
}

/** Columns of a whole batch: in memory of their own, and kept, where `blocks` keeps any. */
async function readWhole(
  file: ArrowFile,
  batch: number,
  request: ReadRequest,
  blocks: ColumnBlocks | undefined,
): Promise<Data[]> {
  if (request.columns.length === 0) return [];
  const { rows } = file.index.batches[batch]!;
  if (blocks === undefined || !blocks.keeps) return readRows(file, batch, 0, rows, request);
  const read = await readRows(file, batch, 0, rows, { ...request, memory: undefined, owned: undefined });
  for (const [at, data] of read.entries()) blocks.keep(file, batch, request.columns[at]!, data, data.byteLength);
  return read;
}

/** Rows `from … to` of a batch. */
interface Run {
  readonly from: number;
  readonly to: number;
}

/** Bytes of a column of a batch, as they are stored. */
export function columnBytes(file: ArrowFile, batch: number, column: number): number {
  const { lengths } = file.index.batches[batch]!;
  const { buffer, buffers } = file.places[column]!;
  let bytes = 0;
  for (let at = buffer; at < buffer + buffers; at++) bytes += lengths[at]!;
  return bytes;
}

/** The runs of rows to read for `picked`; undefined where the whole column is the cheaper. */
function runsOf(picked: Int32Array, rows: number, bytesPerRow: number): Run[] | undefined {
  const gap = bytesPerRow === 0 ? rows : coalesceGapBytes / bytesPerRow;
  const runs: { from: number; to: number }[] = [];
  let wanted = 0;
  for (const row of picked) {
    const last = runs.at(-1);
    if (last !== undefined && row - last.to <= gap) {
      wanted += row + 1 - last.to;
      last.to = row + 1;
    } else {
      wanted++;
      runs.push({ from: row, to: row + 1 });
    }
  }
  return wanted >= rows * wholeShare ? undefined : runs;
}

function readRuns(
  file: ArrowFile,
  batch: number,
  column: number,
  runs: readonly Run[],
  request: ReadRequest,
): Promise<Data[]> {
  return Promise.all(
    runs.map(async ({ from, to }) => {
      const [data] = await readRows(file, batch, from, to, { ...request, columns: [column] });
      return data!;
    }),
  );
}

/** Where `picked` are among the rows of `runs`. */
function placesOf(picked: Int32Array, runs: readonly Run[]): ReturnType<typeof rowRanges> {
  const source = new Int32Array(picked.length);
  const row = new Int32Array(picked.length);
  let run = 0;
  for (let at = 0; at < picked.length; at++) {
    while (picked[at]! >= runs[run]!.to) run++;
    source[at] = run;
    row[at] = picked[at]! - runs[run]!.from;
  }
  return rowRanges(source, row);
}

import { Data, type RecordBatch } from 'apache-arrow';
import { gatherColumn } from '../arrow/gather.js';
import { nullColumn } from '../arrow/nulls.js';
import { allRanges } from '../arrow/ranges.js';
import { recordBatch } from '../arrow/record-batch.js';
import { sameType } from '../arrow/schema.js';
import { columnSources } from '../arrow/sources.js';
import { typeWords } from '../arrow/words.js';
import { stretchAt } from '../core/search.js';
import type { Verify } from '../core/verify.js';
import type { ArrowFile } from '../format/arrow-file.js';
import { readRows } from '../format/arrow-read.js';
import { corrupt } from '../format/corrupt.js';
import type { FileCache } from '../format/file-cache.js';
import type { ReadCounters, ReadOptions } from '../format/stored-buffers.js';
import type { ObjectStore } from '../storage/store.js';
import { type Column, pathText } from '../table/column.js';
import type { Part, ScanPlan } from './plan.js';
import { type OutputNode, outputField } from './projection.js';

/** What reading rows of a plan needs. */
export interface PartReading {
  readonly plan: ScanPlan;
  readonly store: ObjectStore;
  readonly files: FileCache;
  readonly verify: Verify;
  readonly counters: ReadCounters;
}

/** How rows are read: what ends it, memory to read into that is taken back, and when checksums are checked. */
export interface PartOptions extends Pick<ReadOptions, 'signal' | 'memory'> {
  /** Default: as the scan's environment has it. */
  readonly verify?: Verify | undefined;
}

/** Rows `from … to` of `part`, as the plan's schema has them. Columns of one file are read together. */
export async function readPartRows(
  reading: PartReading,
  part: Part,
  from: number,
  to: number,
  options: PartOptions = {},
): Promise<RecordBatch> {
  const files = await openedFiles(reading, part);
  const columns = new Map<number, Data>();
  await Promise.all(
    files.map(async ({ file, numbers, columns: own }) => {
      const read = await readSpan(reading, file, numbers, own, from, to, options);
      for (const [at, column] of own.entries()) columns.set(column.id, read[at]!);
    }),
  );
  for (const column of reading.plan.columns) {
    if (!part.columns.has(column.id)) columns.set(column.id, nullColumn(column.type, to - from));
  }
  const { schema, outputs } = reading.plan;
  return recordBatch(
    schema,
    outputs.map((node) => outputData(node, columns, to - from)),
    to - from,
  );
}

/** The rows between `from` and `to` of `part` at which any of its files begins another record batch, ascending. */
export async function partCuts(reading: PartReading, part: Part, from: number, to: number): Promise<number[]> {
  const cuts = new Set<number>();
  for (const { file } of await openedFiles(reading, part)) {
    for (let batch = stretchAt(file.rowStarts, from) + 1; batch < file.index.batches.length; batch++) {
      const start = file.rowStarts[batch]!;
      if (start >= to) break;
      if (start > from) cuts.add(start);
    }
  }
  return [...cuts].sort((a, b) => a - b);
}

/** A file of a part, and what is read of it. */
interface OpenedFile {
  readonly file: ArrowFile;
  readonly numbers: readonly number[];
  readonly columns: readonly Column[];
}

/** The files of a part, opened and checked once for all reads of a plan. */
const opened = new WeakMap<Part, Promise<OpenedFile[]>>();

function openedFiles(reading: PartReading, part: Part): Promise<OpenedFile[]> {
  let files = opened.get(part);
  if (files === undefined) {
    files = openFiles(reading, part);
    opened.set(part, files);
    files.catch(() => opened.delete(part));
  }
  return files;
}

async function openFiles(reading: PartReading, part: Part): Promise<OpenedFile[]> {
  const byFile = new Map<string, { bytes: number; columns: Column[]; numbers: number[] }>();
  for (const column of reading.plan.columns) {
    const stored = part.columns.get(column.id);
    if (stored === undefined) continue;
    const file = byFile.get(stored.path) ?? { bytes: stored.bytes, columns: [], numbers: [] };
    file.columns.push(column);
    file.numbers.push(stored.index);
    byFile.set(stored.path, file);
  }
  return Promise.all(
    Array.from(byFile, async ([path, { bytes, columns, numbers }]) => {
      const file = await reading.files.open(reading.store, path, bytes);
      checkFile(file, part.rows, numbers, columns);
      return { file, numbers, columns };
    }),
  );
}

/** A file that is whole but of another table, or put in another's place, must not pass for the one that was written. */
function checkFile(file: ArrowFile, rows: number, numbers: readonly number[], columns: readonly Column[]): void {
  if (file.rows !== rows) throw corrupt(file.where, `${rows} rows`, `${file.rows}`);
  for (const [at, { path, type }] of columns.entries()) {
    const field = file.schema.fields[numbers[at]!];
    if (field !== undefined && sameType(field.type, type)) continue;
    const found = field === undefined ? `only ${file.schema.fields.length}` : typeWords(field.type);
    throw corrupt(file.where, `'${pathText(path)}' (${typeWords(type)}) as column ${numbers[at]}`, found);
  }
}

async function readSpan(
  reading: PartReading,
  file: ArrowFile,
  numbers: readonly number[],
  columns: readonly Column[],
  from: number,
  to: number,
  options: PartOptions,
): Promise<Data[]> {
  const { counters } = reading;
  const request = { ...options, columns: numbers, verify: options.verify ?? reading.verify, counters };
  const pieces: Promise<Data[]>[] = [];
  for (let batch = stretchAt(file.rowStarts, from); batch < file.index.batches.length; batch++) {
    const start = file.rowStarts[batch]!;
    if (start >= to) break;
    const end = Math.min(to, file.rowStarts[batch + 1]!);
    pieces.push(readRows(file, batch, Math.max(from, start) - start, end - start, request));
  }
  const read = await Promise.all(pieces);
  return columns.map((column, at) => {
    const data = read.map((piece) => piece[at]!);
    if (data.length === 1) return data[0]!.clone(column.type);
    const lengths = data.map((piece) => piece.length);
    return gatherColumn(columnSources(column.type, data), allRanges(lengths));
  });
}

function outputData(node: OutputNode, columns: ReadonlyMap<number, Data>, rows: number): Data {
  if ('column' in node) return columns.get(node.column.id)!;
  const children = node.fields.map((field) => outputData(field, columns, rows));
  return new Data(outputField(node).type, 0, rows, 0, undefined, children);
}

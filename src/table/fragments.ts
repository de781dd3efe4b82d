import { createHash } from 'node:crypto';
import { Field, Schema } from 'apache-arrow';
import { gatherBatch, gatherColumn, gatheredBytes } from '../arrow/gather.js';
import { allRanges, type Ranges, rowRanges } from '../arrow/ranges.js';
import type { ColumnSources } from '../arrow/sources.js';
import { SpiralError } from '../core/errors.js';
import { batchBytesMax, batchRowsDefault, partitionBytesMax } from '../core/limits.js';
import { uniqueId } from '../core/random.js';
import { stretchAt } from '../core/search.js';
import { ArrowFileWriter } from '../format/arrow-writer.js';
import type { Compression } from '../format/codec.js';
import type { ObjectStore } from '../storage/store.js';
import { type Column, groupOf, pathText } from './column.js';
import { type EncodedKeys, encodeKeys, keyAt } from './key-codec.js';
import { compareKeys, firstDuplicate, isStrictlyAscending } from './key-compare.js';
import { crossing, type KeyedTable, type KeyRun, runAt } from './key-run.js';
import { sortOrder } from './key-sort.js';
import { keyText } from './key-values.js';
import type { FileRef, FragmentRef } from './operation.js';

/** A column to be written, and its data in every batch: nulls in those that do not have it. */
export interface WrittenColumn {
  readonly column: Column;
  readonly sources: ColumnSources;
  /** Whether each batch has the column. */
  readonly present: readonly boolean[];
}

/** Rows `from … to` in key order, and whether they are just the keys of a run that is there. */
interface Span {
  readonly from: number;
  readonly to: number;
  readonly again: boolean;
}

/**
 * Sorts rows by key and stores them: one fragment for every 128 MiB and for every run of keys that is written again, in
 * each a file for every column group, all files written whole and durable when the promise resolves.
 *
 * @param columns the first are the key.
 * @param runs what the table has, in key order.
 * @throws SpiralError `invalid_key` for a null, `duplicate_key`, `overlapping_writes`.
 */
export async function writeFragments(
  store: ObjectStore,
  columns: readonly WrittenColumn[],
  table: KeyedTable,
  runs: readonly KeyRun[],
  settings: { readonly batchRows?: number; readonly compression?: Compression },
): Promise<FragmentRef[]> {
  const keyCount = table.keyTypes.length;
  const rows = sortedRows(columns.slice(0, keyCount), table.name);
  const bytesPerRow = rowBytes(columns, rows.length);
  const fitting = Math.max(1, Math.floor(batchBytesMax / bytesPerRow));
  const batchRows = settings.batchRows ?? Math.min(batchRowsDefault, fitting);
  const batches = Math.max(1, Math.floor(partitionBytesMax / bytesPerRow / batchRows));
  // All spans are found before anything is stored, so that a write that is refused leaves nothing behind.
  const spans = spansOf(rows, runs, batches * batchRows, table);
  const kept = spans.map((span) => columnsOf(span, columns, rows, table));
  const fragments: FragmentRef[] = [];
  for (const [at, { from, to }] of spans.entries()) {
    const files: Promise<FileRef>[] = [];
    for (const group of columnGroups(columns, kept[at]!, keyCount)) {
      files.push(writeFile(store, columns, group, rows, { from, to, batchRows }, settings.compression));
    }
    fragments.push({
      rows: to - from,
      batchRows,
      keyMin: rows.key(from).slice(),
      keyMax: rows.key(to - 1).slice(),
      batchKeys: Array.from({ length: Math.ceil((to - from) / batchRows) }, (_, batch) =>
        rows.key(from + batch * batchRows).slice(),
      ),
      keyDigest: rows.digest(from, to),
      files: await allOf(files),
    });
  }
  return fragments;
}

/** The results of all, or the first failure once none is under way any more. */
async function allOf<T>(work: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(work);
  return Promise.all(work);
}

/** Where to cut the rows: a run that is there is one span however large, so that it stays one; others are cut by size. */
function spansOf(rows: SortedRows, runs: readonly KeyRun[], rowsMax: number, table: KeyedTable): Span[] {
  const spans: Span[] = [];
  for (let from = 0; from < rows.length; ) {
    const run = runs[runAt(runs, rows.key(from))]?.range;
    if (run === undefined || compareKeys(rows.key(from), run.keyMin) < 0) {
      const end = run === undefined ? rows.length : rows.lowerBound(run.keyMin, from);
      for (; from < end; from += rowsMax) spans.push({ from, to: Math.min(end, from + rowsMax), again: false });
      from = end;
      continue;
    }
    const to = from + run.rows;
    if (to > rows.length || Buffer.compare(rows.digest(from, to), run.keyDigest) !== 0) {
      throw crossing(table, run, rows.key(from), rows.key(Math.min(to, rows.length) - 1));
    }
    spans.push({ from, to, again: true });
    from = to;
  }
  return spans;
}

/**
 * The numbers of the columns that rows of a span have. New keys take null for a column that others of them have; keys that
 * are there must keep their cells of it, which files side by side can only do for all rows at once.
 */
function columnsOf(span: Span, columns: readonly WrittenColumn[], rows: SortedRows, table: KeyedTable): number[] {
  const numbers = columns.map((_, at) => at);
  if (columns.every(({ present }) => present.every(Boolean))) return numbers;
  const batches = [...new Set(rows.ranges(span.from, span.to).source)];
  return numbers.filter((at) => {
    const { column, present } = columns[at]!;
    const count = batches.filter((batch) => present[batch]).length;
    if (!span.again || count === 0 || count === batches.length) return count > 0;
    const path = pathText(column.path);
    const keys = [rows.key(span.from), rows.key(span.to - 1)].map((key) => keyText(key, table.keyTypes));
    throw new SpiralError(
      'overlapping_writes',
      `Expected the rows for ${table.name} from ${keys[0]} to ${keys[1]}, whose keys are there already, to have the column ` +
        `'${path}' in all batches or in none. Write the batches with it and those without it apart.`,
      { details: { table: table.name, column: path, keys } },
    );
  });
}

/** The rows of a write in key order. */
interface SortedRows {
  readonly length: number;
  key(at: number): Uint8Array;
  digest(from: number, to: number): Uint8Array;
  ranges(from: number, to: number): Ranges;
  /** The first row from `from` on whose key is not below `key`. */
  lowerBound(key: Uint8Array, from: number): number;
}

function sortedRows(keyColumns: readonly WrittenColumn[], name: string): SortedRows {
  const lengths = keyColumns[0]!.sources.lengths;
  const everything = allRanges(lengths);
  const data = keyColumns.map(({ sources }) => gatherColumn(sources, everything));
  const names = keyColumns.map(({ column }) => pathText(column.path));
  const keys = encodeKeys(data, names);
  const starts = startsOf(lengths);
  if (isStrictlyAscending(keys) < 0) {
    const key = (at: number): Uint8Array => keyAt(keys, at);
    return {
      length: keys.length,
      key,
      digest: (from, to) => digestOf([keys.bytes.subarray(keys.offsets[from]!, keys.offsets[to]!)]),
      ranges: (from, to) => spanned(starts, from, to),
      lowerBound: (wanted, from) => lowerBoundOf(key, wanted, from, keys.length),
    };
  }
  const order = sortOrder(keys);
  const twice = firstDuplicate(keys, order);
  if (twice !== undefined) throw duplicate(keys, keyColumns, twice, name);
  const key = (at: number): Uint8Array => keyAt(keys, order[at]!);
  return {
    length: keys.length,
    key,
    digest: (from, to) => digestOf(Array.from(order.subarray(from, to), (row) => keyAt(keys, row))),
    ranges: (from, to) => picked(starts, order.subarray(from, to)),
    lowerBound: (wanted, from) => lowerBoundOf(key, wanted, from, keys.length),
  };
}

function lowerBoundOf(key: (at: number) => Uint8Array, wanted: Uint8Array, from: number, to: number): number {
  let [low, high] = [from, to];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareKeys(key(middle), wanted) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Row at which each source begins, and the end. */
function startsOf(lengths: readonly number[]): Float64Array {
  const starts = new Float64Array(lengths.length + 1);
  for (const [at, length] of lengths.entries()) starts[at + 1] = starts[at]! + length;
  return starts;
}

/** Rows `from … to` of the sources put end to end. */
function spanned(starts: Float64Array, from: number, to: number): Ranges {
  const source: number[] = [];
  const start: number[] = [];
  const lengths: number[] = [];
  for (let at = stretchAt(starts, from); at < starts.length - 1 && starts[at]! < to; at++) {
    const begin = Math.max(from, starts[at]!);
    source.push(at);
    start.push(begin - starts[at]!);
    lengths.push(Math.min(to, starts[at + 1]!) - begin);
  }
  return {
    count: source.length,
    source: Int32Array.from(source),
    start: Int32Array.from(start),
    lengths: Int32Array.from(lengths),
    total: to - from,
  };
}

function picked(starts: Float64Array, rows: Uint32Array): Ranges {
  const source = new Int32Array(rows.length);
  const row = new Int32Array(rows.length);
  for (let at = 0; at < rows.length; at++) {
    source[at] = stretchAt(starts, rows[at]!);
    row[at] = rows[at]! - starts[source[at]!]!;
  }
  return rowRanges(source, row);
}

function digestOf(keys: Iterable<Uint8Array>): Uint8Array {
  const hash = createHash('sha256');
  for (const key of keys) hash.update(key);
  return new Uint8Array(hash.digest());
}

/** Those of `numbers` by file: the key and its siblings first, then a file for each struct. */
function columnGroups(columns: readonly WrittenColumn[], numbers: readonly number[], keyCount: number): number[][] {
  const groups = new Map<string, number[]>([['', []]]);
  for (const at of numbers) {
    const group = at < keyCount ? '' : groupOf(columns[at]!.column);
    const members = groups.get(group);
    if (members === undefined) groups.set(group, [at]);
    else members.push(at);
  }
  return [...groups.values()];
}

async function writeFile(
  store: ObjectStore,
  columns: readonly WrittenColumn[],
  group: readonly number[],
  rows: SortedRows,
  span: { from: number; to: number; batchRows: number },
  compression: Compression | undefined,
): Promise<FileRef> {
  const members = group.map((at) => columns[at]!);
  const schema = new Schema(members.map(({ column }) => new Field(pathText(column.path), column.type, true)));
  const writer = await ArrowFileWriter.create(schema, compression);
  const path = `data/${uniqueId('')}.arrow`;
  let bytes = 0;
  async function* body(): AsyncGenerator<Uint8Array> {
    yield* writer.start();
    for (let from = span.from; from < span.to; from += span.batchRows) {
      const ranges = rows.ranges(from, Math.min(span.to, from + span.batchRows));
      yield* writer.batch(
        gatherBatch(
          schema,
          members.map(({ sources }) => sources),
          ranges,
        ),
      );
    }
    const { chunks, file } = writer.finish();
    bytes = file.bytes;
    yield* chunks;
  }
  await store.put(path, body());
  return { path, bytes, columns: group };
}

/** Bytes of a row on average. */
function rowBytes(columns: readonly WrittenColumn[], rows: number): number {
  const sources = columns.map((column) => column.sources);
  return Math.max(1, gatheredBytes(sources, allRanges(sources[0]!.lengths)) / rows);
}

function duplicate(
  keys: EncodedKeys,
  columns: readonly WrittenColumn[],
  [a, b]: [number, number],
  name: string,
): SpiralError {
  const types = columns.map(({ column }) => column.type);
  const text = keyText(keyAt(keys, a), types);
  return new SpiralError(
    'duplicate_key',
    `Expected every key to be written once to ${name}, but rows ${a} and ${b} both have the key ${text}.`,
    { details: { table: name, key: text, rows: [a, b] } },
  );
}

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
import { sortOrder } from './key-sort.js';
import { keyText } from './key-values.js';
import type { FileRef, FragmentRef } from './operation.js';
import type { KeyedTable } from './version.js';

/** A column to be written: which of its operation's it is, and its data in every batch. */
export interface WrittenColumn {
  readonly number: number;
  readonly column: Column;
  readonly sources: ColumnSources;
}

/** What tells which keys a fragment has. */
export type KeyRange = Pick<FragmentRef, 'rows' | 'keyMin' | 'keyMax' | 'keyDigest'>;

/** Rows `from … to` in key order. */
interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * Sorts rows by key and stores them: one fragment for every 128 MiB and for all keys of a fragment that are written again,
 * in each a file for every column group, all files written whole and durable when the promise resolves.
 *
 * @param columns the first are the key.
 * @param there the fragments that the table has.
 * @throws SpiralError `invalid_key` for a null, `duplicate_key`.
 */
export async function writeFragments(
  store: ObjectStore,
  columns: readonly WrittenColumn[],
  table: KeyedTable,
  there: readonly KeyRange[],
  settings: { readonly batchRows?: number; readonly compression?: Compression },
): Promise<FragmentRef[]> {
  const keyCount = table.keyTypes.length;
  const rows = sortedRows(columns.slice(0, keyCount), table.name);
  const bytesPerRow = rowBytes(columns, rows.length);
  const fitting = Math.max(1, Math.floor(batchBytesMax / bytesPerRow));
  const batchRows = settings.batchRows ?? Math.min(batchRowsDefault, fitting);
  const batches = Math.max(1, Math.floor(partitionBytesMax / bytesPerRow / batchRows));
  const groups = columnGroups(columns, keyCount);
  const fragments: FragmentRef[] = [];
  for (const { from, to } of spansOf(rows, there, batches * batchRows)) {
    const files: Promise<FileRef>[] = [];
    for (const group of groups) {
      files.push(writeFile(store, group, rows, { from, to, batchRows }, settings.compression));
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

/**
 * Checks that no key is there twice in rows that are written apart.
 *
 * @param keyColumns the key alone, of all rows.
 * @throws SpiralError `invalid_key` for a null, `duplicate_key`.
 */
export function checkKeys(keyColumns: readonly WrittenColumn[], name: string): void {
  sortedRows(keyColumns, name);
}

/** The results of all, or the first failure once none is under way any more. */
async function allOf<T>(work: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(work);
  return Promise.all(work);
}

/**
 * Where to cut the rows: keys that a fragment has are one span however many, so that the two lie side by side and need no
 * merging; others are cut by size.
 */
function spansOf(rows: SortedRows, there: readonly KeyRange[], rowsMax: number): Span[] {
  const spans: Span[] = [];
  let from = 0;
  for (const again of spansAgain(rows, there)) {
    for (; from < again.from; from += rowsMax) spans.push({ from, to: Math.min(again.from, from + rowsMax) });
    spans.push(again);
    from = again.to;
  }
  for (; from < rows.length; from += rowsMax) spans.push({ from, to: Math.min(rows.length, from + rowsMax) });
  return spans;
}

/** The rows whose keys are just those of a fragment that is there, in order; where such spans overlap, the largest. */
function spansAgain(rows: SortedRows, there: readonly KeyRange[]): Span[] {
  const [first, last] = [rows.key(0), rows.key(rows.length - 1)];
  const found = new Map<string, Span>();
  for (const range of there) {
    if (compareKeys(range.keyMin, first) < 0 || compareKeys(range.keyMax, last) > 0) continue;
    const from = rows.lowerBound(range.keyMin, 0);
    const to = from + range.rows;
    if (to > rows.length || found.has(`${from} ${to}`)) continue;
    if (compareKeys(rows.key(from), range.keyMin) !== 0 || compareKeys(rows.key(to - 1), range.keyMax) !== 0) continue;
    if (Buffer.compare(rows.digest(from, to), range.keyDigest) === 0) found.set(`${from} ${to}`, { from, to });
  }
  const kept: Span[] = [];
  for (const span of [...found.values()].sort((a, b) => b.to - b.from - (a.to - a.from))) {
    if (kept.every(({ from, to }) => span.to <= from || span.from >= to)) kept.push(span);
  }
  return kept.sort((a, b) => a.from - b.from);
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

/** The columns by file: the key and its siblings first, then a file for each struct. */
function columnGroups(columns: readonly WrittenColumn[], keyCount: number): WrittenColumn[][] {
  const groups = new Map<string, WrittenColumn[]>();
  for (const [at, written] of columns.entries()) {
    const group = at < keyCount ? '' : groupOf(written.column);
    const members = groups.get(group);
    if (members === undefined) groups.set(group, [written]);
    else members.push(written);
  }
  return [...groups.values()];
}

async function writeFile(
  store: ObjectStore,
  group: readonly WrittenColumn[],
  rows: SortedRows,
  span: { from: number; to: number; batchRows: number },
  compression: Compression | undefined,
): Promise<FileRef> {
  const schema = new Schema(group.map(({ column }) => new Field(pathText(column.path), column.type, true)));
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
          group.map(({ sources }) => sources),
          ranges,
        ),
      );
    }
    const { chunks, file } = writer.finish();
    bytes = file.bytes;
    yield* chunks;
  }
  await store.put(path, body());
  return { path, bytes, columns: group.map(({ number }) => number) };
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

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
import { firstDuplicate, isStrictlyAscending } from './key-compare.js';
import { sortOrder } from './key-sort.js';
import { keyText } from './key-values.js';
import type { FileRef, FragmentRef } from './operation.js';

/** A column to be written, and its data in every batch. */
export interface WrittenColumn {
  readonly column: Column;
  readonly sources: ColumnSources;
}

/**
 * Sorts rows by key and stores them: one fragment for every 128 MiB, in each a file for every column group, all files
 * written whole and durable when the promise resolves.
 *
 * @param columns the first `keyCount` are the key.
 * @throws SpiralError `invalid_key` for a null, `duplicate_key`.
 */
export async function writeFragments(
  store: ObjectStore,
  columns: readonly WrittenColumn[],
  keyCount: number,
  name: string,
  settings: { readonly batchRows?: number; readonly compression?: Compression },
): Promise<FragmentRef[]> {
  const rows = sortedRows(columns.slice(0, keyCount), name);
  const bytesPerRow = rowBytes(columns, rows.length);
  const fitting = Math.max(1, Math.floor(batchBytesMax / bytesPerRow));
  const batchRows = settings.batchRows ?? Math.min(batchRowsDefault, fitting);
  const batches = Math.max(1, Math.floor(partitionBytesMax / bytesPerRow / batchRows));
  const groups = columnGroups(columns, keyCount);
  const fragments: FragmentRef[] = [];
  for (let from = 0; from < rows.length; from += batches * batchRows) {
    const to = Math.min(rows.length, from + batches * batchRows);
    const files = await Promise.all(
      groups.map((group) => writeFile(store, columns, group, rows, { from, to, batchRows }, settings.compression)),
    );
    fragments.push({
      rows: to - from,
      batchRows,
      keyMin: rows.key(from).slice(),
      keyMax: rows.key(to - 1).slice(),
      batchKeys: Array.from({ length: Math.ceil((to - from) / batchRows) }, (_, at) =>
        rows.key(from + at * batchRows).slice(),
      ),
      keyDigest: rows.digest(from, to),
      files,
    });
  }
  return fragments;
}

/** The rows of a write in key order. */
interface SortedRows {
  readonly length: number;
  key(at: number): Uint8Array;
  digest(from: number, to: number): Uint8Array;
  ranges(from: number, to: number): Ranges;
}

function sortedRows(keyColumns: readonly WrittenColumn[], name: string): SortedRows {
  const lengths = keyColumns[0]!.sources.lengths;
  const everything = allRanges(lengths);
  const data = keyColumns.map(({ sources }) => gatherColumn(sources, everything));
  const names = keyColumns.map(({ column }) => pathText(column.path));
  const keys = encodeKeys(data, names);
  const starts = startsOf(lengths);
  if (isStrictlyAscending(keys) < 0) {
    return {
      length: keys.length,
      key: (at) => keyAt(keys, at),
      digest: (from, to) => digestOf([keys.bytes.subarray(keys.offsets[from]!, keys.offsets[to]!)]),
      ranges: (from, to) => spanned(starts, from, to),
    };
  }
  const order = sortOrder(keys);
  const twice = firstDuplicate(keys, order);
  if (twice !== undefined) throw duplicate(keys, keyColumns, twice, name);
  return {
    length: keys.length,
    key: (at) => keyAt(keys, order[at]!),
    digest: (from, to) => digestOf(Array.from(order.subarray(from, to), (row) => keyAt(keys, row))),
    ranges: (from, to) => picked(starts, order.subarray(from, to)),
  };
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

/** Column numbers by file: the key and its siblings first, then a file for each struct. */
function columnGroups(columns: readonly WrittenColumn[], keyCount: number): number[][] {
  const groups = new Map<string, number[]>([['', []]]);
  for (const [at, { column }] of columns.entries()) {
    const group = at < keyCount ? '' : groupOf(column);
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

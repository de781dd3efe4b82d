import { gatherColumn, gatheredBytes } from '../arrow/gather.js';
import { allRanges, type Ranges, rowRanges } from '../arrow/ranges.js';
import { columnSources } from '../arrow/sources.js';
import { SpiralError } from '../core/errors.js';
import { stretchAt } from '../core/search.js';
import { type Column, pathText } from './column.js';
import { type EncodedKeys, encodeKeys, keyAt, pickKeys } from './key-codec.js';
import { firstDuplicate, isStrictlyAscending } from './key-compare.js';
import { sortOrder } from './key-sort.js';
import { keyText } from './key-values.js';
import type { ColumnSet, ColumnSets, SortedRows } from './sorted-rows.js';
import type { KeyedTable } from './version.js';
import type { WrittenBatch } from './write-columns.js';

/** What a row takes besides its cells while it is sorted: its key, where that begins, and its place in the order. */
const rowOverheadBytes = 48;

/** Rows of a block that have the same columns, sorted. */
export interface BlockPart {
  readonly set: ColumnSet;
  readonly rows: SortedRows;
  /** The number of each row in the write's input. */
  numbers(): Float64Array;
}

/** Batches that are sorted together, as many as memory holds. */
export class WriteBlock {
  readonly #table: KeyedTable;
  readonly #columns: readonly Column[];
  /** The number of the first row in the write's input. */
  readonly #firstRow: number;
  readonly #batches: WrittenBatch[] = [];
  #rows = 0;
  #bytes = 0;
  #isUniform = true;
  #sorted: { readonly keys: EncodedKeys; readonly order: Uint32Array | undefined } | undefined;

  /** @param columns of the write; it grows as batches come. */
  constructor(table: KeyedTable, columns: readonly Column[], firstRow: number) {
    this.#table = table;
    this.#columns = columns;
    this.#firstRow = firstRow;
  }

  get rows(): number {
    return this.#rows;
  }

  /** Bytes that sorting the block takes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether all rows have the same columns. */
  get isUniform(): boolean {
    return this.#isUniform;
  }

  /** Whether rows came in key order, once sorted. */
  get inOrder(): boolean {
    return this.#sorted?.order === undefined;
  }

  /** The least and the greatest key, once sorted. */
  get range(): { keyMin: Uint8Array; keyMax: Uint8Array } {
    const { keys, order } = this.#sorted!;
    const last = keys.length - 1;
    return { keyMin: keyAt(keys, order?.[0] ?? 0), keyMax: keyAt(keys, order?.[last] ?? last) };
  }

  add(batch: WrittenBatch): void {
    const columns = this.#batches[0]?.columns ?? batch.columns;
    this.#isUniform &&= columns.length === batch.columns.length && columns.every((at, i) => at === batch.columns[i]);
    this.#batches.push(batch);
    this.#sorted = undefined;
    this.#rows += batch.rows;
    const sources = batch.columns.map((number, at) => columnSources(this.#columns[number]!.type, [batch.data[at]!]));
    this.#bytes += gatheredBytes(sources, allRanges([batch.rows])) + batch.rows * rowOverheadBytes;
  }

  /** Finds the order of the keys. @throws SpiralError `invalid_key` for a null, `duplicate_key`. */
  sort(): void {
    if (this.#sorted !== undefined) return;
    const lengths = this.#batches.map((batch) => batch.rows);
    const keyColumns = this.#table.keyTypes.map((type, at) => {
      const data = this.#batches.map((batch) => batch.data[at]!);
      if (data.length === 1) return data[0]!;
      return gatherColumn(columnSources(type, data), allRanges(lengths));
    });
    const names = keyColumns.map((_, at) => pathText(this.#columns[at]!.path));
    const keys = encodeKeys(keyColumns, names, this.#firstRow);
    if (isStrictlyAscending(keys) < 0) {
      this.#sorted = { keys, order: undefined };
      return;
    }
    const order = sortOrder(keys);
    const twice = firstDuplicate(keys, order);
    if (twice !== undefined) {
      const [a, b] = twice.map((row) => this.#firstRow + row);
      throw duplicateKey(this.#table, keyAt(keys, twice[0]), a!, b!);
    }
    this.#sorted = { keys, order };
  }

  /** The rows in key order, those with the same columns together. */
  parts(sets: ColumnSets): BlockPart[] {
    const batchSets = this.#batches.map((batch) => sets.of(batch.columns));
    return Array.from(new Set(batchSets), (set) => this.#part(set, batchSets));
  }

  /** The rows of the batches that have the columns `set`. */
  #part(set: ColumnSet, batchSets: readonly ColumnSet[]): BlockPart {
    const { keys, order } = this.#sorted!;
    const lengths = this.#batches.map((batch) => batch.rows);
    const starts = startsOf(lengths);
    const rows = rowsOf(keys.length, order, starts, (source) => batchSets[source] === set);
    const own = this.#batches.flatMap((batch, at) => (batchSets[at] === set ? [{ batch, at }] : []));
    const places = new Map(own.map(({ at }, place) => [at, place]));
    const sources = set.columns.map((number, at) =>
      columnSources(
        this.#columns[number]!.type,
        own.map(({ batch }) => batch.data[at]!),
      ),
    );
    const ranges =
      rows === undefined
        ? allRanges(own.map(({ batch }) => batch.rows))
        : placedRanges(rows, starts, (source) => places.get(source)!);
    return {
      set,
      rows: {
        keys: rows === undefined ? keys : pickKeys(keys, rows),
        sources,
        ranges,
        data: own.map(({ batch }) => batch.data),
        bytes: gatheredBytes(sources, allRanges(own.map(({ batch }) => batch.rows))),
      },
      numbers: () => {
        const numbers = new Float64Array(ranges.total);
        for (let at = 0; at < numbers.length; at++) numbers[at] = this.#firstRow + (rows?.[at] ?? at);
        return numbers;
      },
    };
  }
}

/** The error for one key in two rows of a write, numbered in the order in which they came. */
export function duplicateKey(table: KeyedTable, key: Uint8Array, row: number, other: number): SpiralError {
  const text = keyText(key, table.keyTypes);
  const rows = [row, other].sort((a, b) => a - b);
  return new SpiralError(
    'duplicate_key',
    `Expected every key to be written once to ${table.name}, but rows ${rows[0]} and ${rows[1]} both have the key ` +
      `${text}. Keep one of them; a later write may have the key again.`,
    { details: { table: table.name, key: text, rows } },
  );
}

/** Row at which each source begins, and the end. */
function startsOf(lengths: readonly number[]): Float64Array {
  const starts = new Float64Array(lengths.length + 1);
  for (const [at, length] of lengths.entries()) starts[at + 1] = starts[at]! + length;
  return starts;
}

/** The rows to take, in order; undefined for all as they come. */
function rowsOf(
  count: number,
  order: Uint32Array | undefined,
  starts: Float64Array,
  wanted: (source: number) => boolean,
): Uint32Array | undefined {
  const sources = Array.from({ length: starts.length - 1 }, (_, source) => wanted(source));
  if (sources.every(Boolean)) return order;
  const rows = new Uint32Array(count);
  let taken = 0;
  for (let at = 0; at < count; at++) {
    const row = order?.[at] ?? at;
    if (sources[stretchAt(starts, row)]) rows[taken++] = row;
  }
  return rows.subarray(0, taken);
}

function placedRanges(rows: Uint32Array, starts: Float64Array, placeOf: (source: number) => number): Ranges {
  const source = new Int32Array(rows.length);
  const row = new Int32Array(rows.length);
  for (let at = 0; at < rows.length; at++) {
    const batch = stretchAt(starts, rows[at]!);
    source[at] = placeOf(batch);
    row[at] = rows[at]! - starts[batch]!;
  }
  return rowRanges(source, row);
}

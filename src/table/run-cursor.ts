import type { Data } from 'apache-arrow';
import { ArrowFile } from '../format/arrow-file.js';
import { readRows } from '../format/arrow-read.js';
import type { ObjectStore } from '../storage/store.js';
import { type Column, pathText } from './column.js';
import { type EncodedKeys, encodeKeys, keyAt } from './key-codec.js';
import type { FragmentRef } from './operation.js';
import type { ColumnSet } from './sorted-rows.js';

/** A fragment of a write that is still to be merged with others. */
export interface Run {
  readonly fragment: FragmentRef;
  readonly set: ColumnSet;
  /**
   * The number that row `i` has in the write's input: `from + i`, or where `path` is set, value `from + i` of that file of
   * float64.
   */
  readonly numbers: { readonly from: number; readonly path?: string };
}

/** One record batch of a run, in memory. */
export interface RunBatch {
  readonly set: ColumnSet;
  /** Of each column of the set. */
  readonly data: readonly Data[];
  readonly keys: EncodedKeys;
  /** The run's row that is its first. */
  readonly start: number;
}

/** Reads a run from its beginning, a record batch at a time and one ahead. */
export class RunCursor {
  readonly run: Run;
  readonly #store: ObjectStore;
  readonly #columns: readonly Column[];
  readonly #keyNames: readonly string[];
  readonly #signal: AbortSignal | undefined;
  #files: Promise<{ file: ArrowFile; columns: readonly number[] }[]> | undefined;
  #ahead: Promise<RunBatch> | undefined;
  #nextBatch = 0;
  #batch: RunBatch | undefined;
  /** The row of the batch that is next. */
  at = 0;

  constructor(
    store: ObjectStore,
    run: Run,
    columns: readonly Column[],
    keyCount: number,
    signal: AbortSignal | undefined,
  ) {
    this.run = run;
    this.#store = store;
    this.#columns = columns;
    this.#keyNames = columns.slice(0, keyCount).map(({ path }) => pathText(path));
    this.#signal = signal;
  }

  /** The batch that is read, which has a row left. */
  get batch(): RunBatch {
    return this.#batch!;
  }

  /** The key of the next row. */
  get key(): Uint8Array {
    return keyAt(this.batch.keys, this.at);
  }

  /** Goes on to the next batch; false at the end. @throws SpiralError `corrupt_file`, and what the store throws. */
  async next(): Promise<boolean> {
    this.#batch = undefined;
    this.at = 0;
    const ahead = this.#ahead ?? this.#read();
    if (ahead === undefined) return false;
    this.#batch = await ahead;
    this.#ahead = this.#read();
    // Met again, and thrown, when its turn comes.
    this.#ahead?.catch(() => {});
    return true;
  }

  /** Resolves once no read is under way. */
  async close(): Promise<void> {
    await this.#ahead?.catch(() => {});
  }

  /** The numbers that rows `from … to` of `batch` have in the write's input. */
  async numbers(batch: RunBatch, from: number, to: number): Promise<Float64Array> {
    const { numbers } = this.run;
    const first = numbers.from + batch.start + from;
    if (numbers.path === undefined) return Float64Array.from({ length: to - from }, (_, at) => first + at);
    const bytes = await this.#store.getRange(numbers.path, first * 8, (to - from) * 8);
    return new Float64Array(bytes.slice().buffer);
  }

  #read(): Promise<RunBatch> | undefined {
    const { batchKeys } = this.run.fragment;
    return this.#nextBatch < batchKeys.length ? this.#readBatch(this.#nextBatch++) : undefined;
  }

  async #readBatch(number: number): Promise<RunBatch> {
    const { fragment, set } = this.run;
    this.#files ??= Promise.all(
      fragment.files.map(async ({ path, bytes, columns }) => ({
        file: await ArrowFile.open(this.#store, path, bytes),
        columns,
      })),
    );
    const files = await this.#files;
    const rows = Math.min(fragment.batchRows, fragment.rows - number * fragment.batchRows);
    const data = new Map<number, Data>();
    await Promise.all(
      files.map(async ({ file, columns }) => {
        const request = { columns: columns.map((_, at) => at), verify: 'always', signal: this.#signal } as const;
        const read = await readRows(file, number, 0, rows, request);
        for (const [at, column] of columns.entries()) data.set(column, read[at]!.clone(this.#columns[column]!.type));
      }),
    );
    const own = set.columns.map((column) => data.get(column)!);
    const keys = encodeKeys(own.slice(0, this.#keyNames.length), this.#keyNames);
    return { set, data: own, keys, start: number * fragment.batchRows };
  }
}

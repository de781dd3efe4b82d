import { createHash, type Hash } from 'node:crypto';
import { Field, type RecordBatch, Schema } from 'apache-arrow';
import { recordBatch } from '../arrow/record-batch.js';
import { uniqueId } from '../core/random.js';
import { ArrowFileWriter } from '../format/arrow-writer.js';
import type { Compression } from '../format/codec.js';
import { BodyPipe } from '../storage/body-pipe.js';
import type { ObjectStore } from '../storage/store.js';
import { type Column, groupOf, pathText } from './column.js';
import { type EncodedKeys, keyAt } from './key-codec.js';
import { compareKeys, lowerBound } from './key-compare.js';
import { type KeyRange, rangeAt, rangesApart } from './key-range.js';
import type { FileRef, FragmentRef } from './operation.js';
import { type ColumnSet, rowsBetween, type SortedRows } from './sorted-rows.js';

/** How fragments are stored. */
export interface FragmentForm {
  /** Rows of a record batch; undefined: as many as `batchBytes` and `batchRowsMax` allow. */
  readonly batchRows: number | undefined;
  readonly batchRowsMax: number;
  readonly batchBytes: number;
  /** Bytes at which a fragment ends and another begins. */
  readonly fragmentBytes: number;
  readonly compression: Compression | undefined;
  readonly signal: AbortSignal | undefined;
}

/** By how much rows may outgrow, or fall short of, those that a fragment's batches were measured by. */
const growthMax = 4;

/**
 * Stores rows that come in key order as fragments: one for every 128 MiB or so, and one for every run of keys that is
 * there already, so that the new files lie beside the old ones row by row. Holds a record batch or two, never a fragment.
 */
export class FragmentWriter {
  readonly set: ColumnSet;
  readonly #store: ObjectStore;
  readonly #form: FragmentForm;
  readonly #columns: readonly Column[];
  readonly #schema: Schema;
  readonly #groups: readonly (readonly number[])[];
  readonly #written: Promise<FragmentRef>[] = [];
  /** Told the path of every file, before it is there. */
  readonly #made: (path: string) => void;
  #open: OpenFragment | undefined;

  /** @param columns of the whole write, the first `keyCount` of which are the key. */
  constructor(
    store: ObjectStore,
    columns: readonly Column[],
    keyCount: number,
    set: ColumnSet,
    form: FragmentForm,
    made: (path: string) => void,
  ) {
    this.#store = store;
    this.set = set;
    this.#form = form;
    this.#columns = set.columns.map((number) => columns[number]!);
    this.#schema = new Schema(this.#columns.map(({ path, type }) => new Field(pathText(path), type, true)));
    this.#groups = columnGroups(this.#columns, keyCount);
    this.#made = made;
  }

  /**
   * Writes `rows`, all above those before.
   *
   * @param there the runs of keys that are there and meet those of `rows`.
   */
  async append(rows: SortedRows, there: readonly KeyRange[]): Promise<void> {
    const { keys, bytes } = rows;
    const fitting = this.#batchRows(bytes / keys.length);
    const runs = rangesApart(there.filter((run) => mayBeKeysOf(run, keys)));
    for (let from = 0; from < keys.length; ) {
      const key = keyAt(keys, from);
      if (this.#open !== undefined && (this.#open.endsBefore(key) || this.#open.misfits(fitting))) await this.#close();
      const run = this.#open?.run ?? runs[rangeAt(runs, key)];
      const isInside = run !== undefined && compareKeys(key, run.keyMin) >= 0;
      if (isInside && this.#open?.run !== run) await this.#close();
      this.#open ??= await this.#opened(fitting, isInside ? run : undefined);
      const to = this.#endOf(keys, from, run, isInside);
      const until = await this.#fill(this.#open, rows, from, to);
      if (until < to || (to < keys.length && until === to)) await this.#close();
      from = until;
    }
  }

  /** Ends the fragment that is open, and gives all that were written, in order. */
  async finish(): Promise<FragmentRef[]> {
    await this.#close();
    return Promise.all(this.#written);
  }

  /** Gives up: no put is under way when the promise resolves. */
  async discard(error: unknown): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.fail(error);
    await Promise.allSettled(this.#written);
  }

  #batchRows(bytesPerRow: number): number {
    const { batchRows, batchRowsMax, batchBytes } = this.#form;
    return batchRows ?? Math.min(batchRowsMax, Math.max(1, Math.floor(batchBytes / Math.max(1, bytesPerRow))));
  }

  /** The first row from `from` on that is not for the fragment that is open. */
  #endOf(keys: EncodedKeys, from: number, run: KeyRange | undefined, isInside: boolean): number {
    if (run === undefined) return keys.length;
    if (!isInside) return lowerBound(keys, run.keyMin, from);
    const end = lowerBound(keys, run.keyMax, from);
    return end < keys.length && compareKeys(keyAt(keys, end), run.keyMax) === 0 ? end + 1 : end;
  }

  /** Writes rows from `from` on to `open`, until `to` or until it is full; gives the row that is next. */
  async #fill(open: OpenFragment, rows: SortedRows, from: number, to: number): Promise<number> {
    let at = from;
    while (at < to) {
      const end = Math.min(to, at + open.missingRows);
      await open.add(rowsBetween(this.#schema, rows, at, end), rows.keys, at, end);
      at = end;
      if (open.isFull(this.#form.fragmentBytes)) return at;
    }
    return at;
  }

  async #opened(batchRows: number, run: KeyRange | undefined): Promise<OpenFragment> {
    const files = await Promise.all(
      this.#groups.map(async (group) => {
        const fields = group.map((at) => this.#schema.fields[at]!);
        const writer = await ArrowFileWriter.create(new Schema(fields), this.#form.compression);
        const path = `data/${uniqueId('')}.arrow`;
        this.#made(path);
        const columns = group.map((at) => this.set.columns[at]!);
        return new OpenFile(this.#store, path, writer, new Schema(fields), group, columns, this.#form.signal);
      }),
    );
    return new OpenFragment(files, batchRows, run);
  }

  /** Ends the open fragment. It becomes durable while the next one is written; the one before must be by then. */
  async #close(): Promise<void> {
    const open = this.#open;
    if (open === undefined) return;
    await this.#written.at(-1);
    this.#open = undefined;
    const written = open.end();
    written.catch(() => {});
    this.#written.push(written);
  }
}

/** Whether some of `keys` are just those of `run`, or begin so and go on behind the last of `keys`. */
function mayBeKeysOf(run: KeyRange, keys: EncodedKeys): boolean {
  const from = lowerBound(keys, run.keyMin);
  if (from === keys.length || compareKeys(keyAt(keys, from), run.keyMin) !== 0) return false;
  if (compareKeys(keyAt(keys, keys.length - 1), run.keyMax) < 0) return keys.length - from < run.rows;
  const to = from + run.rows;
  if (to > keys.length || compareKeys(keyAt(keys, to - 1), run.keyMax) !== 0) return false;
  const digest = createHash('sha256').update(keys.bytes.subarray(keys.offsets[from]!, keys.offsets[to]!)).digest();
  return Buffer.compare(digest, run.keyDigest) === 0;
}

/** A fragment under way: full batches are in its files, the rows behind them wait for more. */
class OpenFragment {
  /** The run of keys that it covers; undefined for new keys. */
  readonly run: KeyRange | undefined;
  readonly #files: readonly OpenFile[];
  readonly #batchRows: number;
  readonly #hash: Hash = createHash('sha256');
  readonly #batchKeys: Uint8Array[] = [];
  /** Parts of the next batch. */
  #waiting: RecordBatch[] = [];
  #waitingRows = 0;
  #keyMin: Uint8Array | undefined;
  #keyMax: Uint8Array | undefined;
  #rows = 0;

  constructor(files: readonly OpenFile[], batchRows: number, run: KeyRange | undefined) {
    this.#files = files;
    this.#batchRows = batchRows;
    this.run = run;
  }

  /** Rows until the next batch is whole. */
  get missingRows(): number {
    return this.#batchRows - this.#waitingRows;
  }

  endsBefore(key: Uint8Array): boolean {
    return this.run !== undefined && compareKeys(key, this.run.keyMax) > 0;
  }

  /** Whether batches of rows of which `fitting` make one should not be put in. */
  misfits(fitting: number): boolean {
    if (this.#rows <= (this.run?.rows ?? 0)) return false;
    return fitting * growthMax < this.#batchRows || fitting > this.#batchRows * growthMax;
  }

  isFull(bytesMax: number): boolean {
    if (this.#waitingRows > 0 || this.#rows <= (this.run?.rows ?? 0)) return false;
    return this.#files.reduce((sum, file) => sum + file.bytes, 0) >= bytesMax;
  }

  /** Adds `batch`, at most `missingRows` of it: rows `from … to` of `keys`. */
  async add(batch: RecordBatch, keys: EncodedKeys, from: number, to: number): Promise<void> {
    this.#hash.update(keys.bytes.subarray(keys.offsets[from]!, keys.offsets[to]!));
    this.#keyMin ??= keyAt(keys, from).slice();
    this.#keyMax = keyAt(keys, to - 1).slice();
    if (this.#waitingRows === 0) this.#batchKeys.push(keyAt(keys, from).slice());
    this.#rows += to - from;
    this.#waiting.push(batch);
    this.#waitingRows += to - from;
    if (this.#waitingRows === this.#batchRows) await this.#write();
  }

  async end(): Promise<FragmentRef> {
    if (this.#waitingRows > 0) await this.#write();
    const files = await Promise.all(this.#files.map((file) => file.end()));
    return {
      rows: this.#rows,
      batchRows: this.#batchRows,
      keyMin: this.#keyMin!,
      keyMax: this.#keyMax!,
      batchKeys: this.#batchKeys,
      keyDigest: new Uint8Array(this.#hash.digest()),
      files,
    };
  }

  async fail(error: unknown): Promise<void> {
    await Promise.all(this.#files.map((file) => file.fail(error)));
  }

  async #write(): Promise<void> {
    const parts = this.#waiting;
    this.#waiting = [];
    this.#waitingRows = 0;
    for (const file of this.#files) await file.write(parts);
  }
}

/** A file under way: the put that stores it runs beside. */
class OpenFile {
  readonly #path: string;
  readonly #writer: ArrowFileWriter;
  readonly #schema: Schema;
  readonly #members: readonly number[];
  readonly #columns: readonly number[];
  readonly #pipe = new BodyPipe();
  readonly #stored: Promise<void>;
  #failure: { readonly error: unknown } | undefined;
  bytes = 0;

  constructor(
    store: ObjectStore,
    path: string,
    writer: ArrowFileWriter,
    schema: Schema,
    members: readonly number[],
    columns: readonly number[],
    signal: AbortSignal | undefined,
  ) {
    this.#path = path;
    this.#writer = writer;
    this.#schema = schema;
    this.#members = members;
    this.#columns = columns;
    this.#stored = store.put(path, this.#pipe.body, { signal });
    this.#stored.catch((error: unknown) => {
      this.#failure = { error };
      this.#pipe.leave();
    });
    void this.#pipe.push(this.#counted(writer.start()));
  }

  /** Writes one record batch, of all `parts`. */
  async write(parts: readonly RecordBatch[]): Promise<void> {
    const own = parts.map((part) => {
      const columns = this.#members.map((at) => part.data.children[at]!);
      return recordBatch(this.#schema, columns, part.numRows);
    });
    await this.#push(this.#writer.batch(...own));
  }

  async end(): Promise<FileRef> {
    const { chunks, file } = this.#writer.finish();
    await this.#push(chunks);
    this.#pipe.end();
    await this.#stored;
    return { path: this.#path, bytes: file.bytes, columns: this.#columns };
  }

  async fail(error: unknown): Promise<void> {
    this.#pipe.fail(error);
    await this.#stored.catch(() => {});
  }

  async #push(chunks: readonly Uint8Array[]): Promise<void> {
    await this.#pipe.push(this.#counted(chunks));
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #counted(chunks: readonly Uint8Array[]): readonly Uint8Array[] {
    for (const chunk of chunks) this.bytes += chunk.byteLength;
    return chunks;
  }
}

/** `columns` by file: the key and its siblings first, then a file for each struct. */
function columnGroups(columns: readonly Column[], keyCount: number): number[][] {
  const groups = new Map<string, number[]>([['', []]]);
  for (const [at, column] of columns.entries()) {
    const group = at < keyCount ? '' : groupOf(column);
    const members = groups.get(group);
    if (members === undefined) groups.set(group, [at]);
    else members.push(at);
  }
  return [...groups.values()];
}

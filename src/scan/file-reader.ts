import { Data } from 'apache-arrow';
import { gatherColumn } from '../arrow/gather.js';
import { nullColumn } from '../arrow/nulls.js';
import { allRanges, oneRange, rowRanges } from '../arrow/ranges.js';
import { columnSources } from '../arrow/sources.js';
import { isSpiralError } from '../core/errors.js';
import { stretchAt } from '../core/search.js';
import type { Effects } from './effects.js';
import type { FileColumn, FilePlan } from './file-plan.js';
import type { NumberedColumns } from './filterable-rows.js';
import type { GroupCache } from './group-cache.js';
import { checkPinned, type OpenFiles, pinnedError } from './open-files.js';
import type { ScanCounts } from './scan-metrics.js';
import type { PartOptions, Stretch } from './set-reader.js';

/**
 * Where groups are let go before a shuffle comes back to them, a part of one is read by itself, if its format can and it has
 * one row in so many: to find it costs a sixteenth of decoding the group.
 */
const rowsReadApart = 16;

/** What reading rows of files needs. */
export interface FileReading {
  readonly plan: FilePlan;
  readonly files: OpenFiles;
  /** Groups that were read for a part of their rows. */
  readonly groups: GroupCache;
  /** Whether no group of text is let go again. */
  readonly keepsAll: boolean;
  readonly counts: ScanCounts;
  readonly effects: Effects;
}

/**
 * Reads columns of one file for whoever wants the rows `wanted` of it. Groups of which that is a part are kept, for who
 * wants the other part.
 */
export class FileReader {
  readonly #reading: FileReading;
  readonly #number: number;
  readonly #wanted: Stretch;

  constructor(reading: FileReading, number: number, wanted: Stretch) {
    this.#reading = reading;
    this.#number = number;
    this.#wanted = wanted;
  }

  /** The rows at which each group begins, and the number of rows. */
  get starts(): Float64Array {
    return this.#reading.files.files[this.#number]!.rowStarts;
  }

  /** Rows `from … to` of `columns`. */
  async rows(columns: readonly FileColumn[], from: number, to: number, options: PartOptions): Promise<NumberedColumns> {
    const { starts } = this;
    const stored = this.#stored(columns);
    const pieces: Promise<readonly Data[]>[] = [];
    for (let group = stretchAt(starts, from); stored.length > 0 && starts[group]! < to; group++) {
      const start = starts[group]!;
      const within = { from: Math.max(from, start) - start, to: Math.min(to, starts[group + 1]!) - start };
      pieces.push(this.#rowsOf(stored, group, within, options));
    }
    const read = await Promise.all(pieces);
    return this.#numbered(columns, to - from, (at) => from + at, joinedBy(stored, read));
  }

  /**
   * Rows number `kept.from … kept.to` of `rows`, ascending and counted from row `base`, of `columns`; reads every group that
   * any of `rows` is in.
   */
  async pick(
    columns: readonly FileColumn[],
    base: number,
    rows: Int32Array,
    kept: Stretch,
    options: PartOptions,
  ): Promise<NumberedColumns> {
    const own = rows.subarray(kept.from, kept.to);
    const stored = this.#stored(columns);
    const { starts } = this;
    const pieces: Promise<readonly Data[]>[] = [];
    for (let at = 0; stored.length > 0 && at < rows.length; ) {
      const group = stretchAt(starts, base + rows[at]!);
      const first = at;
      while (at < rows.length && base + rows[at]! < starts[group + 1]!) at++;
      const [from, to] = [Math.max(first, kept.from), Math.min(at, kept.to)];
      const picked = rows.subarray(from, Math.max(from, to)).map((row) => base + row - starts[group]!);
      pieces.push(this.#picked(stored, group, picked, options));
    }
    const read = await Promise.all(pieces);
    return this.#numbered(columns, own.length, (at) => base + own[at]!, joinedBy(stored, read));
  }

  #stored(columns: readonly FileColumn[]): FileColumn[] {
    return columns.filter(({ id }) => id < this.#reading.plan.fileId);
  }

  /** `columns` of `count` rows, number i of which is row `rowAt(i)` of the file: those of the key are made, others `stored`. */
  #numbered(
    columns: readonly FileColumn[],
    count: number,
    rowAt: (at: number) => number,
    stored: (at: number) => Data,
  ): NumberedColumns {
    const { plan, files } = this.#reading;
    let at = 0;
    return new Map(
      columns.map(({ id, type }): [number, Data] => {
        if (id === plan.fileId) return [id, repeated(type, files.files[this.#number]!.pinned.path, count)];
        return [id, id === plan.rowId ? rowNumbers(type, count, rowAt) : stored(at++)];
      }),
    );
  }

  /** Rows of one group: its own columns where all are asked for, else copies of a part of them. */
  async #rowsOf(
    columns: readonly FileColumn[],
    group: number,
    { from, to }: Stretch,
    options: PartOptions,
  ): Promise<readonly Data[]> {
    const all = this.#rowsIn(group);
    const isApart = to - from < all && (to - from) * rowsReadApart >= all;
    if (isApart && this.#readsApart() && !this.#reading.keepsAll) {
      return this.#read(columns, group, options.signal, { from, to });
    }
    try {
      const whole = await this.#group(columns, group, options);
      if (from === 0 && to === all) return whole;
      return whole.map((data) => gatherColumn(columnSources(data.type, [data]), oneRange(from, to - from)));
    } catch (error) {
      if (!this.#damagedInRows(error)) throw error;
      return this.#read(columns, group, options.signal, { from, to });
    }
  }

  async #picked(
    columns: readonly FileColumn[],
    group: number,
    rows: Int32Array,
    options: PartOptions,
  ): Promise<readonly Data[]> {
    let read: (readonly Data[])[];
    let [source, own] = [new Int32Array(rows.length), rows];
    try {
      read = [await this.#group(columns, group, options)];
    } catch (error) {
      if (!this.#damagedInRows(error)) throw error;
      const single = (row: number): Promise<readonly Data[]> =>
        this.#read(columns, group, options.signal, { from: row, to: row + 1 });
      read = await Promise.all(Array.from(rows, single));
      [source, own] = [Int32Array.from(rows.keys()), new Int32Array(rows.length)];
    }
    const ranges = rowRanges(source, own);
    return columns.map(({ type }, at) => {
      const data = read.map((one) => one[at]!);
      return data.length === 0 ? nullColumn(type, 0) : gatherColumn(columnSources(type, data), ranges);
    });
  }

  /** Whether `error` may be about other rows of a group than those that are asked for. */
  #damagedInRows(error: unknown): boolean {
    return this.#readsApart() && isSpiralError(error, 'corrupt_file');
  }

  #readsApart(): boolean {
    return this.#reading.files.files[this.#number]!.file.readRows !== undefined;
  }

  #rowsIn(group: number): number {
    return this.starts[group + 1]! - this.starts[group]!;
  }

  /** All rows of a group. */
  async #group(columns: readonly FileColumn[], group: number, { signal }: PartOptions): Promise<readonly Data[]> {
    const { groups } = this.#reading;
    const name = `${this.#number} ${group} ${columns.map(({ id }) => id).join(',')}`;
    if (this.#wanted.from <= this.starts[group]! && this.#wanted.to >= this.starts[group + 1]!) {
      return groups.find(name) ?? this.#read(columns, group, signal);
    }
    // What others wait for as well does not end with the signal of one of them.
    return groups.get(name, () => this.#read(columns, group, undefined));
  }

  async #read(
    columns: readonly FileColumn[],
    group: number,
    signal: AbortSignal | undefined,
    rows?: Stretch,
  ): Promise<readonly Data[]> {
    const { files, counts } = this.#reading;
    const { file, pinned, columns: numbers } = files.files[this.#number]!;
    const own = columns.map(({ id }) => numbers[id]!);
    counts.opened(pinned.path);
    let read: Data[];
    try {
      const options = { signal, counters: counts.read };
      if (rows === undefined) read = await file.readGroup(group, own, options);
      else read = await file.readRows!(group, rows.from, rows.to, own, options);
    } catch (error) {
      throw await pinnedError(files.store, pinned, error);
    }
    // Looked at behind the read, as a file may change while it is read.
    await checkPinned(files.store, pinned);
    return read.map((data, at) => (data.type === columns[at]!.type ? data : data.clone(columns[at]!.type)));
  }
}

/** Columns of one type put together. */
function joined(type: Data['type'], pieces: readonly Data[]): Data {
  if (pieces.length === 1) return pieces[0]!;
  if (pieces.length === 0) return nullColumn(type, 0);
  return gatherColumn(columnSources(type, pieces), allRanges(pieces.map((data) => data.length)));
}

/** Column number `at` of `columns`, of which `pieces` have rows in order. */
function joinedBy(columns: readonly FileColumn[], pieces: readonly (readonly Data[])[]): (at: number) => Data {
  return (at) =>
    joined(
      columns[at]!.type,
      pieces.map((piece) => piece[at]!),
    );
}

function repeated(type: Data['type'], text: string, rows: number): Data {
  const one = Buffer.from(text);
  const offsets = Int32Array.from({ length: rows + 1 }, (_, at) => at * one.length);
  return new Data(type, 0, rows, 0, [offsets, new Uint8Array(Buffer.alloc(rows * one.length, one))] as never);
}

function rowNumbers(type: Data['type'], count: number, rowAt: (at: number) => number): Data {
  const rows = BigInt64Array.from({ length: count }, (_, at) => BigInt(rowAt(at)));
  return new Data(type, 0, count, 0, [undefined, rows] as never);
}

import { Data, type RecordBatch, Schema } from 'apache-arrow';
import { gatherColumn } from '../arrow/gather.js';
import { nullColumn } from '../arrow/nulls.js';
import { allRanges, oneRange } from '../arrow/ranges.js';
import { recordBatch } from '../arrow/record-batch.js';
import { columnSources } from '../arrow/sources.js';
import { isSpiralError } from '../core/errors.js';
import { decodedPerStoredByte, fileGroupsBytesMax, fileReadaheadBytesMax } from '../core/limits.js';
import { stretchAt } from '../core/search.js';
import type { Verify } from '../core/verify.js';
import type { Shard } from '../sharding/shard.js';
import { checkFileShards, filePieces, fileShards } from './file-shards.js';
import {
  bindFiles,
  columnsOf,
  type FileOutput,
  fieldWithin,
  fileKeySchema,
  fileKeys,
  fileOutputField,
} from './file-tree.js';
import { GroupCache } from './group-cache.js';
import { checkPinned, type OpenFiles, pinnedError } from './open-files.js';
import type { OpenScan } from './open-scan.js';
import type { FileRecipe } from './recipe.js';
import type { PartOptions } from './set-reader.js';

/**
 * Where groups are let go before a shuffle comes back to them, a part of one is read by itself, if its format can and it has
 * one row in so many: to find it costs a sixteenth of decoding the group.
 */
const rowsReadApart = 16;
/** Bytes of memory that a byte of rows which can be read one by one, so of text, takes: short numbers become long. */
const textByteInMemory = 2;

/** What a scan of files needs around it. */
export interface FileEnvironment {
  /** The files of a recipe, opened once however many scans read them. */
  openFiles(recipe: FileRecipe): Promise<OpenFiles>;
  readonly verify: Verify;
  /** Bytes at which a shard of small groups is cut. */
  readonly shardBytesMax: number;
  /** Bytes of decoded groups that are kept for their other rows. Default 256 MiB. */
  readonly groupsBytesMax?: number;
}

/** Opens a scan of files. @throws SpiralError as `openFileSet`, `unknown_column`, `invalid_expression`. */
export async function openFileScan(recipe: FileRecipe, environment: FileEnvironment): Promise<OpenScan> {
  const files = await environment.openFiles(recipe);
  const name = files.set.root;
  const outputs = bindFiles(recipe.projection, files.schema, name);
  const shards = fileShards(files, environment.shardBytesMax);
  let [largest, bytes] = [1, 0];
  for (const { file } of files.files) {
    for (const group of file.groups) {
      bytes += group.bytes;
      largest = Math.max(largest, group.bytes);
    }
  }
  const rows = files.files.reduce((sum, { rowStarts }) => sum + rowStarts.at(-1)!, 0);
  const reader = new FileReader(files, outputs, bytes, environment.groupsBytesMax ?? fileGroupsBytesMax);
  return {
    recipe,
    reopen: {
      scan: recipe,
      tables: [{ id: recipe.table, name, store: files.store }],
      verify: environment.verify,
      shardBytesMax: environment.shardBytesMax,
      indexes: files.files.map(({ file }) => file.index),
    },
    plan: { keySchema: fileKeySchema, keys: fileKeys },
    schema: reader.schema,
    shards,
    bytesPerRow: rows === 0 ? undefined : bytes / rows,
    readaheadMax: Math.max(1, Math.floor(fileReadaheadBytesMax / (largest * decodedPerStoredByte))),
    metrics: () => reader.metrics(),
    project: (projection) => openFileScan({ ...recipe, projection }, environment),
    readRows: (shard, from, to, options) => reader.readRows(shard, from, to, options),
    batchEnd: (shard, row) => reader.groupEnd(shard, row),
    batchCuts: (shard, from, to) => reader.cuts(shard, from, to),
    // What is damaged together, a group or a row of text, is always read whole, so its damage is met.
    verifies: true,
    checkShards: (given) => checkFileShards(files, given),
  };
}

class FileReader {
  readonly schema: Schema;
  readonly #files: OpenFiles;
  readonly #outputs: readonly FileOutput[];
  /** The columns that are read, by their numbers in the set. */
  readonly #columns: readonly number[];
  readonly #groups: GroupCache;
  /** Whether no group of text is let go. */
  readonly #keepsAll: boolean;
  readonly #counters: { bytes: number; requests: number };
  readonly #counted = { rows: 0, batches: 0 };

  constructor(files: OpenFiles, outputs: readonly FileOutput[], storedBytes: number, groupsBytesMax: number) {
    this.#groups = new GroupCache(groupsBytesMax);
    this.#keepsAll = storedBytes * textByteInMemory <= groupsBytesMax;
    this.#files = files;
    this.#outputs = outputs;
    this.#columns = columnsOf(outputs);
    this.#counters = { ...files.counters };
    this.schema = new Schema(outputs.map(fileOutputField));
  }

  metrics(): { bytes: number; requests: number; rows: number; batches: number } {
    return { ...this.#counters, ...this.#counted };
  }

  async readRows(shard: Shard, from: number, to: number, options: PartOptions = {}): Promise<RecordBatch> {
    const pieces = filePieces(shard, from, to);
    const read = await Promise.all(
      pieces.map(async (piece) => this.#outputsOf(piece.part, piece.from, piece.to, options)),
    );
    this.#counted.rows += to - from;
    this.#counted.batches++;
    const columns = this.schema.fields.map(({ type }, at) =>
      joined(
        type,
        read.map((piece) => piece[at]!),
      ),
    );
    return recordBatch(this.schema, columns, to - from);
  }

  groupEnd(shard: Shard, row: number): number {
    let start = 0;
    for (const { part, from, to } of shard.segments) {
      const end = start + to - from;
      if (row < end) {
        const { rowStarts } = this.#files.files[part]!;
        const group = stretchAt(rowStarts, from + row - start);
        return start + Math.min(to, rowStarts[group + 1]!) - from;
      }
      start = end;
    }
    return start;
  }

  /** Where groups begin, and where bad rows do and end in formats that tell them apart. */
  async cuts(shard: Shard, from: number, to: number): Promise<number[]> {
    const cuts = new Set<number>();
    let start = from;
    for (const piece of filePieces(shard, from, to)) {
      const { rowStarts } = this.#files.files[piece.part]!;
      const shift = start - piece.from;
      for (let row = piece.from; row < piece.to; ) {
        const group = stretchAt(rowStarts, row);
        const end = Math.min(piece.to, rowStarts[group + 1]!);
        cuts.add(row + shift);
        for (const bad of await this.#badRows(piece.part, group, row, end)) {
          cuts.add(bad + shift);
          cuts.add(bad + 1 + shift);
        }
        row = end;
      }
      start += piece.to - piece.from;
    }
    return [...cuts].filter((cut) => cut > from && cut < to);
  }

  /** Those of rows `from … to` of a file, all in `group`, that cannot be read; none where its format cannot tell. */
  async #badRows(number: number, group: number, from: number, to: number): Promise<number[]> {
    const { file, columns, rowStarts } = this.#files.files[number]!;
    const own = this.#columns.map((column) => columns[column]!);
    const bad: number[] = [];
    const first = rowStarts[group]!;
    for (let row = from; row < to && file.readRows !== undefined; ) {
      try {
        await file.readRows(group, row - first, to - first, own, { counters: this.#counters });
        break;
      } catch (error) {
        const found = isSpiralError(error, 'corrupt_file') ? error.details['row'] : undefined;
        if (typeof found !== 'number' || found < row || found >= to) break;
        bad.push(found);
        row = found + 1;
      }
    }
    return bad;
  }

  /** Rows `from … to` of file number `number`, a column for each output. */
  async #outputsOf(number: number, from: number, to: number, options: PartOptions): Promise<Data[]> {
    const { rowStarts, pinned } = this.#files.files[number]!;
    const pieces: Promise<readonly Data[]>[] = [];
    for (let group = stretchAt(rowStarts, from); rowStarts[group]! < to; group++) {
      const [start, end] = [rowStarts[group]!, rowStarts[group + 1]!];
      pieces.push(this.#rowsOf(number, group, Math.max(from, start) - start, Math.min(to, end) - start, options));
    }
    const read = await Promise.all(pieces);
    const stored = this.#columns.map((column, at) =>
      joined(
        this.#files.schema.fields[column]!.type,
        read.map((piece) => piece[at]!),
      ),
    );
    const slots = new Map(this.#columns.map((column, at) => [column, stored[at]!]));
    const build = (node: FileOutput): Data => {
      const { type } = fileOutputField(node);
      if ('fields' in node) return new Data(type, 0, to - from, 0, undefined, node.fields.map(build));
      if (node.from === 'file') return repeated(node.type, pinned.path, to - from);
      if (node.from === 'row') return counted(node.type, from, to);
      return fieldWithin(slots.get(node.from.column)!, node.from.path);
    };
    return this.#outputs.map(build);
  }

  /** Rows of one group: its own columns where all are asked for, else copies of a part of them. */
  async #rowsOf(
    number: number,
    group: number,
    from: number,
    to: number,
    { signal }: PartOptions,
  ): Promise<readonly Data[]> {
    if (this.#columns.length === 0) return [];
    const name = `${number} ${group}`;
    const { file } = this.#files.files[number]!;
    const { rows } = file.groups[group]!;
    if (from === 0 && to === rows) return this.#groups.find(name) ?? this.#readGroup(number, group, signal);
    if (file.readRows !== undefined && !this.#keepsAll && (to - from) * rowsReadApart >= rows) {
      return this.#readGroup(number, group, signal, { from, to });
    }
    let whole: readonly Data[];
    try {
      // What others wait for as well does not end with the signal of one of them.
      whole = await this.#groups.get(name, () => this.#readGroup(number, group, undefined));
    } catch (error) {
      if (file.readRows === undefined || !isSpiralError(error, 'corrupt_file')) throw error;
      return this.#readGroup(number, group, signal, { from, to });
    }
    return whole.map((data) => gatherColumn(columnSources(data.type, [data]), oneRange(from, to - from)));
  }

  async #readGroup(
    number: number,
    group: number,
    signal: AbortSignal | undefined,
    rows?: { from: number; to: number },
  ): Promise<readonly Data[]> {
    const { store, files, schema } = this.#files;
    const { file, pinned, columns } = files[number]!;
    const own = this.#columns.map((column) => columns[column]!);
    let read: Data[];
    try {
      const options = { signal, counters: this.#counters };
      if (rows === undefined) read = await file.readGroup(group, own, options);
      else read = await file.readRows!(group, rows.from, rows.to, own, options);
    } catch (error) {
      throw await pinnedError(store, pinned, error);
    }
    // Looked at behind the read, as a file may change while it is read.
    await checkPinned(store, pinned);
    return read.map((data, at) => {
      const { type } = schema.fields[this.#columns[at]!]!;
      return data.type === type ? data : data.clone(type);
    });
  }
}

/** Columns of one type put together. */
function joined(type: Schema['fields'][number]['type'], pieces: readonly Data[]): Data {
  if (pieces.length === 1) return pieces[0]!;
  if (pieces.length === 0) return nullColumn(type, 0);
  return gatherColumn(columnSources(type, pieces), allRanges(pieces.map((data) => data.length)));
}

function repeated(type: Data['type'], text: string, rows: number): Data {
  const one = Buffer.from(text);
  const offsets = Int32Array.from({ length: rows + 1 }, (_, at) => at * one.length);
  return new Data(type, 0, rows, 0, [offsets, new Uint8Array(Buffer.alloc(rows * one.length, one))] as never);
}

function counted(type: Data['type'], from: number, to: number): Data {
  const rows = BigInt64Array.from({ length: to - from }, (_, at) => BigInt(from + at));
  return new Data(type, 0, to - from, 0, [undefined, rows] as never);
}

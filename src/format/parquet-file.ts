import type { Data, Schema } from 'apache-arrow';
import type { ColumnMetaData, FileMetaData, RowGroup as ParquetGroup } from 'hyparquet';
import { parquetMetadata } from 'hyparquet';
import { checkSignal } from '../core/abort.js';
import { isSpiralError, SpiralError } from '../core/errors.js';
import { footerGuessBytes } from '../core/limits.js';
import type { ObjectStore } from '../storage/store.js';
import { type ByteRange, readRanges } from './byte-ranges.js';
import { corrupt, readable } from './corrupt.js';
import { assembleColumn } from './parquet-assemble.js';
import { type ParquetChunk, readChunk } from './parquet-chunk.js';
import { pageCodec } from './parquet-codec.js';
import { leavesBelow, type ParquetLeaf, type ParquetNode, parquetTree } from './parquet-tree.js';
import { parquetZones, plainParsers } from './parquet-zones.js';
import type { GroupOptions, RowFile, RowFileFormat, RowFileOptions, RowGroup } from './row-file.js';
import { checkThrift } from './thrift-check.js';

/**
 * Parquet files: one group for each row group that has rows. The metadata, pages' headers and some encodings are read by
 * hyparquet; values go straight to Arrow buffers, exact (no number is rounded, no time cut to milliseconds).
 */
export const parquetFormat: RowFileFormat = {
  open: (store, path, size, options) => readable(`${store.uri}/${path}`, () => openParquet(store, path, size, options)),
};

async function openParquet(store: ObjectStore, path: string, size: number, options: RowFileOptions): Promise<RowFile> {
  const where = `${store.uri}/${path}`;
  const metadata = await readMetadata(store, path, size, where, options);
  const { schema, columns } = parquetTree(metadata, where);
  return new ParquetFile({ store, path, size, where }, metadata, schema, columns);
}

/** Where a file is. */
interface Place {
  readonly store: ObjectStore;
  readonly path: string;
  readonly size: number;
  readonly where: string;
}

/** A column chunk: what it is, and where its bytes are. */
interface StoredChunk extends ByteRange {
  readonly leaf: ParquetLeaf;
  readonly meta: ColumnMetaData;
}

class ParquetFile implements RowFile {
  readonly schema: Schema;
  readonly groups: readonly RowGroup[];
  readonly #place: Place;
  readonly #columns: readonly ParquetNode[];
  /** The row groups that have rows, by their numbers in the file. */
  readonly #stored: readonly { readonly number: number; readonly group: ParquetGroup }[];
  /** Which column chunk of a row group each leaf is. */
  readonly #numbers: ReadonlyMap<ParquetLeaf, number>;
  /** How many bytes a column chunk may be longer than its metadata says. */
  readonly #uncounted: number;

  constructor(place: Place, metadata: FileMetaData, schema: Schema, columns: readonly ParquetNode[]) {
    this.schema = schema;
    this.#place = place;
    this.#columns = columns;
    this.#uncounted = uncountedBytes(metadata.created_by);
    const leaves = columns.flatMap(leavesBelow);
    this.#numbers = new Map(leaves.map((leaf, number) => [leaf, number]));
    const firsts = columns.map((node) => this.#numbers.get(leavesBelow(node)[0]!)!);
    this.#stored = metadata.row_groups
      .map((group, number) => ({ number, group }))
      .filter(({ group }) => Number(group.num_rows) !== 0);
    this.groups = this.#stored.map(({ number, group }) => {
      const rows = Number(group.num_rows);
      if (!(rows > 0 && rows < 2 ** 31)) throw corrupt(place.where, 'a number of rows', `${group.num_rows}`);
      this.#checkChunks(group, number, leaves);
      const bytes = group.columns.reduce(
        (sum, column) => sum + Number(column.meta_data?.total_compressed_size ?? 0),
        0,
      );
      return { rows, bytes, zones: parquetZones(group, columns, firsts) };
    });
    const rows = this.groups.reduce((sum, group) => sum + group.rows, 0);
    if (rows !== Number(metadata.num_rows))
      throw corrupt(place.where, `${metadata.num_rows} rows`, `row groups of ${rows}`);
  }

  async readGroup(number: number, wanted: readonly number[], options: GroupOptions = {}): Promise<Data[]> {
    const { store, path, where } = this.#place;
    const { group, number: stored } = this.#stored[number]!;
    const distinct = [...new Set(wanted.map((column) => this.#columns[column]!))];
    const chunks = distinct.flatMap(leavesBelow).map((leaf) => this.#chunkOf(leaf, group, stored));
    const bytes = await readRanges(store, path, chunks, options);
    const codecs = await Promise.all(chunks.map(({ meta }) => pageCodec(meta.codec, where)));
    const decoded = new Map<ParquetLeaf, ParquetChunk>();
    for (const [at, { leaf, meta }] of chunks.entries()) {
      checkSignal(options.signal, `The reading of ${path}`);
      try {
        decoded.set(leaf, readChunk(leaf, bytes[at]!, Number(meta.num_values), codecs[at]!));
      } catch (error) {
        throw this.#damaged(error, stored, leaf.path.join('.'));
      }
    }
    return wanted.map((column) => {
      const { name } = this.schema.fields[column]!;
      try {
        const data = assembleColumn(this.#columns[column]!, (leaf) => decoded.get(leaf)!);
        if (data.length === this.groups[number]!.rows) return data;
        throw new Error(`${data.length} rows in a row group of ${group.num_rows}`);
      } catch (error) {
        throw this.#damaged(error, stored, name);
      }
    });
  }

  columnBytes(number: number, wanted: readonly number[]): number {
    const { group, number: stored } = this.#stored[number]!;
    const leaves = [...new Set(wanted)].flatMap((column) => leavesBelow(this.#columns[column]!));
    return leaves.reduce((sum, leaf) => sum + this.#chunkOf(leaf, group, stored).length, 0);
  }

  #chunkOf(leaf: ParquetLeaf, group: ParquetGroup, number: number): StoredChunk {
    const { size } = this.#place;
    const meta = group.columns[this.#numbers.get(leaf)!]!.meta_data!;
    const offset = Number(meta.dictionary_page_offset || meta.data_page_offset);
    const length = Number(meta.total_compressed_size);
    if (offset >= 4 && length >= 0 && offset + length <= size && Number(meta.num_values) < 2 ** 31) {
      return { leaf, meta, offset, length: Math.min(length + this.#uncounted, size - offset) };
    }
    const found = `bytes ${offset} to ${offset + length} for ${meta.num_values} values`;
    throw this.#damaged(new Error(found), number, leaf.path.join('.'));
  }

  /** Refuses what this reader cannot read before anything of the file is read. */
  #checkChunks(group: ParquetGroup, number: number, leaves: readonly ParquetLeaf[]): void {
    const { where } = this.#place;
    if (group.columns.length !== leaves.length) {
      throw corrupt(where, `${leaves.length} column chunks in row group ${number}`, `${group.columns.length}`);
    }
    for (const [at, { file_path: elsewhere, meta_data: meta, crypto_metadata: crypto }] of group.columns.entries()) {
      if (crypto !== undefined || meta === undefined) throw encrypted(where);
      if (elsewhere) {
        throw new SpiralError(
          'unsupported',
          `Expected ${where} to hold its own columns, found one in ${elsewhere}. Name the files that hold the data.`,
          { details: { file: where } },
        );
      }
      const path = leaves[at]!.path;
      if (
        meta.path_in_schema.length !== path.length ||
        meta.path_in_schema.some((name, depth) => name !== path[depth])
      ) {
        const found = `'${meta.path_in_schema.join('.')}'`;
        throw corrupt(where, `column '${path.join('.')}' as number ${at} of row group ${number}`, found);
      }
    }
  }

  #damaged(cause: unknown, group: number, column: string): unknown {
    if (isSpiralError(cause) && cause.code !== 'corrupt_file') return cause;
    const { where } = this.#place;
    const what = cause instanceof Error ? cause.message : String(cause);
    if (cause instanceof RangeError && what.endsWith('in one row group')) {
      return new SpiralError(
        'limit_exceeded',
        `Expected column '${column}' of ${where} to take less than 2 GiB in a row group, found ${what} ${group}. Write ` +
          'it again with smaller row groups.',
        { details: { file: where, group, column } },
      );
    }
    return new SpiralError(
      'corrupt_file',
      `Expected whole data in column '${column}' of row group ${group} of ${where}, found ${what}. The file is damaged: ` +
        'restore it from a copy.',
      { details: { file: where, group, column }, cause },
    );
  }
}

async function readMetadata(
  store: ObjectStore,
  path: string,
  size: number,
  where: string,
  { signal, counters }: RowFileOptions,
): Promise<FileMetaData> {
  const read = async (length: number): Promise<Uint8Array> => {
    const tail = await store.getTail(path, length, { signal });
    if (tail.size !== size) throw corrupt(where, `${size} bytes`, `${tail.size}`);
    if (counters !== undefined) {
      counters.bytes += tail.bytes.length;
      counters.requests++;
    }
    return tail.bytes;
  };
  if (size < 12) throw corrupt(where, 'a Parquet footer', `a file of ${size} bytes`);
  let bytes = await read(footerGuessBytes);
  const mark = Buffer.from(bytes.subarray(-4)).toString('latin1');
  if (mark === 'PARE') throw encrypted(where);
  if (mark !== 'PAR1')
    throw corrupt(where, "the mark 'PAR1' at its end", 'none: it was cut short or is no Parquet file');
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(bytes.length - 8, true);
  if (length + 12 > size) throw corrupt(where, 'a footer that fits the file', `one of ${length} bytes`);
  if (length + 8 > bytes.length) bytes = await read(length + 8);
  try {
    checkThrift(bytes, bytes.length - 8 - length);
    return parquetMetadata(bytes, { parsers: plainParsers, geoparquet: false });
  } catch (cause) {
    throw corrupt(where, 'a readable footer', 'damaged metadata', cause);
  }
}

/**
 * parquet-mr before 1.2.9 left the header of a dictionary page out of the size of its column chunk (PARQUET-816). Such a
 * header takes less than 100 bytes, and what is read beyond the last page is not looked at.
 */
function uncountedBytes(createdBy: string | undefined): number {
  const found = /^parquet-mr(?: version (\d+)\.(\d+)\.(\d+)|$)/.exec(createdBy ?? '');
  if (found === null) return 0;
  const [major, minor, patch] = found.slice(1).map((part) => Number(part ?? 0)) as [number, number, number];
  return major < 1 || (major === 1 && (minor < 2 || (minor === 2 && patch < 9))) ? 100 : 0;
}

function encrypted(where: string): SpiralError {
  return new SpiralError(
    'unsupported',
    `Expected ${where} to be readable, found an encrypted Parquet file. Decrypt it first.`,
    {
      details: { file: where },
    },
  );
}

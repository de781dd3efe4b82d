import { type Data, type DataType, Field, Schema } from 'apache-arrow';
import { sameType } from '../arrow/schema.js';
import { isSpiralError, SpiralError, shown } from '../core/errors.js';
import { mdsBlockBytes, mdsBlockSamples } from '../core/limits.js';
import type { Memory } from '../core/memory-pool.js';
import type { ObjectStore } from '../storage/store.js';
import { corrupt } from './corrupt.js';
import { type MdsEncoding, mdsEncoding } from './mds-encoding.js';
import { type MdsShard, parseMdsIndex } from './mds-index.js';
import { walkSamples } from './mds-samples.js';
import { type ShardBytes, ShardFiles } from './mds-shard-bytes.js';
import { checkTextColumns, readMdsText, type TextTypes, textTypes } from './mds-text.js';
import { MdsColumn } from './mds-values.js';
import type { GroupOptions, RowFile, RowFileFormat, RowFileOptions, RowGroup } from './row-file.js';
import { TextPlace } from './text-place.js';

/** How shards are read. */
export interface MdsSettings {
  /**
   * The hash by which every shard file is checked as a whole before anything of it is used. Default: compressed files are
   * checked by the cheapest hash that the index has, plain ones by their size and structure.
   */
  readonly validateHash?: string | undefined;
  /**
   * Whether `int` columns of JSON, CSV, TSV and XSV shards, which may have any number of digits, are read as text. Default
   * false: as int64, and a number that is too large for it is refused where it is read.
   */
  readonly intsAsText?: boolean | undefined;
}

/**
 * Data sets of MosaicML Streaming (MDS), named by their `index.json`: a row is a sample, in the order of the index. Groups
 * are blocks of samples of one shard; only the index is read when the file is opened. `docs/mds.md` has the types.
 */
export function mdsFormat(settings: MdsSettings = {}): RowFileFormat {
  return {
    open: async (store, path, size, options) => {
      const dataset = await openMds(settings, store, path, options);
      if (dataset.indexBytes !== size) throw corrupt(`${store.uri}/${path}`, `${size} bytes`, `${dataset.indexBytes}`);
      return dataset;
    },
  };
}

/**
 * The data set whose index is at `path`: as {@link mdsFormat} opens it, and by its shards.
 *
 * @throws SpiralError as `RowFileFormat.open`.
 */
export async function openMds(
  settings: MdsSettings,
  store: ObjectStore,
  path: string,
  { signal, counters }: Pick<RowFileOptions, 'signal' | 'counters'> = {},
): Promise<MdsDataset> {
  const where = `${store.uri}/${path}`;
  const bytes = await store.get(path, { signal });
  if (counters !== undefined) {
    counters.bytes += bytes.length;
    counters.requests++;
  }
  const shards = parseMdsIndex(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'), where);
  const files = new ShardFiles(store, path.slice(0, path.lastIndexOf('/') + 1), settings.validateHash);
  return new MdsDataset(where, bytes.length, shards, files, textTypes(settings.intsAsText === true));
}

/** Samples `from … to` of a shard. */
interface Block {
  readonly shard: number;
  readonly from: number;
  readonly to: number;
}

/** A data set that is open: its groups are blocks of samples of one shard. */
export class MdsDataset implements RowFile {
  readonly schema: Schema;
  readonly groups: readonly RowGroup[];
  /** Bytes of the index. */
  readonly indexBytes: number;
  /** In the order of the index; empty ones too. */
  readonly shards: readonly MdsShard[];
  readonly #where: string;
  readonly #files: ShardFiles;
  readonly #types: TextTypes;
  readonly #blocks: readonly Block[];
  /** The row that each shard begins with. */
  readonly #starts: Float64Array;

  constructor(where: string, bytes: number, shards: readonly MdsShard[], files: ShardFiles, types: TextTypes) {
    this.#types = types;
    this.#where = where;
    this.indexBytes = bytes;
    this.shards = shards;
    this.#files = files;
    this.#starts = new Float64Array(shards.length + 1);
    for (const [at, { samples }] of shards.entries()) this.#starts[at + 1] = this.#starts[at]! + samples;
    this.schema = sharedSchema(shards, where, types);
    this.#blocks = shards.flatMap(blocksOf);
    this.groups = this.#blocks.map(({ shard, from, to }) => {
      const { samples, rawData } = shards[shard]!;
      const bytes = Math.ceil((rawData.bytes * (to - from)) / samples);
      return { rows: to - from, bytes, ...(from === 0 ? { beginsShard: true } : {}) };
    });
  }

  readGroup(group: number, columns: readonly number[], options: GroupOptions = {}): Promise<Data[]> {
    return this.readRows(group, 0, this.groups[group]!.rows, columns, options);
  }

  readRows(
    group: number,
    from: number,
    to: number,
    columns: readonly number[],
    options: GroupOptions = {},
  ): Promise<Data[]> {
    const block = this.#blocks[group]!;
    return this.#read(block.shard, block.from + from, block.from + to, columns, options, group);
  }

  /** As `readRows`, of samples `first … last` of a shard; errors name the shard for a group. */
  readSamples(
    shard: number,
    first: number,
    last: number,
    columns: readonly number[],
    options: GroupOptions = {},
  ): Promise<Data[]> {
    return this.#read(shard, first, last, columns, options);
  }

  async #read(
    number: number,
    first: number,
    last: number,
    wanted: readonly number[],
    options: GroupOptions,
    group?: number,
  ): Promise<Data[]> {
    const shard = this.shards[number]!;
    try {
      const { rawData: raw, zipData: zip, rawMeta, zipMeta, compression } = shard;
      const [data, meta] = await Promise.all([
        this.#files.open({ raw, zip, compression }, options),
        rawMeta === undefined ? undefined : this.#files.open({ raw: rawMeta, zip: zipMeta, compression }, options),
      ]);
      const offsets = await this.#offsets(shard, meta ?? data, first, last);
      const base = offsets[0]!;
      const end = offsets[offsets.length - 1]!;
      for (let at = 0; at < offsets.length; at++) offsets[at]! -= base;
      const place = new TextPlace(data.where, group, this.#starts[number]! + first, base);
      if (meta !== undefined) {
        return readMdsText(shard, this.#types, { bytes: await data.read(base, end), offsets }, wanted, place);
      }
      // All that is made of them is a copy.
      const scratch = options.memory?.scratch();
      try {
        const bytes = await data.read(base, end, scratch?.allocate(end - base));
        const columns = this.#columns(shard, bytes, offsets, wanted, place, options.memory);
        scratch?.release();
        return columns;
      } catch (error) {
        scratch?.abandon();
        throw error;
      }
    } catch (error) {
      if (!isSpiralError(error, 'corrupt_file') || error.details['row'] !== undefined) throw error;
      throw new SpiralError('corrupt_file', error.message, {
        details: { ...error.details, ...(group === undefined ? { shard: number } : { group }), index: this.#where },
        cause: error,
      });
    }
  }

  #columns(
    shard: MdsShard,
    bytes: Buffer,
    offsets: Float64Array,
    wanted: readonly number[],
    place: TextPlace,
    memory: Memory | undefined,
  ): Data[] {
    const encodings = shard.columns.map(({ encoding }) => mdsEncoding(encoding)!);
    const [row, byte] = [place.row, place.byte];
    const values = walkSamples(encodings, bytes, offsets, wanted, place);
    return wanted.map((column, at) => {
      [place.row, place.byte] = [row, byte];
      const { name } = shard.columns[column]!;
      return new MdsColumn(encodings[column]!, name, { ...values[at]!, memory }, place).data();
    });
  }

  /** Where samples `from … to` begin, and the last ends, in the data. */
  async #offsets(shard: MdsShard, table: ShardBytes, from: number, to: number): Promise<Float64Array> {
    const { samples, rawData, rawMeta } = shard;
    const headerBytes = 4 * (samples + 2);
    const tableBytes = (rawMeta ?? rawData).bytes;
    if (tableBytes < headerBytes)
      throw corrupt(table.where, `the offsets of ${samples} samples`, `${tableBytes} bytes`);
    const [count, stored] = await Promise.all([table.read(0, 4), table.read(4 * (1 + from), 4 * (2 + to))]);
    if (count.readUInt32LE(0) !== samples) throw corrupt(table.where, `${samples} samples`, `${count.readUInt32LE(0)}`);
    const offsets = new Float64Array(to - from + 1);
    for (let at = 0; at < offsets.length; at++) offsets[at] = stored.readUInt32LE(4 * at);
    let before = rawMeta === undefined ? headerBytes : 0;
    for (const offset of offsets) {
      if (offset < before || offset > rawData.bytes) {
        throw corrupt(table.where, `rising offsets within ${rawData.bytes} bytes`, `${offset} after ${before}`);
      }
      before = offset;
    }
    if (before - offsets[0]! < 2 ** 31) return offsets;
    throw new SpiralError(
      'limit_exceeded',
      `Expected ${to - from} samples from number ${from} of ${table.where} to take less than 2 GiB. Write the data set ` +
        'again with smaller samples.',
      { details: { file: table.where, from, to, bytes: before - offsets[0]! } },
    );
  }
}

function blocksOf({ samples, rawData }: MdsShard, shard: number): Block[] {
  const fit = Math.floor(mdsBlockBytes / Math.max(1, rawData.bytes / Math.max(1, samples)));
  const step = Math.max(1, Math.min(mdsBlockSamples, fit));
  return Array.from({ length: Math.ceil(samples / step) }, (_, at) => {
    return { shard, from: at * step, to: Math.min(samples, (at + 1) * step) };
  });
}

/** The columns that all shards have. */
function sharedSchema(shards: readonly MdsShard[], where: string, types: TextTypes): Schema {
  let first: { readonly at: number; readonly fields: readonly Field[] } | undefined;
  for (const [at, shard] of shards.entries()) {
    const fields = fieldsOf(shard, where, types);
    first ??= { at, fields };
    const differs = Math.max(fields.length, first.fields.length);
    for (let column = 0; column < differs; column++) {
      const [expected, found] = [first.fields[column], fields[column]];
      if (expected?.name === found?.name && sameType(expected!.type, found!.type)) continue;
      const word = (field: Field | undefined): string =>
        field === undefined ? 'nothing' : `'${field.name}' (${field.type})`;
      throw new SpiralError(
        'type_mismatch',
        `Expected the same columns in all shards of ${where}, but column ${column} is ${word(expected)} in shard ${first.at} ` +
          `and ${word(found)} in shard ${at}. Read the folders that were merged apart.`,
        { details: { file: where, shards: [first.at, at], column } },
      );
    }
  }
  return new Schema([...(first?.fields ?? [])]);
}

function fieldsOf(shard: MdsShard, where: string, types: TextTypes): Field[] {
  const names = new Set(shard.columns.map(({ name }) => name));
  if (names.size < shard.columns.length) throw corrupt(where, 'each column once', 'one that is there twice');
  if (shard.format !== 'mds') checkTextColumns(shard, where, types);
  return shard.columns.map(({ name, encoding, size }) => {
    const type: DataType = shard.format === 'mds' ? typeOf(name, encoding, size, where) : types.get(encoding)!;
    return new Field(name, type, true);
  });
}

function typeOf(column: string, name: string, size: number | null, where: string): DataType {
  const encoding: MdsEncoding | undefined = mdsEncoding(name);
  if (encoding === undefined) {
    const why =
      name === 'pkl'
        ? "found 'pkl': unpickling runs whatever code is in the file. Write the column again as 'json' or 'ndarray'."
        : `found ${shown(name)}. Write the column again with an encoding that docs/mds.md lists.`;
    throw new SpiralError(
      'unsupported_type',
      `Expected column '${column}' of ${where} to have an encoding that is read, ${why}`,
      {
        details: { file: where, column, found: name },
      },
    );
  }
  if (size === encoding.size) return encoding.type;
  throw corrupt(where, `${encoding.size ?? 'no one'} as the size of column '${column}' (${name})`, `${size}`);
}

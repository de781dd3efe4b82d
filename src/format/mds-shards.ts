import { type Data, type DataType, Field, Schema } from 'apache-arrow';
import { sameType } from '../arrow/schema.js';
import { type BlockColumn, StoredCells } from '../arrow/stored-cells.js';
import { SpiralError, shown } from '../core/errors.js';
import type { Memory } from '../core/memory-pool.js';
import { corrupt } from './corrupt.js';
import { type MdsEncoding, mdsEncoding } from './mds-encoding.js';
import type { MdsShard } from './mds-index.js';
import { walkSamples } from './mds-samples.js';
import type { ShardBytes, ShardFiles } from './mds-shard-bytes.js';
import { checkTextColumns, readMdsText, type TextTypes } from './mds-text.js';
import { MdsColumn } from './mds-values.js';
import type { GroupOptions } from './row-file.js';
import { TextPlace } from './text-place.js';

/** Columns number `wanted` of samples `first … last` of shard number `shard`; `group` is told in errors. */
export interface MdsRequest {
  readonly shard: number;
  readonly first: number;
  readonly last: number;
  readonly wanted: readonly number[];
  readonly group: number;
}

/** The shards of a data set, with the columns that all of them have. */
export class MdsShards {
  readonly schema: Schema;
  readonly shards: readonly MdsShard[];
  /** The sample that each shard begins with, and at the end how many there are. */
  readonly starts: Float64Array;
  readonly #types: TextTypes;

  /**
   * @param where the index, as it stands in messages.
   * @throws SpiralError `type_mismatch` for shards that differ, `unsupported_type`, `corrupt_file`.
   */
  constructor(shards: readonly MdsShard[], types: TextTypes, where: string) {
    this.shards = shards;
    this.#types = types;
    this.starts = new Float64Array(shards.length + 1);
    for (const [at, { samples }] of shards.entries()) this.starts[at + 1] = this.starts[at]! + samples;
    this.schema = sharedSchema(shards, where, types);
  }

  /**
   * Columns of samples of a shard whose files `files` opens.
   *
   * @throws SpiralError `corrupt_file`, `limit_exceeded` for 2 GiB and more, what the store rejects with.
   */
  async read(files: ShardFiles, request: MdsRequest, options: GroupOptions): Promise<Data[]> {
    return (await this.#read(files, request, options, false)) as Data[];
  }

  /** The same, with long values left where they are stored, if `options` have memory for these. */
  readBlock(files: ShardFiles, request: MdsRequest, options: GroupOptions): Promise<BlockColumn[]> {
    return this.#read(files, request, options, options.memory !== undefined);
  }

  async #read(
    files: ShardFiles,
    { shard: number, first, last, wanted, group }: MdsRequest,
    options: GroupOptions,
    leaves: boolean,
  ): Promise<BlockColumn[]> {
    const shard = this.shards[number]!;
    const { rawData: raw, zipData: zip, rawMeta, zipMeta, compression } = shard;
    const [data, meta] = await Promise.all([
      files.open({ raw, zip, compression }, options),
      rawMeta === undefined ? undefined : files.open({ raw: rawMeta, zip: zipMeta, compression }, options),
    ]);
    const table = meta ?? data;
    const offsets = await sampleOffsets(
      shard,
      table,
      first,
      last,
      new TextPlace(table.where, group, this.starts[number]!),
    );
    const base = offsets[0]!;
    const end = offsets[offsets.length - 1]!;
    for (let at = 0; at < offsets.length; at++) offsets[at]! -= base;
    const row = this.starts[number]! + first;
    const place = new TextPlace(data.where, group, row, base);
    if (meta !== undefined) {
      return readMdsText(shard, this.#types, { bytes: await data.read(base, end), offsets }, wanted, place);
    }
    const scratch = options.memory?.scratch();
    try {
      const into = scratch?.allocate(end - base);
      const bytes = await data.read(base, end, into);
      // What was unpacked holds a whole shard: all that is made of it is a copy.
      const isOwn = leaves && bytes.buffer === into!.buffer;
      const columns = columnsOf(shard, { bytes, offsets }, wanted, place, options.memory, isOwn);
      if (columns.some((column) => column instanceof StoredCells)) scratch!.keep();
      else scratch?.release();
      return columns;
    } catch (error) {
      scratch?.abandon();
      throw error;
    }
  }
}

function columnsOf(
  shard: MdsShard,
  { bytes, offsets }: { readonly bytes: Buffer; readonly offsets: Float64Array },
  wanted: readonly number[],
  place: TextPlace,
  memory: Memory | undefined,
  leaves: boolean,
): BlockColumn[] {
  const { row, byte } = place;
  const encodings = shard.columns.map(({ encoding }) => mdsEncoding(encoding)!);
  const values = walkSamples(encodings, bytes, offsets, wanted, place);
  return wanted.map((column, at) => {
    [place.row, place.byte] = [row, byte];
    const { name } = shard.columns[column]!;
    const made = new MdsColumn(encodings[column]!, name, { ...values[at]!, memory }, place);
    return leaves ? made.block() : made.data();
  });
}

/** Where samples `from … to` begin, and the last ends, in the data; `place` stands at the first sample of the shard. */
async function sampleOffsets(
  shard: MdsShard,
  table: ShardBytes,
  from: number,
  to: number,
  place: TextPlace,
): Promise<Float64Array> {
  const { samples, rawData, rawMeta } = shard;
  const headerBytes = 4 * (samples + 2);
  const tableBytes = (rawMeta ?? rawData).bytes;
  if (tableBytes < headerBytes) throw corrupt(table.where, `the offsets of ${samples} samples`, `${tableBytes} bytes`);
  const [count, stored] = await Promise.all([table.read(0, 4), table.read(4 * (1 + from), 4 * (2 + to))]);
  if (count.readUInt32LE(0) !== samples) throw corrupt(table.where, `${samples} samples`, `${count.readUInt32LE(0)}`);
  const offsets = new Float64Array(to - from + 1);
  for (let at = 0; at < offsets.length; at++) offsets[at] = stored.readUInt32LE(4 * at);
  let before = rawMeta === undefined ? headerBytes : 0;
  for (const [at, offset] of offsets.entries()) {
    if (offset < before || offset > rawData.bytes) {
      place.row += from + Math.max(0, at - 1);
      place.byte = 4 * (1 + from + at);
      throw place.corrupt(
        `rising offsets within ${rawData.bytes} bytes`,
        `${offset} after ${before}`,
        'The file is damaged: restore it from a copy.',
      );
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

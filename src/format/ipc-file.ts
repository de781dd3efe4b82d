import { type Data, DataType, Field, FixedSizeList, List, Schema, Struct } from 'apache-arrow';
import { type FileBlock, Footer } from 'apache-arrow/ipc/metadata/file';
import { type DictionaryBatch, Message, type RecordBatch } from 'apache-arrow/ipc/metadata/message';
import { hasInnerDictionary } from '../arrow/flat.js';
import { layoutOf } from '../arrow/layout.js';
import { isSpiralError, SpiralError } from '../core/errors.js';
import { footerGuessBytes } from '../core/limits.js';
import type { ObjectStore } from '../storage/store.js';
import { ArrowFile } from './arrow-file.js';
import { type FileIndex, footerChecksumPlace } from './arrow-index.js';
import { columnBytes } from './arrow-pick.js';
import { readRows } from './arrow-read.js';
import { readRanges } from './byte-ranges.js';
import type { Compression } from './codec.js';
import { corrupt, readable } from './corrupt.js';
import { checkFooterLists, checkMessageLists } from './flat-check.js';
import { checkIndex } from './index-check.js';
import type { GroupOptions, RowFile, RowFileFormat, RowFileOptions, RowGroup } from './row-file.js';
import type { StoredBatch } from './stored-batches.js';

/**
 * Arrow IPC files, Feather of version 2 among them: one group for each record batch that has rows. Buffers may be compressed
 * with lz4 or zstd. Those that this package wrote are verified by their checksums, others as far as their form tells.
 *
 * Maps are read as lists of structs. Refused by name are Feather of version 1, streams, dictionaries within other types or
 * in several parts, and columns of views, unions, intervals and nulls.
 */
export const ipcFormat: RowFileFormat = {
  open: (store, path, size, options) => readable(`${store.uri}/${path}`, () => openIpc(store, path, size, options)),
};

async function openIpc(store: ObjectStore, path: string, size: number, options: RowFileOptions): Promise<RowFile> {
  const where = `${store.uri}/${path}`;
  const footer = await readFooter(store, path, size, where, options);
  if (footerChecksumPlace(footer) >= 0) return new IpcFile(await ArrowFile.open(store, path, size), true);
  const decoded = decodeFooter(footer, where);
  const schema = readableSchema(decoded.schema, where);
  const place = { store, path, size, where };
  const messages = await readMessages(place, [...decoded.recordBatches()], 'batch', options);
  const dictionaries = await readMessages(place, [...decoded.dictionaryBatches()], 'dictionary', options);
  const index = indexOf(schema, decoded.schema, messages, dictionaries, where);
  checkIndex(index, schema, size, where);
  return new IpcFile(ArrowFile.foreign(store, path, size, schema, index), false);
}

class IpcFile implements RowFile {
  readonly schema: Schema;
  readonly groups: readonly RowGroup[];
  readonly #file: ArrowFile;
  readonly #verifies: boolean;
  /** The batch that each group is. */
  readonly #batches: readonly number[];

  constructor(file: ArrowFile, verifies: boolean) {
    this.#file = file;
    this.#verifies = verifies;
    this.schema = file.schema;
    const { batches, zones } = file.index;
    this.#batches = [...batches.keys()].filter((batch) => batches[batch]!.rows > 0);
    this.groups = this.#batches.map((batch) => {
      const { rows, lengths } = batches[batch]!;
      const bytes = lengths.reduce((sum, length) => sum + length, 0);
      return { rows, bytes, ...(verifies ? { zones: zones.map((column) => column[batch]) } : {}) };
    });
  }

  columnBytes(group: number, columns: readonly number[]): number {
    const batch = this.#batches[group]!;
    return [...new Set(columns)].reduce((sum, column) => sum + columnBytes(this.#file, batch, column), 0);
  }

  async readGroup(group: number, columns: readonly number[], options: GroupOptions = {}): Promise<Data[]> {
    const { rows } = this.groups[group]!;
    try {
      const verify = this.#verifies ? 'first' : 'never';
      return await readRows(this.#file, this.#batches[group]!, 0, rows, { ...options, columns, verify });
    } catch (error) {
      if (isSpiralError(error) && error.code !== 'corrupt_file') throw error;
      const cause = isSpiralError(error) ? error : corrupt(this.#file.where, 'whole data', 'damaged data', error);
      const details = { ...cause.details, file: this.#file.where, group };
      throw new SpiralError('corrupt_file', cause.message, { details, cause });
    }
  }
}

interface Place {
  readonly store: ObjectStore;
  readonly path: string;
  readonly size: number;
  readonly where: string;
}

/** A message's header, and where its body begins. */
interface StoredMessage {
  readonly header: RecordBatch | DictionaryBatch;
  readonly bodyOffset: number;
}

async function readFooter(
  store: ObjectStore,
  path: string,
  size: number,
  where: string,
  { signal, counters }: RowFileOptions,
): Promise<Uint8Array> {
  const read = async (length: number): Promise<Buffer> => {
    const tail = await store.getTail(path, length, { signal });
    if (tail.size !== size) throw corrupt(where, `${size} bytes`, `${tail.size}`);
    if (counters !== undefined) {
      counters.bytes += tail.bytes.length;
      counters.requests++;
    }
    return Buffer.from(tail.bytes.buffer, tail.bytes.byteOffset, tail.bytes.byteLength);
  };
  if (size < 18) throw corrupt(where, 'an Arrow file', `a file of ${size} bytes`);
  let bytes = await read(footerGuessBytes);
  if (bytes.toString('latin1', bytes.length - 6) !== 'ARROW1') {
    throw noArrowFile(Buffer.from(await store.getRange(path, 0, 8, { signal })), where);
  }
  const length = bytes.readInt32LE(bytes.length - 10);
  if (length <= 0 || length + 18 > size) throw corrupt(where, 'a footer that fits the file', `one of ${length} bytes`);
  if (length + 10 > bytes.length) bytes = await read(length + 10);
  return bytes.subarray(bytes.length - 10 - length, bytes.length - 10);
}

function noArrowFile(head: Buffer, where: string): SpiralError {
  const found = head.toString('latin1', 0, 4) === 'FEA1' ? 'Feather of version 1' : undefined;
  const stream = head.readInt32LE(0) === -1 ? 'an Arrow stream, which has no index of its batches' : undefined;
  const what = found ?? stream;
  if (what === undefined) {
    return corrupt(where, "the mark 'ARROW1' at its end", 'none: it was cut short or is no Arrow file');
  }
  return new SpiralError(
    'unsupported',
    `Expected ${where} to be an Arrow IPC file, found ${what}. Write it again as a file (Feather of version 2).`,
    { details: { file: where, found: what } },
  );
}

function decodeFooter(footer: Uint8Array, where: string): Footer {
  try {
    checkFooterLists(footer);
    return Footer.decode(footer);
  } catch (cause) {
    if (!(cause instanceof Error && cause.message.startsWith('Unrecognized type'))) {
      throw corrupt(where, 'a readable footer', 'damaged metadata', cause);
    }
    throw new SpiralError('unsupported_type', `${where} has a column of a type that is not supported. Leave it out.`, {
      details: { file: where },
      cause,
    });
  }
}

/** The schema with maps as lists, every field nullable. @throws SpiralError `unsupported_type`, `unsupported`. */
function readableSchema({ fields }: Schema, where: string): Schema {
  const names = new Set<string>();
  return new Schema(
    fields.map(({ name, type }) => {
      const refuse = (what: string, remedy: string): SpiralError =>
        new SpiralError(
          'unsupported_type',
          `Column '${name}' of ${where} is ${what}, which is not supported. ${remedy}`,
          {
            details: { file: where, column: name, type: String(type) },
          },
        );
      if (names.has(name)) throw refuse('the second of its name', 'Give it another.');
      names.add(name);
      if (hasInnerDictionary(type)) throw refuse(`a dictionary within ${type}`, 'Write its values plainly.');
      try {
        return new Field(name, readableType(type), true);
      } catch (error) {
        if (!isSpiralError(error, 'unsupported_type')) throw error;
        throw refuse(
          `of the type ${type}`,
          'Leave it out, or write it as another type (text as utf8 instead of views).',
        );
      }
    }),
  );
}

function readableType(type: DataType): DataType {
  if (DataType.isMap(type)) {
    const [entries] = type.children;
    return new List(new Field(entries!.name, readableType(entries!.type), true));
  }
  layoutOf(type);
  if (DataType.isDictionary(type)) layoutOf(type.dictionary as DataType);
  const children = (type.children ?? []).map((field) => new Field(field.name, readableType(field.type), true));
  const [only] = children;
  if (DataType.isStruct(type)) return new Struct(children);
  if (DataType.isList(type)) return new List(only!);
  if (DataType.isFixedSizeList(type)) return new FixedSizeList(type.listSize, only!);
  return type;
}

async function readMessages(
  { store, path, size, where }: Place,
  blocks: readonly FileBlock[],
  kind: 'batch' | 'dictionary',
  options: RowFileOptions,
): Promise<StoredMessage[]> {
  for (const { offset, metaDataLength, bodyLength } of blocks) {
    const fits = offset >= 8 && metaDataLength > 8 && bodyLength >= 0 && offset + metaDataLength + bodyLength <= size;
    if (!fits) throw corrupt(where, 'batches within the file', `one of ${bodyLength} bytes at ${offset}`);
  }
  const ranges = blocks.map(({ offset, metaDataLength }) => ({ offset, length: metaDataLength }));
  const read = await readRanges(store, path, ranges, options);
  return read.map((bytes, at) => {
    const { offset, metaDataLength } = blocks[at]!;
    try {
      // Older writers have the length alone before a message.
      const start = new DataView(bytes.buffer, bytes.byteOffset).getInt32(0, true) === -1 ? 8 : 4;
      const message = bytes.subarray(start);
      checkMessageLists(message, kind);
      const header = Message.decode(message).header() as RecordBatch | DictionaryBatch;
      return { header, bodyOffset: offset + metaDataLength };
    } catch (cause) {
      throw corrupt(where, `a readable message at byte ${offset}`, 'damaged metadata', cause);
    }
  });
}

function indexOf(
  schema: Schema,
  stored: Schema,
  messages: readonly StoredMessage[],
  dictionaries: readonly StoredMessage[],
  where: string,
): FileIndex {
  const compressed = new Set<Compression>();
  const batchOf = (batch: RecordBatch, bodyOffset: number): StoredBatch => {
    if (batch.buffers === undefined || batch.nodes === undefined)
      throw corrupt(where, 'record batches', 'another message');
    compressed.add(batch.compression === null ? 'none' : batch.compression.type === 0 ? 'lz4' : 'zstd');
    let end = 0;
    // Of an empty buffer the place tells nothing.
    const offsets = batch.buffers.map(({ offset, length }) => {
      if (length === 0) return end;
      end = offset + length;
      return offset;
    });
    return {
      rows: batch.length,
      bodyOffset,
      nodes: Float64Array.from(batch.nodes.flatMap(({ length, nullCount }) => [length, nullCount])),
      offsets: Float64Array.from(offsets),
      lengths: Float64Array.from(batch.buffers, ({ length }) => length),
      checksums: new Uint32Array(batch.buffers.length),
    };
  };
  const byId = new Map<number, StoredBatch>();
  for (const { header, bodyOffset } of dictionaries) {
    const { id, isDelta, data } = header as DictionaryBatch;
    if (data === undefined) throw corrupt(where, 'dictionaries', 'another message');
    if (isDelta || byId.has(id)) {
      throw new SpiralError(
        'unsupported',
        `Expected each dictionary of ${where} to be in one part, found more. Write it again.`,
        {
          details: { file: where },
        },
      );
    }
    byId.set(id, batchOf(data, bodyOffset));
  }
  const batches = messages.map(({ header, bodyOffset }) => batchOf(header as RecordBatch, bodyOffset));
  const columns = stored.fields.flatMap(({ type }, column): [number, StoredBatch][] => {
    const found = DataType.isDictionary(type) ? byId.get(type.id) : undefined;
    return found === undefined ? [] : [[column, found]];
  });
  if (compressed.size > 1) {
    throw new SpiralError(
      'unsupported',
      `Expected one compression throughout ${where}, found ${[...compressed].join(', ')}.`,
      {
        details: { file: where },
      },
    );
  }
  const [compression = 'none'] = compressed;
  const unknown = batches.map(() => ({ nulls: 0, min: null, max: null }));
  return { compression, batches, dictionaries: new Map(columns), zones: schema.fields.map(() => unknown) };
}

import { Data, DataType, Dictionary, Field, type RecordBatch, Schema } from 'apache-arrow';
import { FileBlock, Footer } from 'apache-arrow/ipc/metadata/file';
import * as metadata from 'apache-arrow/ipc/metadata/message';
import { checksum } from '../arrow/checksum.js';
import { DictionaryJoin, remapIndices } from '../arrow/dictionaries.js';
import { hasInnerDictionary } from '../arrow/flat.js';
import { gatherColumn } from '../arrow/gather.js';
import type { ValueArray } from '../arrow/layout.js';
import { sameType } from '../arrow/schema.js';
import { columnSources } from '../arrow/sources.js';
import { SpiralError } from '../core/errors.js';
import {
  encodeIndex,
  type FileIndex,
  footerChecksumKey,
  footerChecksumMark,
  footerChecksumPlace,
  indexKey,
} from './arrow-index.js';
import { type Codec, type Compression, codecFor } from './codec.js';
import { type ChunkedColumn, flattenParts, joinParts, zoneOfParts } from './column-parts.js';
import type { StoredBatch } from './stored-batches.js';
import type { Zone } from './zone-map.js';

/** What came of writing a file. */
export interface WrittenFile {
  readonly rows: number;
  readonly bytes: number;
  readonly zones: readonly (readonly Zone[])[];
}

/** Arrow recommends 64: every buffer can then be mapped and read by vector instructions as it is. */
const alignment = 64;
const magic: Uint8Array = new TextEncoder().encode('ARROW1');
const padding: Uint8Array = new Uint8Array(alignment);

/**
 * Writes an Arrow IPC file (format version 5) piece by piece: `start()`, then `batch()` for each record batch as it
 * shall be stored, then `finish()`. Each returns the bytes that come next.
 *
 * Over what the format asks for, the footer's schema metadata holds a CRC-32 of every stored buffer and of the footer,
 * and zone maps (see {@link FileIndex}); other readers pass over it. Compressed buffers are to the letter of the
 * specification. Dictionaries of all batches are joined and written once, behind the batches.
 */
export class ArrowFileWriter {
  readonly #schema: Schema;
  readonly #compression: Compression;
  readonly #codec: Codec | undefined;
  readonly #joins: ReadonlyMap<number, DictionaryJoin>;
  readonly #blocks: FileBlock[] = [];
  readonly #stored: StoredBatch[] = [];
  readonly #zones: Zone[][];
  #position = 0;
  #rows = 0;

  private constructor(schema: Schema, compression: Compression, codec: Codec | undefined) {
    this.#schema = schema;
    this.#compression = compression;
    this.#codec = codec;
    this.#zones = schema.fields.map(() => []);
    const joins = new Map<number, DictionaryJoin>();
    for (const [column, field] of schema.fields.entries()) {
      if (hasInnerDictionary(field.type)) {
        throw new SpiralError(
          'unsupported_type',
          `Column '${field.name}' has a dictionary inside ${field.type}; only whole columns can be dictionary-encoded.`,
          { details: { column: field.name, type: String(field.type) } },
        );
      }
      if (DataType.isDictionary(field.type)) joins.set(column, new DictionaryJoin(field.type));
    }
    this.#joins = joins;
  }

  /** A writer of files with `schema`. */
  static async create(schema: Schema, compression: Compression = 'none'): Promise<ArrowFileWriter> {
    const codec = compression === 'none' ? undefined : await codecFor(compression);
    return new ArrowFileWriter(withOwnDictionaryIds(schema), compression, codec);
  }

  /** The file's beginning. */
  start(): Uint8Array[] {
    const out = [magic, padding.subarray(0, 2)];
    this.#position = 8;
    this.#message(metadata.Message.from(this.#schema), out);
    return out;
  }

  /**
   * One record batch, of the rows of all `parts`.
   *
   * @throws SpiralError `type_mismatch` for columns that are not those of the writer's schema, `limit_exceeded` where the
   * values of a dictionary column get too many for its index type, or text and binary too long for offsets of 32 bits.
   */
  batch(...parts: readonly RecordBatch[]): Uint8Array[] {
    for (const part of parts) checkColumns(this.#schema, part);
    const rows = parts.reduce((sum, part) => sum + part.numRows, 0);
    const columns = this.#schema.fields.map((field, column) => {
      const data = parts.map((part) => wholeColumn(part, column));
      return joinParts(field.type, data);
    });
    const flat: ChunkedColumn = { nodes: [], buffers: [] };
    for (const [column, data] of columns.entries()) {
      flattenParts(this.#joins.has(column) ? [this.#rejoined(column, data[0]!)] : data, flat);
    }
    const out: Uint8Array[] = [];
    const { stored, block } = this.#body(rows, flat, out, (header) => header);
    // Checksums have just brought the values into the processor's cache, in the order it fetches fastest.
    for (const [column, data] of columns.entries()) this.#zones[column]!.push(zoneOfParts(data));
    this.#stored.push(stored);
    this.#blocks.push(block);
    this.#rows += rows;
    return out;
  }

  /** The dictionaries, the footer and the file's end. */
  finish(): { chunks: Uint8Array[]; file: WrittenFile } {
    const out: Uint8Array[] = [];
    const dictionaries = new Map<number, StoredBatch>();
    const blocks: FileBlock[] = [];
    for (const [column, join] of this.#joins) {
      const type = this.#schema.fields[column]!.type as Dictionary;
      const { chunks, ranges } = join.values();
      const values = gatherColumn(columnSources(type.dictionary, chunks), ranges);
      const flat: ChunkedColumn = { nodes: [], buffers: [] };
      flattenParts([values], flat);
      const { stored, block } = this.#body(
        values.length,
        flat,
        out,
        (header) => new metadata.DictionaryBatch(header, type.id),
      );
      dictionaries.set(column, stored);
      blocks.push(block);
    }
    const index: FileIndex = {
      compression: this.#compression,
      batches: this.#stored,
      dictionaries,
      zones: this.#zones,
    };
    this.#emit(Uint8Array.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]), out);
    const footer = sealedFooter(this.#schema, index, this.#blocks, blocks);
    this.#emit(footer, out);
    this.#emit(new Uint8Array(Int32Array.of(footer.byteLength).buffer), out);
    this.#emit(magic, out);
    return { chunks: out, file: { rows: this.#rows, bytes: this.#position, zones: this.#zones } };
  }

  #body(
    rows: number,
    flat: ChunkedColumn,
    out: Uint8Array[],
    wrap: (header: metadata.RecordBatch) => metadata.RecordBatch | metadata.DictionaryBatch,
  ): { stored: StoredBatch; block: FileBlock } {
    const buffers = flat.buffers.map((buffer) => this.#encoded(buffer));
    const offsets = new Float64Array(buffers.length);
    let length = 0;
    for (const [at, { size }] of buffers.entries()) {
      offsets[at] = length;
      length = roundUp(length + size, alignment);
    }
    const nodes: metadata.FieldNode[] = [];
    for (let at = 0; at < flat.nodes.length; at += 2) {
      nodes.push(new metadata.FieldNode(flat.nodes[at]!, flat.nodes[at + 1]!));
    }
    const regions = buffers.map(({ size }, at) => new metadata.BufferRegion(offsets[at]!, size));
    const header = wrap(new metadata.RecordBatch(rows, nodes, regions, this.#bodyCompression()));
    const start = this.#position;
    const headerLength = this.#message(metadata.Message.from(header, length), out);
    const bodyOffset = this.#position;
    for (const { chunks, size } of buffers) {
      for (const chunk of chunks) this.#emit(chunk, out);
      this.#emit(padding.subarray(0, roundUp(size, alignment) - size), out);
    }
    const stored: StoredBatch = {
      rows,
      bodyOffset,
      nodes: Float64Array.from(flat.nodes),
      offsets,
      lengths: Float64Array.from(buffers, ({ size }) => size),
      checksums: Uint32Array.from(buffers, ({ chunks }) => chunks.reduce((sum, chunk) => checksum(chunk, sum), 0)),
    };
    return { stored, block: new FileBlock(headerLength, BigInt(length), BigInt(start)) };
  }

  /** A buffer as it is stored: with its length before it where the file is compressed (Arrow IPC, BodyCompression). */
  #encoded(chunks: readonly Uint8Array[]): { chunks: readonly Uint8Array[]; size: number } {
    const size = chunks.reduce((sum, { byteLength }) => sum + byteLength, 0);
    if (this.#codec === undefined || size === 0) return { chunks, size };
    const buffer = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size);
    const compressed = this.#codec.compress(buffer);
    const worth = compressed.byteLength < size;
    const body = worth ? compressed : buffer;
    const prefix = new Uint8Array(BigInt64Array.of(worth ? BigInt(size) : -1n).buffer);
    return { chunks: [prefix, body], size: 8 + body.byteLength };
  }

  #bodyCompression(): metadata.BodyCompression | null {
    // CompressionType of the format: 0 is LZ4_FRAME, 1 is ZSTD.
    if (this.#compression === 'none') return null;
    return new metadata.BodyCompression(this.#compression === 'lz4' ? 0 : 1);
  }

  /** Writes a message so that what follows it is aligned; returns the bytes it took. */
  #message(message: metadata.Message, out: Uint8Array[]): number {
    const encoded = metadata.Message.encode(message);
    const length = roundUp(this.#position + 8 + encoded.byteLength, alignment) - this.#position;
    this.#emit(new Uint8Array(Int32Array.of(-1, length - 8).buffer), out);
    this.#emit(encoded, out);
    this.#emit(padding.subarray(0, length - 8 - encoded.byteLength), out);
    return length;
  }

  #rejoined(column: number, data: Data): Data {
    const remap = data.dictionary === undefined ? undefined : this.#joins.get(column)!.add(data.dictionary);
    if (remap === undefined || remap.every((place, at) => place === at)) return data;
    const indices = remapIndices(data.values as ValueArray, remap);
    return new Data(
      data.type,
      data.offset,
      data.length,
      data.nullCount,
      [undefined, indices, data.nullBitmap] as never,
      [],
      data.dictionary,
    );
  }

  #emit(chunk: Uint8Array, out: Uint8Array[]): void {
    if (chunk.byteLength === 0) return;
    out.push(chunk);
    this.#position += chunk.byteLength;
  }
}

/** Column number `column` of `batch`, with the batch's rows and no more. */
function wholeColumn(batch: RecordBatch, column: number): Data {
  const data = batch.data.children[column]!;
  return data.length === batch.numRows ? data : data.slice(0, batch.numRows);
}

function checkColumns(schema: Schema, batch: RecordBatch): void {
  const { children } = batch.data;
  for (let column = 0; column < Math.max(schema.fields.length, children.length); column++) {
    const field = schema.fields[column];
    const data = children[column];
    if (field && data && data.length >= batch.numRows && sameType(data.type, field.type)) continue;
    const expected = field ? `'${field.name}' of type ${field.type} and ${batch.numRows} rows` : 'absent';
    const found = data ? `${data.type} of ${data.length} rows` : 'none';
    throw new SpiralError('type_mismatch', `Expected column ${column} of a batch to be ${expected}, found ${found}.`, {
      details: { column: field?.name ?? column, expected, found },
    });
  }
}

/** The footer with the index in it, and its own checksum set where the zeros stood. */
function sealedFooter(schema: Schema, index: FileIndex, batches: FileBlock[], dictionaries: FileBlock[]): Uint8Array {
  const own = new Map(schema.metadata);
  own.set(indexKey, encodeIndex(index));
  own.set(footerChecksumKey, `${footerChecksumMark}00000000`);
  const version = schema.metadataVersion;
  const bytes = Footer.encode(new Footer(new Schema(schema.fields, own), version, batches, dictionaries)).slice();
  const at = footerChecksumPlace(bytes);
  if (at < 0) {
    throw new SpiralError('invalid_schema', `No column or metadata of a schema may contain '${footerChecksumMark}'.`);
  }
  bytes.set(new TextEncoder().encode(checksum(bytes).toString(16).padStart(8, '0')), at);
  return bytes;
}

/** Gives every dictionary column an id of its own, as one file cannot hold two dictionaries with one id. */
function withOwnDictionaryIds(schema: Schema): Schema {
  let next = 0;
  const fields = schema.fields.map((field) => {
    if (!DataType.isDictionary(field.type)) return field;
    const { dictionary, indices, isOrdered } = field.type;
    const renumbered = new Dictionary(dictionary, indices, next++, isOrdered);
    return new Field(field.name, renumbered, field.nullable, field.metadata);
  });
  return new Schema(fields, schema.metadata);
}

function roundUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}

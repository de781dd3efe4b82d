import { DataType, Schema, Vector } from 'apache-arrow';
import { Footer } from 'apache-arrow/ipc/metadata/file';
import { checksum } from '../arrow/checksum.js';
import { assembleData } from '../arrow/flat.js';
import { layoutCounts } from '../arrow/layout.js';
import { SpiralError } from '../core/errors.js';
import { footerGuessBytes } from '../core/limits.js';
import type { ObjectStore } from '../storage/store.js';
import { decodeIndex, type FileIndex, footerChecksumKey, footerChecksumPlace, indexKey } from './arrow-index.js';
import { type BufferRole, bufferRoles } from './buffer-role.js';
import { corrupt, placed, readable } from './corrupt.js';
import { checkFooterLists } from './flat-check.js';
import { checkIndex } from './index-check.js';
import type { StoredBatch } from './stored-batches.js';
import { readBuffers, type StoredPart } from './stored-buffers.js';

/** Where the nodes and buffers of one column stand among those of a record batch. */
export interface ColumnPlace {
  readonly node: number;
  readonly buffer: number;
  readonly nodes: number;
  readonly buffers: number;
}

/** Where a file is, and what is known of it before anything in it is believed. */
interface FilePlace {
  readonly store: ObjectStore;
  readonly path: string;
  readonly size: number;
  readonly footerBytes?: number;
  readonly onGrown?: ((bytes: number) => void) | undefined;
}

/** Bytes that an open file takes whatever it holds, and for each byte of its footer: as measured, 1 to 4 of them. */
const openBytes = 4096;
const bytesPerFooterByte = 4;

/**
 * An Arrow IPC file, opened: its footer is read and checked, its data not yet. Reading is in
 * `arrow-read.ts`. One instance is shared by all readers of a file in a process, so that each stored buffer is verified
 * once.
 */
export class ArrowFile {
  readonly store: ObjectStore;
  readonly path: string;
  /** Bytes of the whole file. */
  readonly size: number;
  /** As it was given to the writer, but for the ids of dictionaries. */
  readonly schema: Schema;
  readonly index: FileIndex;
  /** `rowStarts[b]` is the row at which batch `b` begins; the last entry is the file's number of rows. */
  readonly rowStarts: Float64Array;
  readonly places: readonly ColumnPlace[];
  /** What the buffers of every batch hold. */
  readonly roles: readonly BufferRole[];
  /** Whether its buffers have checksums. */
  readonly #summed: boolean;
  readonly #marks = new Map<StoredBatch, Uint8Array>();
  readonly #dictionaries = new Map<number, Promise<Vector>>();
  readonly #onGrown: ((bytes: number) => void) | undefined;
  #bytes: number;

  private constructor(
    { store, path, size, footerBytes = 0, onGrown }: FilePlace,
    schema: Schema,
    index: FileIndex,
    summed = true,
  ) {
    this.#summed = summed;
    this.#onGrown = onGrown;
    this.#bytes = openBytes + bytesPerFooterByte * footerBytes;
    this.store = store;
    this.path = path;
    this.size = size;
    this.schema = schema;
    this.index = index;
    this.rowStarts = new Float64Array(index.batches.length + 1);
    for (const [at, batch] of index.batches.entries()) this.rowStarts[at + 1] = this.rowStarts[at]! + batch.rows;
    this.places = columnPlaces(schema);
    this.roles = bufferRoles(schema.fields.map((field) => field.type));
  }

  /**
   * Opens `path` with one read of its end, two where its footer is longer than 64 KiB.
   *
   * @param expectedSize bytes of the file where they are known, as of a file that a table wrote.
   * @param onGrown told {@link bytes} whenever a dictionary was read.
   * @throws SpiralError `not_found`; `corrupt_file` for a file that is cut short, damaged in its footer, or not of
   * `expectedSize` bytes; `unsupported` for an Arrow file that this package did not write.
   */
  static async open(
    store: ObjectStore,
    path: string,
    expectedSize?: number,
    onGrown?: (bytes: number) => void,
  ): Promise<ArrowFile> {
    let { bytes, size } = await store.getTail(path, footerGuessBytes);
    const where = `${store.uri}/${path}`;
    if (expectedSize !== undefined && size !== expectedSize) {
      throw corrupt(where, `${expectedSize} bytes`, `${size} bytes`);
    }
    if (size < 18 || asBuffer(bytes).toString('latin1', bytes.byteLength - 6) !== 'ARROW1') {
      throw corrupt(where, "the mark 'ARROW1' at its end", 'none: it was cut short or is no Arrow file');
    }
    const length = asBuffer(bytes).readInt32LE(bytes.byteLength - 10);
    if (length <= 0 || length + 18 > size)
      throw corrupt(where, 'a footer that fits the file', `one of ${length} bytes`);
    if (length + 10 > bytes.byteLength) ({ bytes } = await store.getTail(path, length + 10));
    const footer = bytes.slice(bytes.byteLength - 10 - length, bytes.byteLength - 10);
    checkFooter(footer, where, expectedSize !== undefined || asBuffer(bytes).includes('spiral.'));
    // A footer whose checksum holds may still be a forged one.
    return readable(where, async () => {
      const { schema, index } = parseFooter(footer, where);
      checkIndex(index, schema, size, where);
      return new ArrowFile({ store, path, size, footerBytes: length, onGrown }, schema, index);
    });
  }

  /** A file that others wrote: its index was made of its messages, and no buffer of it may be verified. */
  static foreign(store: ObjectStore, path: string, size: number, schema: Schema, index: FileIndex): ArrowFile {
    return new ArrowFile({ store, path, size }, schema, index, false);
  }

  /** The file as it stands in messages. */
  get where(): string {
    return `${this.store.uri}/${this.path}`;
  }

  /** About the bytes of memory that it takes, dictionaries that were read included; of a foreign file those alone. */
  get bytes(): number {
    return this.#bytes;
  }

  get rows(): number {
    return this.rowStarts[this.index.batches.length]!;
  }

  /** What was found out in this process about each buffer of `batch`: `unread`, `summed` or `sound`. */
  marks(batch: StoredBatch): Uint8Array {
    let marks = this.#marks.get(batch);
    if (marks === undefined) {
      marks = new Uint8Array(batch.lengths.length);
      this.#marks.set(batch, marks);
    }
    return marks;
  }

  /** Batch number `number` as something to read buffers of. */
  part(number: number): StoredPart {
    const batch = this.index.batches[number]!;
    const column = (buffer: number): string | undefined => this.#nameAt(buffer);
    return { batch, roles: this.roles, column, name: (buffer) => `column '${column(buffer)}' of batch ${number}` };
  }

  /**
   * The dictionary of `column`, read once for all readers and so verified whatever their `verify`.
   *
   * @throws SpiralError `corrupt_file`.
   */
  dictionary(column: number): Promise<Vector> {
    let dictionary = this.#dictionaries.get(column);
    if (dictionary === undefined) {
      dictionary = this.#readDictionary(column);
      this.#dictionaries.set(column, dictionary);
      dictionary.then(
        ({ byteLength }) => {
          this.#bytes += byteLength;
          this.#onGrown?.(this.#bytes);
        },
        () => this.#dictionaries.delete(column),
      );
    }
    return dictionary;
  }

  async #readDictionary(column: number): Promise<Vector> {
    const { name, type } = this.schema.fields[column]!;
    const batch = this.index.dictionaries.get(column);
    if (!DataType.isDictionary(type) || batch === undefined) {
      throw corrupt(this.where, `a dictionary for column '${name}'`, 'none');
    }
    const what = `the dictionary of column '${name}'`;
    const part = { batch, roles: bufferRoles([type.dictionary]), name: () => what, column: () => name };
    const buffers = await readBuffers(this, part, Array.from(batch.lengths.keys()), this.#summed ? 'first' : 'never');
    try {
      return new Vector([assembleData(type.dictionary, { nodes: batch.nodes, buffers, node: 0, buffer: 0 })]);
    } catch (error) {
      throw placed(error, this.where, what, name);
    }
  }

  #nameAt(buffer: number): string | undefined {
    const column = this.places.findIndex((place) => buffer >= place.buffer && buffer < place.buffer + place.buffers);
    return this.schema.fields[column]?.name;
  }
}

function columnPlaces(schema: Schema): ColumnPlace[] {
  let node = 0;
  let buffer = 0;
  return schema.fields.map((field) => {
    const { nodes, buffers } = layoutCounts(field.type);
    const place = { node, buffer, nodes, buffers };
    node += nodes;
    buffer += buffers;
    return place;
  });
}

/** Checks the sum of `footer` before anything in it is believed, and leaves zeros where it stood. */
function checkFooter(footer: Uint8Array, where: string, own: boolean): void {
  const at = footerChecksumPlace(footer);
  if (at < 0 && own) throw corrupt(where, 'a footer with a checksum', 'none');
  if (at < 0) {
    throw new SpiralError(
      'unsupported',
      `Expected ${where} to be a table file, found an Arrow file without checksums, which spiral-loader did not write. ` +
        'Read it with `spiral.files`.',
      { details: { file: where } },
    );
  }
  const stored = asBuffer(footer).toString('latin1', at, at + 8);
  footer.fill(0x30, at, at + 8);
  const found = checksum(footer).toString(16).padStart(8, '0');
  if (stored !== found) throw corrupt(where, `a footer with checksum ${stored}`, `checksum ${found}`);
}

function parseFooter(footer: Uint8Array, where: string): { schema: Schema; index: FileIndex } {
  let schema: Schema;
  try {
    checkFooterLists(footer);
    schema = Footer.decode(footer).schema;
  } catch (cause) {
    throw corrupt(where, 'a readable footer', 'damaged metadata', cause);
  }
  const text = schema.metadata.get(indexKey);
  if (text === undefined) throw corrupt(where, 'an index in its footer', 'none');
  const metadata = new Map(schema.metadata);
  metadata.delete(indexKey);
  metadata.delete(footerChecksumKey);
  return { schema: new Schema(schema.fields, metadata), index: decodeIndex(text, where) };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

import { DataType, type Schema, Vector } from 'apache-arrow';
import { Footer } from 'apache-arrow/ipc/metadata/file';
import { checksum } from '../arrow/checksum.js';
import { assembleData } from '../arrow/flat.js';
import { layoutCounts } from '../arrow/layout.js';
import { SpiralError } from '../core/errors.js';
import { footerGuessBytes } from '../core/limits.js';
import type { ObjectStore } from '../storage/store.js';
import { decodeIndex, type FileIndex, indexKey, type StoredBatch } from './arrow-index.js';
import { footerChecksumPlace } from './arrow-writer.js';
import { corrupt, placed } from './corrupt.js';
import { readBuffers } from './stored-buffers.js';

/** Where the nodes and buffers of one column stand among those of a record batch. */
export interface ColumnPlace {
  readonly node: number;
  readonly buffer: number;
  readonly nodes: number;
  readonly buffers: number;
}

/**
 * An Arrow IPC file that this package wrote, opened: its footer is read and checked, its data not yet. Reading is in
 * `arrow-read.ts`. One instance is shared by all readers of a file in a process, so that each stored buffer is verified
 * once.
 */
export class ArrowFile {
  readonly store: ObjectStore;
  readonly path: string;
  /** Bytes of the whole file. */
  readonly size: number;
  readonly schema: Schema;
  readonly index: FileIndex;
  /** `rowStarts[b]` is the row at which batch `b` begins; the last entry is the file's number of rows. */
  readonly rowStarts: Float64Array;
  readonly places: readonly ColumnPlace[];
  readonly #verified = new Map<StoredBatch, Uint8Array>();
  readonly #dictionaries = new Map<number, Promise<Vector>>();

  private constructor(store: ObjectStore, path: string, size: number, schema: Schema, index: FileIndex) {
    this.store = store;
    this.path = path;
    this.size = size;
    this.schema = schema;
    this.index = index;
    this.rowStarts = new Float64Array(index.batches.length + 1);
    for (const [at, batch] of index.batches.entries()) this.rowStarts[at + 1] = this.rowStarts[at]! + batch.rows;
    this.places = columnPlaces(schema);
  }

  /**
   * Opens `path` with one read of its end.
   *
   * @throws SpiralError `not_found`; `corrupt_file` for a file that is cut short, damaged in its footer, or not of
   * `expectedSize` bytes; `unsupported` for an Arrow file that this package did not write.
   */
  static async open(store: ObjectStore, path: string, expectedSize?: number): Promise<ArrowFile> {
    let { bytes, size } = await store.getTail(path, footerGuessBytes);
    const where = `${store.uri}/${path}`;
    if (expectedSize !== undefined && size !== expectedSize) {
      throw corrupt(where, `${expectedSize} bytes`, `${size} bytes`);
    }
    if (size < 18 || Buffer.from(bytes.subarray(-6)).toString('latin1') !== 'ARROW1') {
      throw corrupt(where, "the mark 'ARROW1' at its end", 'none: it was cut short or is no Arrow file');
    }
    const length = new DataView(bytes.buffer, bytes.byteOffset + bytes.byteLength - 10, 4).getInt32(0, true);
    if (length <= 0 || length + 18 > size)
      throw corrupt(where, 'a footer that fits the file', `one of ${length} bytes`);
    if (length + 10 > bytes.byteLength) ({ bytes, size } = await store.getTail(path, length + 10));
    const footer = bytes.slice(bytes.byteLength - 10 - length, bytes.byteLength - 10);
    const { schema, index } = parseFooter(footer, where);
    checkExtent(index, size, where);
    return new ArrowFile(store, path, size, schema, index);
  }

  /** The file as it stands in messages. */
  get where(): string {
    return `${this.store.uri}/${this.path}`;
  }

  get rows(): number {
    return this.rowStarts[this.index.batches.length]!;
  }

  /** One byte a buffer of `batch`: 1 once its checksum held in this process. */
  verified(batch: StoredBatch): Uint8Array {
    let marks = this.#verified.get(batch);
    if (marks === undefined) {
      marks = new Uint8Array(batch.lengths.length);
      this.#verified.set(batch, marks);
    }
    return marks;
  }

  /** The dictionary of `column`, read once. */
  dictionary(column: number): Promise<Vector> {
    let dictionary = this.#dictionaries.get(column);
    if (dictionary === undefined) {
      dictionary = this.#readDictionary(column);
      this.#dictionaries.set(column, dictionary);
      dictionary.catch(() => this.#dictionaries.delete(column));
    }
    return dictionary;
  }

  async #readDictionary(column: number): Promise<Vector> {
    const type = this.schema.fields[column]!.type;
    const stored = this.index.dictionaries.get(column);
    if (!DataType.isDictionary(type) || stored === undefined) {
      throw corrupt(this.where, `a dictionary for column ${column}`, 'none');
    }
    const wanted = Array.from({ length: stored.lengths.length }, (_, at) => at);
    const buffers = await readBuffers(this, stored, wanted, 'first');
    try {
      return new Vector([assembleData(type.dictionary, { nodes: stored.nodes, buffers, node: 0, buffer: 0 })]);
    } catch (error) {
      throw placed(error, this.where, `the dictionary of column '${this.schema.fields[column]!.name}'`);
    }
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

function parseFooter(footer: Uint8Array, where: string): { schema: Schema; index: FileIndex } {
  const at = footerChecksumPlace(footer);
  if (at >= 0) {
    const stored = Buffer.from(footer.subarray(at, at + 8)).toString('latin1');
    footer.fill(0x30, at, at + 8);
    const found = checksum(footer).toString(16).padStart(8, '0');
    if (stored !== found) throw corrupt(where, `a footer with checksum ${stored}`, `checksum ${found}`);
  }
  let schema: Schema;
  try {
    schema = Footer.decode(footer).schema;
  } catch (cause) {
    throw corrupt(where, 'a readable footer', 'damaged metadata', cause);
  }
  const text = schema.metadata.get(indexKey);
  if (at < 0 || text === undefined) {
    throw new SpiralError(
      'unsupported',
      `Expected ${where} to be a table file, found an Arrow file without checksums, which spiral-loader did not write.`,
      { details: { file: where } },
    );
  }
  return { schema, index: decodeIndex(text, where) };
}

/** Nothing in the index may reach outside the file: checked once, relied on by every read. */
function checkExtent(index: FileIndex, size: number, where: string): void {
  for (const batch of [...index.batches, ...index.dictionaries.values()]) {
    for (let at = 0; at < batch.lengths.length; at++) {
      const end = batch.bodyOffset + batch.offsets[at]! + batch.lengths[at]!;
      if (!(end <= size)) throw corrupt(where, `its buffers inside ${size} bytes`, `one that ends at ${end}`);
    }
  }
}

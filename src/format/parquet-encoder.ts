import { DataType, type Field, type RecordBatch, type Schema } from 'apache-arrow';
import type { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { sliceBatch } from '../arrow/record-batch.js';
import { SpiralError } from '../core/errors.js';
import type { FileEncoder } from './file-encoder.js';
import { parquetSchema } from './parquet-schema.js';
import { parquetReader } from './parquet-values.js';

/** Rows and bytes that make a row group: enough for a column to be read at speed, few enough to be held. */
const groupRows = 32_768;
const groupBytes = 16 * 1024 * 1024;
/** Bytes of a bound that is kept. */
const boundBytesMax = 4096;

/**
 * Writes Parquet: pages compressed by Snappy, statistics for each column of each row group. What it holds is one row group.
 *
 * Fixed-size lists become lists, dictionary columns their values, seconds milliseconds, date64 a timestamp of
 * milliseconds; of a time zone only stays that times are in UTC.
 */
export class ParquetEncoder implements FileEncoder {
  readonly #fields: readonly Field[];
  readonly #bytes: ByteWriter;
  readonly #writer: ParquetWriter;
  #batches: RecordBatch[] = [];
  #rows = 0;
  #held = 0;

  private constructor(schema: Schema, bytes: ByteWriter, writer: ParquetWriter) {
    this.#fields = schema.fields;
    this.#bytes = bytes;
    this.#writer = writer;
  }

  /** @throws SpiralError `unsupported_type`, `invalid_schema`, as `parquetSchema`. */
  static async create(schema: Schema): Promise<ParquetEncoder> {
    const elements = parquetSchema(schema);
    // Half a megabyte of code that only who writes Parquet needs.
    const [library, { compressSync }] = await Promise.all([import('hyparquet-writer'), import('snappy')]);
    const bytes = new library.ByteWriter();
    const compressors = { SNAPPY: (page: Uint8Array): Uint8Array => compressSync(page) };
    const writer = new library.ParquetWriter({
      writer: bytes,
      schema: elements,
      compressors,
      createdBy: 'spiral-loader',
    });
    return new ParquetEncoder(schema, bytes, writer);
  }

  start(): Uint8Array[] {
    return this.#taken();
  }

  batch(batch: RecordBatch): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    const rowBytes = batch.data.byteLength / Math.max(1, batch.numRows);
    // A batch may be a row group of another file, many times as large as one here.
    for (let from = 0; from < batch.numRows; ) {
      const room = Math.min(groupRows - this.#rows, Math.ceil((groupBytes - this.#held) / Math.max(1, rowBytes)));
      const rows = Math.min(room, batch.numRows - from);
      this.#batches.push(rows === batch.numRows ? batch : sliceBatch(batch, from, rows));
      this.#rows += rows;
      this.#held += rows * rowBytes;
      from += rows;
      if (this.#rows >= groupRows || this.#held >= groupBytes) pieces.push(...this.#group());
    }
    return pieces;
  }

  finish(): Uint8Array[] {
    const last = this.#rows > 0 ? this.#group() : [];
    this.#writer.finish();
    return [...last, ...this.#taken()];
  }

  #group(): Uint8Array[] {
    const taken = (): Uint8Array[] => this.#taken();
    const values = this.#values();
    const pieces: Uint8Array[] = [];
    const columnData = this.#fields.map(({ name, type }, column) => ({
      name,
      // Asked for when the column is to be written, the ones before it having been.
      get data(): unknown[] {
        pieces.push(...taken());
        return values(column);
      },
      // A dictionary takes 0 and -0 for one value.
      ...(isFloat(type) && { encoding: 'PLAIN' as const }),
    }));
    try {
      this.#writer.write({ columnData, rowGroupSize: this.#rows });
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new SpiralError(
        'value_out_of_range',
        `Expected times that Parquet can hold, in milliseconds where they are in seconds: ${cause.message}. Cast the column.`,
        { cause },
      );
    }
    this.#ownBounds();
    [this.#batches, this.#rows, this.#held] = [[], 0, 0];
    return [...pieces, ...this.#taken()];
  }

  /**
   * Makes the bounds of text and bytes of the last row group, which the writer keeps until the end, copies: they are views
   * of a column's memory. Those that are long are left out, as little is pruned by them.
   */
  #ownBounds(): void {
    for (const { meta_data } of this.#writer.row_groups.at(-1)?.columns ?? []) {
      const { statistics } = meta_data ?? {};
      if (statistics === undefined) continue;
      for (const bound of ['min_value', 'max_value'] as const) {
        const value: unknown = statistics[bound];
        if (!(value instanceof Uint8Array)) continue;
        if (value.byteLength <= boundBytesMax) statistics[bound] = value.slice();
        else delete statistics[bound];
      }
    }
  }

  /** The values of columns, one column at a time in memory: as JavaScript's they take several times their bytes. */
  #values(): (column: number) => unknown[] {
    let [last, data]: [number, unknown[]] = [-1, []];
    return (column) => {
      if (column === last) return data;
      [last, data] = [column, []];
      for (const batch of this.#batches) {
        const read = parquetReader(batch.data.children[column]!);
        for (let row = 0; row < batch.numRows; row++) data.push(read(row));
      }
      return data;
    };
  }

  /** The bytes written since the last call. */
  #taken(): Uint8Array[] {
    const bytes = this.#bytes.getBytes().slice();
    this.#bytes.index = 0;
    return bytes.byteLength === 0 ? [] : [bytes];
  }
}

/** Whether a column has floats anywhere. */
function isFloat(type: DataType): boolean {
  if (DataType.isFloat(type)) return true;
  if (DataType.isDictionary(type)) return isFloat(type.dictionary);
  return (type.children ?? []).some((child) => isFloat(child.type));
}

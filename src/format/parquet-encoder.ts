import { DataType, type Field, type RecordBatch, type Schema } from 'apache-arrow';
import type { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { SpiralError } from '../core/errors.js';
import type { FileEncoder } from './file-encoder.js';
import { parquetSchema } from './parquet-schema.js';
import { parquetReader } from './parquet-values.js';

/** Rows and bytes that make a row group: enough for a column to be read at speed, few enough to be held. */
const groupRows = 65_536;
const groupBytes = 32 * 1024 * 1024;

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
    const library = await import('hyparquet-writer');
    const bytes = new library.ByteWriter();
    const writer = new library.ParquetWriter({ writer: bytes, schema: elements, createdBy: 'spiral-loader' });
    return new ParquetEncoder(schema, bytes, writer);
  }

  start(): Uint8Array[] {
    return this.#taken();
  }

  batch(batch: RecordBatch): Uint8Array[] {
    this.#batches.push(batch);
    this.#rows += batch.numRows;
    this.#held += batch.data.byteLength;
    return this.#rows >= groupRows || this.#held >= groupBytes ? this.#group() : [];
  }

  finish(): Uint8Array[] {
    const last = this.#rows > 0 ? this.#group() : [];
    this.#writer.finish();
    return [...last, ...this.#taken()];
  }

  #group(): Uint8Array[] {
    const columnData = this.#fields.map(({ name, type }, column) => {
      const data: unknown[] = [];
      for (const batch of this.#batches) {
        const read = parquetReader(batch.data.children[column]!);
        for (let row = 0; row < batch.numRows; row++) data.push(read(row));
      }
      // A dictionary takes 0 and -0 for one value.
      return isFloat(type) ? { name, data, encoding: 'PLAIN' as const } : { name, data };
    });
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
    [this.#batches, this.#rows, this.#held] = [[], 0, 0];
    return this.#taken();
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

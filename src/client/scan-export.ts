import type { RecordBatch, Schema } from 'apache-arrow';
import type { BatchReader } from '../arrow/batch-reader.js';
import { ArrowFileWriter } from '../format/arrow-writer.js';
import { encodedFile, type FileEncoder } from '../format/file-encoder.js';
import { JsonlEncoder } from '../format/jsonl-encoder.js';
import { ParquetEncoder } from '../format/parquet-encoder.js';
import { exportPlace } from './export-place.js';

/** A format that a scan can be written as. */
export type ExportFormat = 'arrow' | 'jsonl' | 'parquet';

/** What was written. */
export interface ExportedFile {
  readonly rows: number;
  readonly bytes: number;
}

/**
 * Writes the batches of `reader` as one file at `uri`, in the place of one that is there: whole or not at all, holding a few
 * batches at a time.
 *
 * @throws SpiralError `unsupported_type`, `invalid_argument` for a URI that names no file, what reading ends with, and
 * `storage_full`, `permission_denied`, `cancelled`: there is then no new file, and one that was there is as it was.
 */
export async function exportRows(
  reader: BatchReader,
  uri: string,
  format: ExportFormat,
  signal: AbortSignal | undefined,
): Promise<ExportedFile> {
  const counted = { rows: 0, bytes: 0 };
  async function* body(encoder: FileEncoder): AsyncGenerator<Uint8Array, void> {
    for await (const piece of encodedFile(encoder, batches())) {
      counted.bytes += piece.byteLength;
      yield piece;
    }
  }
  async function* batches(): AsyncGenerator<RecordBatch, void> {
    for await (const batch of reader) {
      counted.rows += batch.numRows;
      yield batch;
    }
  }
  await using _ = reader;
  const { store, path } = exportPlace(uri);
  try {
    await store.put(path, body(await encoderOf(format, reader.schema)), { signal });
  } finally {
    await store.close();
  }
  return counted;
}

async function encoderOf(format: ExportFormat, schema: Schema): Promise<FileEncoder> {
  if (format === 'jsonl') return new JsonlEncoder(schema);
  if (format === 'parquet') return ParquetEncoder.create(schema);
  const writer = await ArrowFileWriter.create(schema);
  return { start: () => writer.start(), batch: (batch) => writer.batch(batch), finish: () => writer.finish().chunks };
}

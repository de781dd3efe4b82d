import type { BatchReader } from '../arrow/batch-reader.js';
import { optionsObject } from '../core/check.js';
import { encodingsOf, samplesOf } from '../streaming/writing/arrow-samples.js';
import { MDSWriter } from '../streaming/writing/mds-writer.js';
import type { WriterOptions } from '../streaming/writing/writer-settings.js';
import type { WriterOut } from '../streaming/writing/writer-target.js';
import type { ReadOptions } from './read-options.js';
import type { ExportedFile } from './scan-export.js';

/** How a scan is written as a data set of MosaicML Streaming. */
export interface MdsExportOptions
  extends ReadOptions,
    Pick<WriterOptions, 'compression' | 'hashes' | 'sizeLimit' | 'keepLocal' | 'existOk' | 'maxWorkers'> {
  /** The encoding of some columns; that of the others follows from their type. */
  readonly columns?: Readonly<Record<string, string>>;
}

/** What was written. */
export interface ExportedDataSet extends ExportedFile {
  readonly shards: number;
}

const writerNames = ['columns', 'compression', 'hashes', 'sizeLimit', 'keepLocal', 'existOk', 'maxWorkers'] as const;

/** The options of `options` for reading, without those for the writer. @throws SpiralError `invalid_argument`. */
export function readingOptions(options: MdsExportOptions): ReadOptions {
  const others = Object.entries(optionsObject('toMds', options)).filter(
    ([name]) => !(writerNames as readonly string[]).includes(name),
  );
  return Object.fromEntries(others) as ReadOptions;
}

/**
 * Writes the batches of `reader` as a data set at `out`, with a few shards in memory at most. After a failure nothing of it
 * is left. @throws SpiralError as `MDSWriter` does, `unknown_column`, and what reading ends with.
 */
export async function exportMds(
  reader: BatchReader,
  out: WriterOut,
  options: MdsExportOptions,
): Promise<ExportedDataSet> {
  await using _ = reader;
  const encodings = encodingsOf(reader.schema, options.columns);
  const { compression, hashes, sizeLimit, keepLocal, existOk, maxWorkers, signal } = options;
  const writing = { compression, hashes, sizeLimit, keepLocal, existOk, maxWorkers, signal };
  const writer = new MDSWriter({ out, ...writing, columns: encodings });
  try {
    await writer.start();
    for await (const batch of reader) {
      for (const sample of samplesOf(batch, encodings, writer.samples)) await writer.write(sample);
    }
    const { samples, shards, bytes } = await writer.finish();
    return { rows: samples, bytes, shards };
  } finally {
    await writer.discard();
  }
}

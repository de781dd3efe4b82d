import type { RecordBatch } from 'apache-arrow';
import { BatchReader } from '../arrow/batch-reader.js';
import { checkSignal } from '../core/abort.js';
import { ProgressLine } from '../core/progress-line.js';
import { monotonicMs } from '../core/runtime.js';
import type { OpenScan } from '../scan/open-scan.js';
import { inKeyOrder, recordBatches, unorderedRecordBatches } from '../scan/record-batches.js';
import type { ReadSettings } from './read-options.js';

/** Reading shorter than this shows no progress line. */
const progressAfterMs = 1000;

/** A reader of `scan`, by key or as batches come. @throws SpiralError `invalid_shards`. */
export function scanReader(scan: OpenScan, settings: ReadSettings, order: 'key' | 'completion'): BatchReader {
  const { signal: outer, verify, readahead } = settings;
  let { shards } = scan;
  if (settings.shards !== undefined) {
    scan.checkShards(settings.shards);
    shards = inKeyOrder(settings.shards);
  }
  return new BatchReader({
    schema: scan.schema,
    open: async function* (signal): AsyncGenerator<RecordBatch, void, undefined> {
      const both = outer === undefined ? signal : AbortSignal.any([signal, outer]);
      checkSignal(outer, 'The scan');
      const read = order === 'key' ? recordBatches : unorderedRecordBatches;
      const batches = read(scan, shards, { signal: both, verify }, readahead);
      if (!settings.progress || !process.stderr.isTTY) yield* batches;
      else {
        const counts = shards.map(({ cardinality }) => cardinality);
        const rows = counts.every((count) => count !== null) ? counts.reduce((sum, count) => sum + count, 0) : null;
        yield* watched(batches, rows);
      }
    },
  });
}

/** `batches`, with a line on stderr that tells how far the reading of `rows` rows has got. */
async function* watched(
  batches: AsyncGenerator<RecordBatch, void, undefined>,
  rows: number | null,
): AsyncGenerator<RecordBatch, void, undefined> {
  const line = new ProgressLine(process.stderr, progressAfterMs);
  line.begin('scan', rows, monotonicMs());
  try {
    for await (const batch of batches) {
      line.add(batch.numRows, undefined, monotonicMs());
      yield batch;
    }
  } finally {
    line.end(monotonicMs());
  }
}

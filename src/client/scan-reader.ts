import type { RecordBatch } from 'apache-arrow';
import { BatchReader } from '../arrow/batch-reader.js';
import { ProgressLine } from '../core/progress-line.js';
import { monotonicMs } from '../core/runtime.js';
import type { OpenScan } from '../scan/open-scan.js';
import { inKeyOrder, keyReads, readBatches, shardReads } from '../scan/record-batches.js';
import type { Shard } from '../sharding/shard.js';
import { keyBatches } from './key-table.js';
import type { ReadSettings } from './read-options.js';

/** Reading shorter than this shows no progress line. */
const progressAfterMs = 1000;

/**
 * A reader of `scan`: in order, that of keys or of the key table, or as batches come.
 *
 * @throws SpiralError `invalid_shards`; `invalid_argument` for a `batchSize` with a stream of keys.
 */
export function scanReader(scan: OpenScan, settings: ReadSettings, order: 'kept' | 'completion'): BatchReader {
  const { signal: outer, verify, readahead, keyTable, batchSize } = settings;
  let { shards } = scan;
  if (settings.shards !== undefined) {
    scan.checkShards(settings.shards);
    shards = inKeyOrder(settings.shards);
  }
  const keys = keyTable === undefined ? undefined : keyBatches(keyTable, scan.plan, batchSize);
  return new BatchReader({
    schema: scan.schema,
    open: (signal): AsyncGenerator<RecordBatch, void, undefined> => {
      const both = outer === undefined ? signal : AbortSignal.any([signal, outer]);
      const options = { signal: both, verify };
      const reads = keys === undefined ? shardReads(scan, shards, options) : keyReads(scan, keys, options);
      const batches = readBatches(reads, order, both, Math.min(readahead, scan.readaheadMax ?? readahead));
      if (!settings.progress || !process.stderr.isTTY) return batches;
      return watched(batches, keys === undefined ? rowsOf(shards) : null);
    },
  });
}

/** The rows of `shards`; null where not all are counted. */
function rowsOf(shards: readonly Shard[]): number | null {
  return shards.reduce<number | null>(
    (sum, { cardinality }) => (sum === null || cardinality === null ? null : sum + cardinality),
    0,
  );
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

import type { RecordBatch } from 'apache-arrow';
import { checkSignal } from '../core/abort.js';
import { readConcurrency } from '../core/limits.js';
import type { Shard } from '../sharding/shard.js';
import type { OpenScan } from './open-scan.js';

/**
 * The record batches of `shards`, as they are stored, in order. `readahead` of them are read while the consumer is at
 * another.
 */
export async function* recordBatches(
  scan: OpenScan,
  shards: readonly Shard[],
  signal: AbortSignal,
  readahead: number = readConcurrency,
): AsyncGenerator<RecordBatch, void, undefined> {
  const reads = batchReads(scan, shards, signal);
  const ahead: Promise<RecordBatch>[] = [];
  for (;;) {
    checkSignal(signal, 'The scan');
    while (ahead.length <= readahead) {
      const next = reads.next();
      if (next.done) break;
      // An error is met again, and thrown, when its turn comes.
      next.value.catch(() => {});
      ahead.push(next.value);
    }
    const batch = ahead.shift();
    if (batch === undefined) return;
    yield await batch;
  }
}

function* batchReads(scan: OpenScan, shards: readonly Shard[], signal: AbortSignal): Generator<Promise<RecordBatch>> {
  for (const shard of shards) {
    const rows = shard.physicalRows;
    for (let from = 0; from < rows; ) {
      const to = scan.batchEnd(shard, from);
      yield scan.readRows(shard, from, to, signal);
      from = to;
    }
  }
}

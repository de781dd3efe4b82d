import type { EpochOrder } from '../sharding/epoch-order.js';
import type { Shard } from '../sharding/shard.js';
import type { MemoryNeeds } from './memory-budget.js';
import type { PassSettings } from './options.js';
import { rowBytes } from './row-bytes.js';
import type { OpenSource } from './source.js';

/** What an epoch in `order` takes, from the cardinalities of its chunks: nothing is read. */
export function memoryNeeds(
  source: OpenSource,
  shards: readonly Shard[],
  order: EpochOrder,
  { shuffleBufferSize, interleaveShards, shuffleChunkRows, batchSize, map }: PassSettings,
): MemoryNeeds {
  const { rows } = order.chunks;
  const largest = rows.reduce((most, count) => Math.max(most, count), 0);
  // With one lane and whole shards windows end where shards end.
  const perShard = interleaveShards === 1 && shuffleChunkRows === undefined;
  return {
    row: rowBytes(source),
    shuffles: order.shuffles,
    windowRows: Math.max(1, Math.min(shuffleBufferSize, perShard ? largest : order.rows)),
    bufferRows: shuffleBufferSize,
    lanes: Math.min(interleaveShards, Math.max(1, rows.length)),
    chunkRows: rows.length === 0 ? 1 : Math.max(1, order.lanes.rows / rows.length),
    storedRows: shards.reduce((most, shard) => Math.max(most, storedRows(source, shard)), 1),
    batchRows: Math.min(batchSize, Math.max(1, order.rows)),
    maps: map !== undefined,
  };
}

/** Rows of the first stored batch of `shard`; those behind it are hardly ever larger. */
function storedRows(source: OpenSource, shard: Shard): number {
  return shard.physicalRows === 0 ? 0 : source.blockEnd(shard, 0);
}

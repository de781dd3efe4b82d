import type { RecordBatch, Schema } from 'apache-arrow';
import type { Shard } from '../sharding/shard.js';
import type { OpenScan } from './open-scan.js';

/** A scan as loaders read it: the loader's source contract, which this floor knows by its shape only. */
export interface ScanSource {
  readonly schema: Schema;
  readonly shards: readonly Shard[];
  readonly filtered: boolean;
  checkShards(shards: readonly Shard[]): void;
  blockEnd(shard: Shard, row: number): number;
  readBlock(
    shard: Shard,
    from: number,
    to: number,
    signal: AbortSignal,
  ): Promise<{ batch: RecordBatch; rows: Int32Array | undefined }>;
}

/** `scan` as a loader's source. */
export function scanSource(scan: OpenScan): ScanSource {
  return {
    schema: scan.schema,
    shards: scan.shards,
    filtered: false,
    checkShards: (shards) => scan.checkShards(shards),
    blockEnd: (shard, row) => scan.batchEnd(shard, row),
    readBlock: async (shard, from, to, signal) => ({
      batch: await scan.readRows(shard, from, to, signal),
      rows: undefined,
    }),
  };
}

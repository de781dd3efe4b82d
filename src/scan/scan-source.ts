import type { RecordBatch, Schema } from 'apache-arrow';
import type { Memory } from '../core/memory-pool.js';
import type { Verify } from '../core/verify.js';
import type { Shard } from '../sharding/shard.js';
import type { OpenScan } from './open-scan.js';

/** A scan as loaders read it: the loader's source contract, which this floor knows by its shape only. */
export interface ScanSource {
  readonly schema: Schema;
  readonly shards: readonly Shard[];
  readonly filtered: boolean;
  /** Of the files that hold the scan's columns, all columns of theirs included. */
  readonly bytesPerRow: number | undefined;
  checkShards(shards: readonly Shard[]): void;
  blockEnd(shard: Shard, row: number): number;
  readsAlone(shard: Shard, row: number): boolean;
  readBlock(
    shard: Shard,
    from: number,
    to: number,
    signal: AbortSignal,
    memory?: Memory,
  ): Promise<{ batch: RecordBatch; rows: Int32Array | undefined }>;
  readonly cutsWithin: ((shard: Shard, from: number, to: number) => Promise<readonly number[]>) | undefined;
}

/** `scan` as a loader's source, read with `verify` or, without one, as the scan has it. */
export function scanSource(scan: OpenScan, verify: Verify | undefined): ScanSource {
  return {
    schema: scan.schema,
    shards: scan.shards,
    filtered: scan.plan.where !== undefined,
    bytesPerRow: scan.bytesPerRow,
    checkShards: (shards) => scan.checkShards(shards),
    blockEnd: (shard, row) => scan.batchEnd(shard, row),
    readsAlone: (shard, row) => scan.readsAlone?.(shard, row, verify) === true,
    readBlock: (shard, from, to, signal, memory) => scan.readRows(shard, from, to, { signal, memory, verify }),
    // Without checksums it depends on what is read together whether damage is noticed.
    cutsWithin: scan.verifies ? (shard, from, to) => scan.batchCuts(shard, from, to) : undefined,
  };
}

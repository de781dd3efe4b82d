import type { Data, Schema } from 'apache-arrow';
import type { BlockColumn } from '../../arrow/stored-cells.js';
import type { Memory } from '../../core/memory-pool.js';

/** Samples in shards, whatever they are kept as: an MDS data set behind a cache, rows of a table. */
export interface SampleShards {
  readonly schema: Schema;
  /** Samples of each shard. */
  readonly shardSizes: readonly number[];
  /** Bytes that a shard takes in the cache (raw, and zip while it is unpacked); 0 where there is no cache. */
  readonly shardBytes: readonly number[];
  /** Bytes of a sample, on average; left out: not known. */
  readonly sampleBytes?: number | undefined;
  /** Names the data and its version: a resumed run refuses another. */
  readonly identity: string;
  /** Makes the shard local and keeps it so until `release`. */
  pin(shard: number, signal?: AbortSignal): Promise<PinnedShard>;
  /** What will be needed next, in order: shards are fetched ahead and evicted by it. */
  expect(shards: Iterable<number>): void;
  close(): Promise<void>;
}

/** A shard that is here until it is released. */
export interface PinnedShard {
  /** Samples `from … to` of the shard, as columns `columns` of the schema (numbers; all when left out). */
  read(from: number, to: number, columns?: readonly number[], signal?: AbortSignal): Promise<Data[]>;
  /** All columns of the same, made in `memory`, which is taken back: some of them may be as they are stored. */
  readBlock?(from: number, to: number, memory: Memory, signal?: AbortSignal): Promise<readonly BlockColumn[]>;
  release(): void;
}

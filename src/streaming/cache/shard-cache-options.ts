import type { ShardSource } from './shard-source.js';

/** How a folder keeps shards. */
export interface ShardCacheOptions {
  readonly source: ShardSource;
  /** Bytes of all files in the folder, the cache's own (32 bytes a shard, some KiB a member) aside. Default: no limit. */
  readonly limitBytes?: number | undefined;
  /** Shards that are fetched ahead at once; as many again may be fetched as are asked for. Default 4. */
  readonly downloads?: number | undefined;
  /**
   * How far is fetched ahead of what is in use: expected shards as long as the weights of those before them, without those
   * that were in use since they came, come to less than `most`. `weights` are 1 each where left out. Default: twice
   * `downloads` shards.
   */
  readonly ahead?: { readonly most: number; readonly weights?: readonly number[] | undefined } | undefined;
  /** Milliseconds of standstill after which a limit that is too small for what is in use is an error. Default 10,000. */
  readonly standstillMs?: number | undefined;
}

/** Every name of {@link ShardCacheOptions}. */
export const shardCacheOptions: readonly (keyof ShardCacheOptions)[] = [
  'source',
  'limitBytes',
  'downloads',
  'ahead',
  'standstillMs',
];

/** What a cache did so far, in this thread. */
export interface ShardCacheStats {
  /** Fetches that came to an end, and the bytes of what they brought, as it is kept. */
  readonly downloads: number;
  readonly downloadedBytes: number;
  /** Downloads of shards that had been here before. */
  readonly redownloads: number;
  /** Pins that found their shard here. */
  readonly hits: number;
  /** Pins that had to wait for another process's download, or for room. */
  readonly waits: number;
  readonly evictions: number;
  /** Shards found in the folder that were checked, and those of them that were damaged. */
  readonly checked: number;
  readonly damaged: number;
}

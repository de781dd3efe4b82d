import type { ObjectStore } from '../../storage/store.js';

/** A fetch of a shard, for as long as it lasts. */
export interface Fetching {
  readonly signal: AbortSignal;
  /** Whether somebody waits for the shard by now; else it is fetched ahead. */
  readonly isWanted: () => boolean;
}

/** Where a cache has its shards from: files of a remote store, rows of a table. */
export interface ShardSource {
  /** Names the data and its version, and all else that decides what the files hold: a cache of another is not taken for it. */
  readonly identity: string;
  /** Number of shards. */
  readonly count: number;
  /** The most bytes that the shard takes on the disk, while it is fetched and after. */
  bytesOf(shard: number): number;
  /** The files that are kept of the shard, as paths below the folder of the cache; never those of another shard. */
  names(shard: number): readonly string[];
  /**
   * Puts just the files of `names(shard)` into `into`, checked, trying again what may be tried again.
   *
   * @throws SpiralError whatever ended it; nothing that was put is kept then.
   */
  fetch(shard: number, into: ObjectStore, fetching: Fetching): Promise<void>;
  /** Checks files that were found in the folder, which `files` reads. @throws SpiralError `corrupt_file`. */
  check(shard: number, files: ObjectStore, signal: AbortSignal): Promise<void>;
}

import type { StoreCacheSettings } from './store-caches.js';

/** How far stores are read: all but folders and memory. Plain data, and memory that threads share. */
export interface StoreSettings {
  /** Default: nothing is cached. */
  readonly caches?: StoreCacheSettings | undefined;
  /** Tries of a request that fails in a way that may pass, the first included. Default 8. */
  readonly triesMax?: number | undefined;
  /** Operations that each thread has under way at once. Default 32. */
  readonly concurrency?: number | undefined;
  /** Bytes a second, of all threads with the memory `pace`. Default: as they come. */
  readonly bytesPerSecond?: number | undefined;
  readonly pace?: SharedArrayBuffer | undefined;
  /** Ranges slower than this share of reads of their size are asked for a second time. Default: none is. */
  readonly hedgeQuantile?: number | undefined;
  /** The memory of a `StoreMeter`. Default: nothing is counted. */
  readonly meter?: SharedArrayBuffer | undefined;
}

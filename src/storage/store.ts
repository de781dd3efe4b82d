/** What a store knows of one object. */
export interface ObjectInfo {
  /** Relative to the store's root, '/'-separated. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since the epoch, by the store's clock. */
  readonly modifiedMs: number;
  /** Changes whenever the content is replaced; otherwise opaque. */
  readonly etag: string;
}

/**
 * The bytes of one object: whole, in pieces, or streamed. Whole bodies stay unchanged until the put has settled; a
 * stream may use a piece's memory again once it is asked for the next. Pieces of 64 KiB and more are quickest.
 */
export type PutBody = Uint8Array | readonly Uint8Array[] | AsyncIterable<Uint8Array>;

/** What every operation takes. */
export interface StoreOptions {
  /** Ends the operation with `cancelled`. A put that is cancelled has left nothing behind. */
  readonly signal?: AbortSignal | undefined;
}

/** What reading a range takes. */
export interface RangeOptions extends StoreOptions {
  /** Bytes of no other version than this one, as `head` or `list` told it: else `file_changed`. */
  readonly etag?: string | undefined;
  /** Memory to read into, at least `length` bytes, maybe of a SharedArrayBuffer; the answer is a view of it. Not written to after the answer. */
  readonly into?: Uint8Array | undefined;
}

/**
 * A flat map from paths to immutable bytes, on a disk, in memory or on a server.
 *
 * Paths obey `checkPath`. No path may be a folder of another (`a` and `a/b`): a file system cannot hold both, and says
 * `already_exists`. What is read belongs to the caller and is no view of shared memory, `into` apart. A change is
 * durable and visible to every reader when its promise resolves. Who makes a store closes it.
 *
 * Every operation may reject with `path_outside_root` or `invalid_argument` (the path), `cancelled` (the signal),
 * `closed`, `permission_denied`, `unavailable` (try again), and writes with `storage_full`.
 */
export interface ObjectStore {
  /** The root of this store, percent-encoded, without a '/' at its end; `openStore` takes it. Never holds credentials. */
  readonly uri: string;
  /** The whole object. @throws SpiralError `not_found`, `limit_exceeded` for more than one buffer can hold. */
  get(path: string, options?: StoreOptions): Promise<Uint8Array>;
  /**
   * Exactly `length` bytes from `offset`. For objects that are not replaced: a store may go on reading the version that
   * it has open, or refuse any other, until `get`, `getTail`, `head` or a change made through this process looks again. No
   * bytes are asked of the store for a `length` of 0.
   *
   * @throws SpiralError `not_found`, `corrupt_file` where the object ends before the range does, `file_changed` where it is
   * another version than the one that was looked at, and that one is no more, or than `options.etag` says.
   */
  getRange(path: string, offset: number, length: number, options?: RangeOptions): Promise<Uint8Array>;
  /**
   * The last `length` bytes (at least 1 is asked for; all where there are fewer), and the size of the whole object, both
   * of one version. @throws SpiralError `not_found`.
   */
  getTail(path: string, length: number, options?: StoreOptions): Promise<{ bytes: Uint8Array; size: number }>;
  /** What is known of the object, or undefined where there is none. */
  head(path: string, options?: StoreOptions): Promise<ObjectInfo | undefined>;
  /** Makes or replaces the object, whole or not at all. A body that throws leaves nothing, and its error is passed on. */
  put(path: string, body: PutBody, options?: StoreOptions): Promise<void>;
  /** Makes the object and gives true, or gives false where it is there: of any number of writers and processes one wins. */
  putIfAbsent(path: string, body: Uint8Array, options?: StoreOptions): Promise<boolean>;
  /**
   * Every object whose path begins with `prefix` (plain text, so `log/` is a folder and `log/00` a part of one; '' is
   * all), in the order of the paths' UTF-8 bytes. Objects that come or go meanwhile may or may not be seen.
   */
  list(prefix: string, options?: StoreOptions): AsyncIterable<ObjectInfo>;
  /** Ends the object; nothing happens where there is none. */
  delete(path: string, options?: StoreOptions): Promise<void>;
  /** Releases what the store holds open; a second call does nothing. Operations that follow reject with `closed`. */
  close(): Promise<void>;
}

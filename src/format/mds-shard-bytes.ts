import { checkSignal } from '../core/abort.js';
import { mdsShardBytesMax } from '../core/limits.js';
import type { ObjectStore } from '../storage/store.js';
import { decompressShard, type MdsCompression } from './mds-compression.js';
import { checkStoredFile, checkWholeFile, hashFor } from './mds-file-check.js';
import type { MdsFileInfo } from './mds-index.js';
import type { GroupOptions } from './row-file.js';

/** A file of a shard as it is stored: plain, or compressed as `zip`. */
export interface StoredShardFile {
  readonly raw: MdsFileInfo;
  readonly zip: MdsFileInfo | undefined;
  readonly compression: MdsCompression | undefined;
}

/** How to read of a file of a shard. */
export interface ShardBytes {
  /** As it stands in messages. */
  readonly where: string;
  /** Exactly bytes `from … to`, read into `into` where that is needed. */
  read(from: number, to: number, into?: Uint8Array): Promise<Buffer>;
}

/**
 * The files of shards below `store`: ranges of plain ones, compressed ones whole, of which the least recently used are let go
 * above `mdsShardBytesMax`. Sizes are checked of every file, hashes of what is read whole; with `validateHash` each plain
 * file is read through once for its hash.
 */
export class ShardFiles {
  readonly #store: ObjectStore;
  /** What stands before names: the folder of the index. */
  readonly #folder: string;
  readonly #validateHash: string | undefined;
  readonly #checked = new Map<string, Promise<void>>();
  readonly #whole = new Map<string, Promise<Buffer>>();
  readonly #sizes = new Map<string, number>();
  #wholeBytes = 0;

  constructor(store: ObjectStore, folder: string, validateHash: string | undefined) {
    this.#store = store;
    this.#folder = folder;
    this.#validateHash = validateHash;
  }

  /** @throws SpiralError `corrupt_file`, `not_found`, `invalid_argument` for a hash that the index does not have. */
  async open(file: StoredShardFile, options: GroupOptions): Promise<ShardBytes> {
    checkSignal(options.signal, `The reading of ${file.raw.basename}`);
    // Others wait for what is read once: it does not end with the first that asked.
    const shared = { counters: options.counters };
    const { raw, zip, compression } = file;
    const path = this.#folder + (zip ?? raw).basename;
    if (zip === undefined || compression === undefined) {
      await this.#once(this.#checked, path, () => this.#check(path, raw, shared));
      return this.#ranges(path, options);
    }
    const bytes = await this.#once(this.#whole, path, () => this.#unpack(path, raw, zip, compression, shared));
    // Again at the end: the last that is let go.
    const promise = this.#whole.get(path);
    if (promise !== undefined) {
      this.#whole.delete(path);
      this.#whole.set(path, promise);
    }
    const read = async (from: number, to: number): Promise<Buffer> => bytes.subarray(from, to);
    return { where: `${this.#store.uri}/${path}`, read };
  }

  /** What `work` gives, done once for all that ask meanwhile and later; a failure is forgotten. */
  #once<T>(found: Map<string, Promise<T>>, path: string, work: () => Promise<T>): Promise<T> {
    const known = found.get(path);
    if (known !== undefined) return known;
    const promise = work();
    found.set(path, promise);
    promise.catch(() => {
      if (found.get(path) === promise) found.delete(path);
    });
    return promise;
  }

  #ranges(path: string, { signal, counters }: GroupOptions): ShardBytes {
    const read = async (from: number, to: number, into?: Uint8Array): Promise<Buffer> => {
      const bytes = await this.#store.getRange(path, from, to - from, { signal, into });
      if (counters !== undefined) {
        counters.bytes += bytes.length;
        counters.requests++;
      }
      return asBuffer(bytes);
    };
    return { where: `${this.#store.uri}/${path}`, read };
  }

  async #check(path: string, info: MdsFileInfo, { counters }: GroupOptions): Promise<void> {
    const wanted = this.#validateHash;
    const name = wanted === undefined ? undefined : hashFor(info, wanted, `${this.#store.uri}/${path}`);
    const read = (bytes: number): void => {
      if (counters === undefined) return;
      counters.bytes += bytes;
      counters.requests++;
    };
    await checkStoredFile(this.#store, path, info, name, { read });
  }

  async #unpack(
    path: string,
    raw: MdsFileInfo,
    zip: MdsFileInfo,
    compression: MdsCompression,
    { counters }: GroupOptions,
  ): Promise<Buffer> {
    const where = `${this.#store.uri}/${path}`;
    const stored = await this.#store.get(path);
    if (counters !== undefined) {
      counters.bytes += stored.length;
      counters.requests++;
    }
    await checkWholeFile(stored, zip, hashFor(zip, this.#validateHash, where), where);
    const whole = await decompressShard(compression, stored, raw.bytes, where);
    await checkWholeFile(whole, raw, hashFor(raw, this.#validateHash, where), where);
    this.#keep(path, whole.length);
    return asBuffer(whole);
  }

  #keep(newest: string, bytes: number): void {
    this.#sizes.set(newest, bytes);
    this.#wholeBytes += bytes;
    for (const path of this.#whole.keys()) {
      if (this.#wholeBytes <= mdsShardBytesMax) return;
      const size = this.#sizes.get(path);
      if (path === newest || size === undefined) continue;
      this.#whole.delete(path);
      this.#sizes.delete(path);
      this.#wholeBytes -= size;
    }
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

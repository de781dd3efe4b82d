import { checkSignal } from '../core/abort.js';
import { SpiralError } from '../core/errors.js';
import { mdsShardBytesMax, readBytesMax } from '../core/limits.js';
import type { ObjectStore } from '../storage/store.js';
import { corrupt } from './corrupt.js';
import { decompressShard, type MdsCompression } from './mds-compression.js';
import { cheapestHash, createHasher, mdsHashNames } from './mds-hash.js';
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

  async #check(path: string, info: MdsFileInfo, options: GroupOptions): Promise<void> {
    const { size } = await this.#store.getTail(path, 1);
    const where = `${this.#store.uri}/${path}`;
    if (size !== info.bytes) throw corrupt(where, `${info.bytes} bytes`, `${size}`);
    if (this.#validateHash === undefined) return;
    const name = this.#hashOf(info, where);
    const hasher = await createHasher(name);
    const { read } = this.#ranges(path, options);
    for (let at = 0; at < size; at += readBytesMax) hasher.update(await read(at, Math.min(size, at + readBytesMax)));
    checkDigest(where, name, info, hasher.digest());
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
    if (stored.length !== zip.bytes) throw corrupt(where, `${zip.bytes} bytes`, `${stored.length}`);
    await this.#checkWhole(where, zip, stored);
    const whole = await decompressShard(compression, stored, raw.bytes, where);
    await this.#checkWhole(where, raw, whole);
    this.#keep(path, whole.length);
    return asBuffer(whole);
  }

  async #checkWhole(where: string, info: MdsFileInfo, bytes: Uint8Array): Promise<void> {
    const name = this.#validateHash === undefined ? cheapestHash(Object.keys(info.hashes)) : this.#hashOf(info, where);
    if (name === undefined) return;
    const hasher = await createHasher(name);
    hasher.update(bytes);
    checkDigest(where, name, info, hasher.digest());
  }

  #hashOf(info: MdsFileInfo, where: string): string {
    const name = this.#validateHash!;
    if (Object.hasOwn(info.hashes, name)) return name;
    const known = Object.keys(info.hashes).filter((hash) => mdsHashNames.includes(hash));
    const remedy = known.length === 0 ? 'Leave `validateHash` out.' : `Give one of these: ${known.join(', ')}.`;
    throw new SpiralError('invalid_argument', `Expected the index of ${where} to have the hash ${name}. ${remedy}`, {
      details: { file: where, expected: name, found: known },
    });
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

function checkDigest(where: string, name: string, { hashes }: MdsFileInfo, found: string): void {
  if (found === hashes[name]) return;
  throw corrupt(where, `the ${name} hash ${hashes[name]}`, found);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

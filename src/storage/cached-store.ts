import { abortable, checkSignal } from '../core/abort.js';
import type { ErrorCode } from '../core/codes.js';
import { isSpiralError } from '../core/errors.js';
import { cachedObjectsMax, pieceWindowBytes } from '../core/limits.js';
import { wallMicros } from '../core/runtime.js';
import { uninitializedBytes } from './byte-buffer.js';
import { isHidden, ListedVersions } from './listed-versions.js';
import { checkPath } from './object-path.js';
import type { FetchPieces, PieceCache } from './piece-cache.js';
import { CachedObject, PieceKey, sizeBytes } from './piece-key.js';
import { markReopenable, reopenUri } from './reopenable.js';
import type { ObjectInfo, ObjectStore, PutBody, RangeOptions, StoreOptions } from './store.js';
import { checkRange, checkTail, notFound } from './store-errors.js';
import { storePlace } from './store-place.js';

/** How an object is cached, and in which cache. */
export interface CacheRule {
  readonly cache: PieceCache;
  /**
   * `name`: nothing else ever has this path. `list`: it is not replaced, but another warehouse may have had one at the same
   * place, so the store's list is asked once for its version. `head`: it may be replaced, so only ranges are cached, and of the version
   * that `head` told.
   */
  readonly by: 'name' | 'list' | 'head';
}

/** The rule for the object at `path`; undefined: it is not cached. */
export type CacheRules = (path: string) => CacheRule | undefined;

/**
 * `store`, with reads of some objects kept in caches: by a rule for each path. Answers are those of `store`, except that
 * an object that is cached by `name` or `list` may still be read after somebody else deleted it. Lists, heads, and
 * objects without a rule are never cached; objects changed through this store are not cached any more. `store` has to know
 * `etag` of `RangeOptions`. Closing it closes `store`; caches belong to whoever made them.
 */
export function cachedStore(store: ObjectStore, rules: CacheRules): ObjectStore {
  const cached = new CachedStore(store, rules);
  const uri = reopenUri(store);
  return uri === undefined ? cached : markReopenable(cached, uri);
}

/** What is known of an object that is cached. */
interface Known {
  readonly object: CachedObject;
  readonly size: number;
  readonly etag: string | undefined;
}

/** Milliseconds of age below which a time of change, told to the second, is no version. */
const recentMs = 60_000;

class CachedStore implements ObjectStore {
  readonly uri: string;
  readonly #store: ObjectStore;
  readonly #rules: CacheRules;
  readonly #listed: ListedVersions;
  /** By path: those cached by name as they are met, those by head as it told. */
  readonly #known = new Map<string, Promise<Known | undefined>>();
  readonly #changed = new Set<string>();
  #closed = false;

  constructor(store: ObjectStore, rules: CacheRules) {
    this.uri = store.uri;
    this.#store = store;
    this.#rules = rules;
    this.#listed = new ListedVersions(store);
  }

  async get(path: string, options?: StoreOptions): Promise<Uint8Array> {
    const rule = this.#ruleOf(path);
    const from = (): Promise<Uint8Array> => this.#store.get(path, options);
    if (rule === undefined) return from();
    if (rule.by === 'head') return this.#unversioned(path, from);
    const known =
      rule.by === 'name' ? await this.#byName(rule, path) : await this.#byList(path, options).catch(unlessHidden);
    if (known !== undefined) return this.#orElse(() => this.#range(rule, path, known, 0, known.size, options), from);
    const bytes = await from();
    if (rule.by === 'name') this.#keepWhole(rule, path, bytes);
    return bytes;
  }

  async getRange(path: string, offset: number, length: number, options?: RangeOptions): Promise<Uint8Array> {
    checkRange(offset, length, options?.into);
    const rule = this.#ruleOf(path);
    const from = (): Promise<Uint8Array> => this.#store.getRange(path, offset, length, options);
    if (rule === undefined || rule.by === 'list' || length === 0) return from();
    const known = await this.#knownOf(rule, path, options).catch(unlessHidden);
    if (known === undefined || (options?.etag ?? known.etag) !== known.etag) return from();
    const ofThis = (): Promise<Uint8Array> =>
      this.#store.getRange(path, offset, length, { ...options, etag: known.etag });
    if (offset + length > known.size) return ofThis();
    return this.#orElse(() => this.#range(rule, path, known, offset, length, options), ofThis);
  }

  async getTail(path: string, length: number, options?: StoreOptions): Promise<{ bytes: Uint8Array; size: number }> {
    checkTail(length);
    const rule = this.#ruleOf(path);
    const from = (): Promise<{ bytes: Uint8Array; size: number }> => this.#store.getTail(path, length, options);
    if (rule === undefined || rule.by === 'list') return from();
    if (rule.by === 'head')
      return (await this.#newestTail(rule, path, length, options)) ?? this.#unversioned(path, from);
    const object = new CachedObject(storePlace(this.#store), path, '');
    const key = new PieceKey(object, 'tail', length);
    const fits = length + sizeBytes <= rule.cache.pieceBytes;
    const found = fits ? await rule.cache.find(key) : undefined;
    checkSignal(options?.signal, `read of ${path}`);
    const tail =
      found === undefined ? await from() : { bytes: new Uint8Array(found.subarray(sizeBytes)), size: sizeIn(found) };
    if (this.#changed.has(path)) return found === undefined ? tail : from();
    this.#remember(path, Promise.resolve({ object, size: tail.size, etag: undefined }));
    if (fits && found === undefined) rule.cache.keep(key, sized(tail.size, tail.bytes));
    return tail;
  }

  async head(path: string, options?: StoreOptions): Promise<ObjectInfo | undefined> {
    const rule = this.#ruleOf(path);
    const from = (): Promise<ObjectInfo | undefined> => this.#store.head(path, options);
    if (rule?.by !== 'head') return from();
    const info = await this.#unversioned(path, from);
    if (info === undefined) this.#known.delete(path);
    else this.#remember(path, Promise.resolve(this.#knownBy(rule, info)));
    return info;
  }

  async put(path: string, body: PutBody, options?: StoreOptions): Promise<void> {
    return this.#changing(path, () => this.#store.put(path, body, options));
  }

  async putIfAbsent(path: string, body: Uint8Array, options?: StoreOptions): Promise<boolean> {
    return this.#changing(path, () => this.#store.putIfAbsent(path, body, options));
  }

  list(prefix: string, options?: StoreOptions): AsyncIterable<ObjectInfo> {
    return this.#store.list(prefix, options);
  }

  async delete(path: string, options?: StoreOptions): Promise<void> {
    if (this.#ruleOf(path)?.by === 'name') this.#isChanged(path);
    return this.#changing(path, () => this.#store.delete(path, options));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#known.clear();
    await this.#store.close();
  }

  /** The rule of `path`; none where the store says itself what is wrong, and for what was changed through this store. */
  #ruleOf(path: string): CacheRule | undefined {
    if (this.#closed) return undefined;
    return this.#changed.has(checkPath(path)) ? undefined : this.#rules(path);
  }

  /** Does what has the store look which version there is, without telling: ranges are the store's own until the next look. */
  async #unversioned<T>(path: string, look: () => Promise<T>): Promise<T> {
    this.#remember(path, Promise.resolve(undefined));
    try {
      return await look();
    } finally {
      this.#remember(path, Promise.resolve(undefined));
    }
  }

  /** The tail of the version that there is, which ranges are of from now on; undefined where it is to be had from the store. */
  async #newestTail(
    rule: CacheRule,
    path: string,
    length: number,
    options: StoreOptions | undefined,
  ): Promise<{ bytes: Uint8Array; size: number } | undefined> {
    this.#known.delete(path);
    const known = await this.#knownOf(rule, path, options).catch(unlessHidden);
    if (known === undefined) return undefined;
    const wanted = Math.min(length, known.size);
    try {
      return { bytes: await this.#range(rule, path, known, known.size - wanted, wanted, options), size: known.size };
    } catch (error) {
      if (isOther(error)) return undefined;
      throw error;
    }
  }

  async #changing<T>(path: string, change: () => Promise<T>): Promise<T> {
    const rule = this.#ruleOf(path);
    // Objects cached by name are made once: what was read before its making is another case of that name.
    if (rule?.by === 'name' && this.#known.has(path)) this.#isChanged(path);
    this.#listed.forget(path);
    this.#known.delete(path);
    try {
      return await change();
    } finally {
      this.#known.delete(path);
      this.#listed.forget(path);
    }
  }

  #isChanged(path: string): void {
    this.#changed.add(path);
    if (this.#changed.size > cachedObjectsMax) this.#changed.delete(this.#changed.keys().next().value!);
  }

  async #knownOf(rule: CacheRule, path: string, options: StoreOptions | undefined): Promise<Known | undefined> {
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    if (rule.by === 'name') {
      const found = await this.#byName(rule, path);
      if (found !== undefined) return found;
    }
    // Ended by nobody's signal: others may wait for the same answer.
    const asked = this.#headOf(rule, path);
    this.#remember(path, asked);
    const forget = (): void => {
      if (this.#known.get(path) === asked) this.#known.delete(path);
    };
    asked.catch(forget);
    return abortable(asked, options?.signal, `read of ${path}`);
  }

  async #headOf(rule: CacheRule, path: string): Promise<Known | undefined> {
    const info = await this.#store.head(path);
    if (info === undefined) throw notFound(this.uri, path);
    return this.#knownBy(rule, info);
  }

  #knownBy(rule: CacheRule, { path, size, etag, modifiedMs }: ObjectInfo): Known | undefined {
    const version = rule.by === 'name' ? '' : etag;
    if (rule.by === 'head' && isRecent(this.uri, modifiedMs)) return undefined;
    const object = new CachedObject(storePlace(this.#store), path, version);
    return { object, size, etag: version || undefined };
  }

  #remember(path: string, known: Promise<Known | undefined>): void {
    this.#known.delete(path);
    this.#known.set(path, known);
    if (this.#known.size > cachedObjectsMax) this.#known.delete(this.#known.keys().next().value!);
  }

  async #byName(rule: CacheRule, path: string): Promise<Known | undefined> {
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    const object = new CachedObject(storePlace(this.#store), path, '');
    const bytes = await rule.cache.find(new PieceKey(object, 'size', 0));
    if (bytes === undefined || this.#changed.has(path)) return undefined;
    const found = { object, size: sizeIn(bytes), etag: undefined };
    this.#remember(path, Promise.resolve(found));
    return found;
  }

  async #byList(path: string, options: StoreOptions | undefined): Promise<Known | undefined> {
    const info = await this.#listed.of(path, options);
    if (info === undefined) return undefined;
    const object = new CachedObject(storePlace(this.#store), path, info.etag);
    return { object, size: info.size, etag: info.etag };
  }

  #keepWhole(rule: CacheRule, path: string, bytes: Uint8Array): void {
    const object = new CachedObject(storePlace(this.#store), path, '');
    rule.cache.keep(new PieceKey(object, 'size', 0), sized(bytes.length, new Uint8Array(0)));
    for (const key of keysOf(rule.cache, object, bytes.length, 0, bytes.length)) {
      const from = key.number * rule.cache.pieceBytes;
      rule.cache.keep(key, new Uint8Array(bytes.subarray(from, from + key.lengthMax)));
    }
    this.#remember(path, Promise.resolve({ object, size: bytes.length, etag: undefined }));
  }

  /** Bytes `offset … offset + length`, all of them in the object, by way of the cache. */
  async #range(
    { cache }: CacheRule,
    path: string,
    { object, size, etag }: Known,
    offset: number,
    length: number,
    options: RangeOptions | undefined,
  ): Promise<Uint8Array> {
    const what = `read of ${path}`;
    checkSignal(options?.signal, what);
    const into = options?.into?.subarray(0, length) ?? uninitializedBytes(length);
    const fetch: FetchPieces = (first, count, signal) => {
      const from = first * cache.pieceBytes;
      const bytes = Math.min(count * cache.pieceBytes, size - from);
      return this.#store.getRange(path, from, bytes, { signal, etag });
    };
    const keys = keysOf(cache, object, size, offset, length);
    const atOnce = Math.max(1, Math.floor(pieceWindowBytes / cache.pieceBytes));
    for (let at = 0; at < keys.length; at += atOnce) {
      const window = keys.slice(at, at + atOnce);
      for (const [index, piece] of (await cache.read(window, fetch, options?.signal, what)).entries()) {
        const start = window[index]!.number * cache.pieceBytes;
        const from = Math.max(0, offset - start);
        into.set(piece.subarray(from, offset + length - start), start + from - offset);
      }
    }
    return into;
  }

  /** What `cached` gives; where the store says that the object is not what it was, what it gives or says without the cache. */
  async #orElse(cached: () => Promise<Uint8Array>, from: () => Promise<Uint8Array>): Promise<Uint8Array> {
    try {
      return await cached();
    } catch (error) {
      if (isOther(error)) return from();
      throw error;
    }
  }
}

/** The pieces of which bytes `offset … offset + length` of an object of `size` bytes are. */
function keysOf(cache: PieceCache, object: CachedObject, size: number, offset: number, length: number): PieceKey[] {
  const keys: PieceKey[] = [];
  for (let at = Math.floor(offset / cache.pieceBytes); at * cache.pieceBytes < offset + length; at++) {
    keys.push(new PieceKey(object, 'piece', at, Math.min(cache.pieceBytes, size - at * cache.pieceBytes)));
  }
  return keys;
}

function sized(size: number, bytes: Uint8Array): Uint8Array {
  const both = new Uint8Array(sizeBytes + bytes.length);
  new DataView(both.buffer).setFloat64(0, size, true);
  both.set(bytes, sizeBytes);
  return both;
}

function sizeIn(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0, true);
}

/** Whether an object is not what it was when its size and version were told. */
function isOther(error: unknown): boolean {
  return ['file_changed', 'corrupt_file', 'not_found'].some((code) => isSpiralError(error, code as ErrorCode));
}

/** Undefined where versions cannot be asked for: of the object itself the store may know more. */
function unlessHidden(error: unknown): undefined {
  if (isHidden(error)) return undefined;
  throw error;
}

/** Web servers know times to the second, and make ETags of them: what was replaced since may bear the same. */
function isRecent(uri: string, modifiedMs: number): boolean {
  return /^https?:/.test(uri) && wallMicros() / 1000 - modifiedMs < recentMs;
}

import { pieceBytes, smallPieceBytes } from '../core/limits.js';
import { type CacheRules, cachedStore } from './cached-store.js';
import { PieceCache, type PieceCacheStats } from './piece-cache.js';
import type { ObjectStore } from './store.js';
import type { StoreMeter } from './store-meter.js';

/** The caches there are: ranges of key-space indexes, commits and checkpoints of tables, data files. */
export type CacheName = 'keys' | 'manifests' | 'fragments';

/** What one of them may hold. */
export interface CacheSettings {
  /** Bytes in memory, of each thread that reads. */
  readonly memoryBytesMax: number;
  /** Bytes on disk, of all processes that share `folder`; 0: none. */
  readonly diskBytesMax: number;
  readonly folder: string;
}

/** All of them; what is left out is not cached. Plain data, for threads. */
export type StoreCacheSettings = { readonly [Name in CacheName]?: CacheSettings | undefined };

/** What a store holds, which tells what of it never changes. */
export type StoreContent = 'table' | 'index' | 'files';

const names: readonly CacheName[] = ['keys', 'manifests', 'fragments'];

/** The caches of far stores (all but folders and memory) of one client in one thread, each made on first use. */
export class StoreCaches {
  readonly #settings: StoreCacheSettings;
  readonly #meter: StoreMeter | undefined;
  readonly #caches = new Map<CacheName, PieceCache>();

  /** @param meter counts what is found in them. */
  constructor(settings: StoreCacheSettings, meter?: StoreMeter) {
    this.#settings = settings;
    this.#meter = meter;
  }

  /** What was done, of those caches that were used. */
  get stats(): { readonly [Name in CacheName]?: PieceCacheStats } {
    return Object.fromEntries(Array.from(this.#caches, ([name, cache]) => [name, cache.stats]));
  }

  /** `store`, which holds `content`, with what of it is immutable cached; itself where it is near. */
  around(store: ObjectStore, content: StoreContent): ObjectStore {
    if (/^(file|memory):/.test(store.uri) || names.every((name) => this.#settings[name] === undefined)) return store;
    return cachedStore(store, this.rules(content));
  }

  /** What is cached of a store that holds `content`, and how. */
  rules(content: StoreContent): CacheRules {
    return (path) => {
      const found = ruleOf(content, path);
      if (found === undefined) return undefined;
      const cache = this.#cache(found.name);
      return cache === undefined ? undefined : { cache, by: found.by };
    };
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#caches.values(), (cache) => cache.close()));
  }

  #cache(name: CacheName): PieceCache | undefined {
    const settings = this.#settings[name];
    if (settings === undefined) return undefined;
    let cache = this.#caches.get(name);
    if (cache === undefined) {
      const { memoryBytesMax, diskBytesMax, folder } = settings;
      const disk = diskBytesMax > 0 ? { folder, name, capacityBytes: diskBytesMax } : undefined;
      cache = new PieceCache({
        pieceBytes: name === 'manifests' ? smallPieceBytes : pieceBytes,
        memoryBytesMax,
        disk,
        meter: this.#meter,
      });
      this.#caches.set(name, cache);
    }
    return cache;
  }
}

/** As `docs/format.md` has it: data files and ranges have names of their own, commits and checkpoints numbers. */
function ruleOf(
  content: StoreContent,
  path: string,
): { readonly name: CacheName; readonly by: 'name' | 'list' | 'head' } | undefined {
  if (content === 'files') return { name: 'fragments', by: 'head' };
  if (content === 'index') return /^ranges\/[^/]+$/.test(path) ? { name: 'keys', by: 'name' } : undefined;
  if (/^data\/[^/]+\.arrow$/.test(path)) return { name: 'fragments', by: 'name' };
  return /^(log|checkpoints|kept)\/\d{20}$/.test(path) ? { name: 'manifests', by: 'list' } : undefined;
}

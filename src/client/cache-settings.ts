import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { cacheDiskBytesMin } from '../core/limits.js';
import type { CacheName, StoreCacheSettings } from '../storage/store-caches.js';
import { invalidText, placeText, type SettingDefinition, truthText, wholeText } from './setting-text.js';

/** What a cache of far stores is set to; see `docs/guides/storage.md`. */
type OfCache<Name extends CacheName> = {
  /** Whether there is one. Default true. */
  readonly [K in `${Name}_cache.enabled`]: boolean;
} & {
  /** Bytes in memory of each thread that reads. */
  readonly [K in `${Name}_cache.memory_capacity_bytes`]: number;
} & {
  /** Bytes on disk, of all processes that share the folder; 0: none, else at least 4 MiB. */
  readonly [K in `${Name}_cache.disk_capacity_bytes`]: number;
} & {
  /** The folder on disk. Default `spiral-loader` in the user's folder for caches. */
  readonly [K in `${Name}_cache.disk_path`]: string;
};

/** The settings of all caches of far stores. */
export type CacheSettingValues = OfCache<'keys'> & OfCache<'manifests'> & OfCache<'fragments'>;

type Definitions = { readonly [K in keyof CacheSettingValues]: SettingDefinition<CacheSettingValues[K]> };

const MiB = 2 ** 20;

function definitionsOf(name: CacheName, what: string, memoryBytes: number, diskBytes: number) {
  return {
    [`${name}_cache.enabled`]: {
      meaning: `whether ${what} of far stores are cached`,
      otherwise: true,
      parse: truthText,
    },
    [`${name}_cache.memory_capacity_bytes`]: {
      meaning: `bytes of ${what} that each thread caches in memory`,
      otherwise: memoryBytes,
      parse: (given) => wholeText(given, 0, 'a whole number of bytes'),
    },
    [`${name}_cache.disk_capacity_bytes`]: {
      meaning: `bytes of ${what} that are cached on disk`,
      otherwise: diskBytes,
      parse: (given) => {
        const expected = `0 or a whole number of bytes, at least ${cacheDiskBytesMin}`;
        const bytes = wholeText(given, 0, expected);
        if (bytes > 0 && bytes < cacheDiskBytesMin) throw invalidText(given, expected);
        return bytes;
      },
    },
    [`${name}_cache.disk_path`]: {
      meaning: `the folder in which ${what} are cached`,
      get otherwise() {
        return userCacheFolder();
      },
      parse: (given) => {
        const path = placeText(given, 'the path of a folder');
        if (/^[a-z][a-z0-9+.-]+:\/\//i.test(path)) throw invalidText(given, 'the path of a folder of this machine');
        return path;
      },
    },
  } satisfies Record<string, SettingDefinition<boolean> | SettingDefinition<number> | SettingDefinition<string>>;
}

/** The definitions of all settings of caches. */
export const cacheDefinitions: Definitions = {
  ...definitionsOf('keys', 'ranges of key-space indexes', 32 * MiB, 1024 * MiB),
  ...definitionsOf('manifests', 'commits and checkpoints', 16 * MiB, 256 * MiB),
  ...definitionsOf('fragments', 'data files', 32 * MiB, 8192 * MiB),
} as Definitions;

/** The caches that `settings` ask for. */
export function cacheSettings(settings: CacheSettingValues): StoreCacheSettings {
  const of = (name: CacheName) =>
    settings[`${name}_cache.enabled`]
      ? {
          memoryBytesMax: settings[`${name}_cache.memory_capacity_bytes`],
          diskBytesMax: settings[`${name}_cache.disk_capacity_bytes`],
          folder: resolve(settings[`${name}_cache.disk_path`]),
        }
      : undefined;
  return { keys: of('keys'), manifests: of('manifests'), fragments: of('fragments') };
}

/** Where programs of this system keep what may be deleted at any time. */
function userCacheFolder(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  const home = homedir();
  if (XDG_CACHE_HOME) return join(XDG_CACHE_HOME, 'spiral-loader');
  if (process.platform === 'win32') return join(LOCALAPPDATA || join(home, 'AppData', 'Local'), 'spiral-loader');
  return join(home, process.platform === 'darwin' ? 'Library/Caches' : '.cache', 'spiral-loader');
}

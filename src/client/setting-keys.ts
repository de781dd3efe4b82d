import { listed, nearest } from '../core/check.js';
import { SpiralError } from '../core/errors.js';
import { httpConnectionsMax, partitionBytesMax, readConcurrency, storeConcurrency } from '../core/limits.js';
import { type Verify, verifyWords } from '../core/verify.js';
import { type CacheSettingValues, cacheDefinitions } from './cache-settings.js';
import { processOwner } from './process-owner.js';
import { s3FoldersText } from './s3-folders.js';
import { originText, type SettingOrigin } from './setting-origin.js';
import { invalidText, placeText, type SettingDefinition, truthText, wholeText } from './setting-text.js';

/** What a client is set to, by dotted key. */
export interface ClientSettings extends CacheSettingValues {
  /** Where projects and tables are kept: a path (`~/` is the home folder), `file://`, `s3://`, `gs://`, `az://` or `memory://`. Default `./.spiral`. */
  readonly 'warehouse.uri': string;
  /** How tables store rows: `arrow`, the only one there is. */
  readonly file_format: 'arrow';
  /** When checksums of stored buffers are checked: `first` (read in a process, the default), `always`, `never`. */
  readonly verify: Verify;
  /** Record batches a scan reads ahead. Default 4. */
  readonly 'limits.batch_readahead': number;
  /** Operations of far stores (all but folders and memory) that each thread has under way at once, 1 to 128. Default 32. */
  readonly 'limits.concurrency': number;
  /** Bytes that far stores are read and written with a second, by all threads of a client; at least 65,536. Default null: as they come. */
  readonly 'limits.bytes_per_second': number | null;
  /**
   * Ranges of far stores that take longer than this share of reads of their size are asked for a second time, at most one
   * minus this share of all reads; from 0.5 to 0.999. Default null: none is.
   */
  readonly 'hedge.quantile': number | null;
  /** Bytes of a natural shard. Default 128 MiB. */
  readonly 'limits.partition_max_bytes': number;
  /**
   * Bytes that each loader and each write may hold, where their own `memoryBytesMax` says nothing; at least 1 MiB. Default
   * null: 256 MiB for a write, what its read-ahead takes for a loader.
   */
  readonly 'limits.memory_bytes': number | null;
  /**
   * Bytes of columns that stay in memory when rows are taken by their keys, so that taking others of the same record batches
   * reads nothing. Default 0.
   */
  readonly 'limits.block_cache_bytes': number;
  /** Whose commits these are, in the history of tables. Default the user and host of the process, `user@host`; '' nobody's. */
  readonly 'commit.author': string;
  /** Whether `se.http.get` may connect to private, loopback and link-local addresses. Default false: tables hold URLs of others. */
  readonly 'effects.private_addresses': boolean;
  /** The folders below which `se.file.get` may read, parted as in `PATH`. Default none. */
  readonly 'effects.file_folders': string;
  /** Where `se.s3.get` may read: `s3://bucket/folder`, parted by commas; `s3://` is all that the credentials reach. Default none. */
  readonly 'effects.s3_folders': string;
}

/** The text that stands for null. */
export const noneWord = 'none';

export type SettingKey = keyof ClientSettings;
type SettingValue = ClientSettings[SettingKey];

const definitions: { readonly [K in SettingKey]: SettingDefinition<ClientSettings[K]> } = {
  'warehouse.uri': {
    meaning: 'where projects and tables are kept',
    otherwise: './.spiral',
    parse: (given) => placeText(given, 'a path or URI'),
  },
  file_format: {
    meaning: 'how tables store rows',
    otherwise: 'arrow',
    parse: (given) => {
      if (given.text === 'arrow') return 'arrow';
      const why =
        given.text === 'vortex'
          ? "'arrow' (no maintained reader of Vortex files runs on Node.js; tables are Arrow IPC files)"
          : "'arrow'";
      throw invalidText(given, why);
    },
  },
  verify: {
    meaning: 'when checksums of stored buffers are checked',
    otherwise: 'first',
    parse: (given) => {
      const word = verifyWords.find((verify) => verify === given.text);
      if (word === undefined) throw invalidText(given, "'first', 'always' or 'never'");
      return word;
    },
  },
  'limits.batch_readahead': {
    meaning: 'record batches a scan reads ahead',
    otherwise: readConcurrency,
    parse: (given) => wholeText(given, 1, 'a whole number above 0'),
  },
  'limits.concurrency': {
    meaning: 'operations of far stores that each thread has under way at once',
    otherwise: storeConcurrency,
    parse: (given) => {
      const expected = `a whole number from 1 to ${httpConnectionsMax}`;
      const value = wholeText(given, 1, expected);
      if (value > httpConnectionsMax) throw invalidText(given, expected);
      return value;
    },
  },
  'limits.bytes_per_second': {
    meaning: 'bytes a second, to and from far stores',
    otherwise: null,
    parse: (given) =>
      given.text === noneWord ? null : wholeText(given, 65_536, "a whole number of bytes, at least 65536, or 'none'"),
  },
  'hedge.quantile': {
    meaning: 'share of reads that a read is slower than when it is asked for again',
    otherwise: null,
    parse: (given) => {
      if (given.text === noneWord) return null;
      const value = Number(given.text);
      if (given.text.trim() !== '' && value >= 0.5 && value <= 0.999) return value;
      throw invalidText(given, "a number from 0.5 to 0.999, or 'none'");
    },
  },
  'limits.partition_max_bytes': {
    meaning: 'bytes of a natural shard',
    otherwise: partitionBytesMax,
    parse: (given) => wholeText(given, 1, 'a whole number above 0'),
  },
  'limits.memory_bytes': {
    meaning: 'bytes that each loader and each write may hold',
    otherwise: null,
    parse: (given) =>
      given.text === noneWord
        ? null
        : wholeText(given, 2 ** 20, "a whole number of bytes, at least 1048576, or 'none'"),
  },
  'limits.block_cache_bytes': {
    meaning: 'bytes of columns kept in memory when rows are taken by their keys',
    otherwise: 0,
    parse: (given) => wholeText(given, 0, 'a whole number of bytes'),
  },
  'commit.author': { meaning: 'whose commits these are', otherwise: processOwner(), parse: ({ text }) => text },
  'effects.private_addresses': {
    meaning: 'whether se.http.get may connect to private addresses',
    otherwise: false,
    parse: truthText,
  },
  'effects.file_folders': {
    meaning: 'the folders below which se.file.get may read',
    otherwise: '',
    parse: ({ text }) => text,
  },
  'effects.s3_folders': {
    meaning: 'the buckets and folders below which se.s3.get may read',
    otherwise: '',
    parse: s3FoldersText,
  },
  ...cacheDefinitions,
};

/** Every key, in the order in which people read them. */
export const settingKeys: readonly SettingKey[] = Object.keys(definitions) as SettingKey[];

/** Keys of the reference that would do nothing here, and why. Those that end in '.' stand for all that begin so. */
const refused: readonly (readonly [key: string, why: string])[] = [
  ['server.url', 'there is no server: tables are files below `warehouse.uri`'],
  ['authn.token', 'there is no server to be known to; the credentials of a store are those of its own tools'],
  ['authn.', 'there is no server to be known to; the credentials of a store are those of its own tools'],
];

/** What the key is for, in a line. */
export function settingMeaning(key: SettingKey): string {
  return definitions[key].meaning;
}

/** The value where nobody gives one. */
export function settingDefault(key: SettingKey): SettingValue {
  return definitions[key].otherwise;
}

/** @throws SpiralError `invalid_config`, naming `origin`. */
export function parseSetting(key: SettingKey, text: string, origin: SettingOrigin): SettingValue {
  return definitions[key].parse({ key, text, origin });
}

/**
 * Returns `key` if there is such a setting. A value is never repeated: it may be a secret that stands in the wrong place.
 *
 * @throws SpiralError `invalid_config`, with the reason for a key of the reference that has no use here, else the nearest key.
 */
export function settingKey(key: string, origin: SettingOrigin): SettingKey {
  if (Object.hasOwn(definitions, key)) return key as SettingKey;
  const details = { key, origin: originText(origin) };
  const reason = refused.find(([name]) => name === key || (name.endsWith('.') && key.startsWith(name)));
  if (reason !== undefined) {
    throw new SpiralError(
      'invalid_config',
      `The setting '${key}' (${originText(origin)}) has no use here: ${reason[1]}. Take it away.`,
      { details: { ...details, reason: reason[1] } },
    );
  }
  const near = nearest(key, settingKeys);
  const hint = near.length > 0 ? `Did you mean ${listed(near)}?` : `The settings are ${listed(settingKeys, 'and')}.`;
  throw new SpiralError('invalid_config', `There is no setting '${key}' (${originText(origin)}). ${hint}`, {
    details: { ...details, near },
  });
}

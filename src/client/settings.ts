import { delimiter } from 'node:path';
import { listed, nearest } from '../core/check.js';
import { SpiralError, shown } from '../core/errors.js';
import { partitionBytesMax, readConcurrency } from '../core/limits.js';
import { type Verify, verifyWords } from '../core/verify.js';
import { processOwner } from './process-owner.js';

/** What a client is set to, by dotted key. */
export interface ClientSettings {
  /** Where projects and tables are kept: a path, `file://`, `s3://` or `memory://`. Default `./.spiral`. */
  readonly 'warehouse.uri': string;
  /** When checksums of stored buffers are checked: `first` (read in a process, the default), `always`, `never`. */
  readonly verify: Verify;
  /** Record batches a scan reads ahead. Default 8. */
  readonly 'limits.batch_readahead': number;
  /** Bytes of a natural shard. Default 128 MiB. */
  readonly 'limits.partition_max_bytes': number;
  /** Whose commits these are, in the history of tables. Default the user and host of the process, `user@host`; '' nobody's. */
  readonly 'commit.author': string;
  /** Whether `se.http.get` may connect to private, loopback and link-local addresses. Default false: tables hold URLs of others. */
  readonly 'effects.private_addresses': boolean;
  /** The folders below which `se.file.get` may read, parted as in `PATH`. Default none. */
  readonly 'effects.file_folders': string;
}

type Key = keyof ClientSettings;
type Parser = (text: string, key: Key) => string | number | boolean;

const parsers: Record<Key, Parser> = {
  'warehouse.uri': (text, key) => {
    if (text !== '') return text;
    throw invalid(key, 'a path or URI', text);
  },
  verify: (text, key) => {
    if (verifyWords.includes(text as Verify)) return text;
    throw invalid(key, "'first', 'always' or 'never'", text);
  },
  'limits.batch_readahead': whole,
  'limits.partition_max_bytes': whole,
  'commit.author': (text) => text,
  'effects.private_addresses': truth,
  'effects.file_folders': (text) => text,
};

const defaults: ClientSettings = {
  'warehouse.uri': './.spiral',
  verify: 'first',
  'limits.batch_readahead': readConcurrency,
  'limits.partition_max_bytes': partitionBytesMax,
  'commit.author': processOwner(),
  'effects.private_addresses': false,
  'effects.file_folders': '',
};

/** The environment variable of `warehouse.uri` is `SPIRAL__WAREHOUSE__URI`. */
const prefix = 'SPIRAL__';

/**
 * The settings that hold: `overrides`, then `config`, then the environment, then defaults.
 *
 * @throws SpiralError `invalid_config` for an unknown key, with the nearest one, or a value that does not parse.
 */
export function resolveSettings(
  config: Partial<ClientSettings> = {},
  overrides: Readonly<Record<string, string>> = {},
  environment: Readonly<Record<string, string | undefined>> = process.env,
): ClientSettings {
  const given = new Map<string, string>();
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith(prefix) || value === undefined) continue;
    given.set(name.slice(prefix.length).split('__').join('.').toLowerCase(), value);
  }
  for (const [key, value] of Object.entries(config)) if (value !== undefined) given.set(key, String(value));
  for (const [key, value] of Object.entries(overrides)) given.set(key, value);
  const settings: Record<string, string | number | boolean> = { ...defaults };
  for (const [key, text] of given) {
    if (!Object.hasOwn(parsers, key)) throw unknown(key);
    settings[key] = parsers[key as Key](text, key as Key);
  }
  return Object.freeze(settings) as unknown as ClientSettings;
}

function whole(text: string, key: Key): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isSafeInteger(value) && value > 0) return value;
  throw invalid(key, 'a whole number above 0', text);
}

function truth(text: string, key: Key): boolean {
  if (text === 'true' || text === 'false') return text === 'true';
  throw invalid(key, "'true' or 'false'", text);
}

/** The paths in a setting that names several. */
export function pathsOf(setting: string): string[] {
  return setting.split(delimiter).filter((path) => path !== '');
}

function invalid(key: string, expected: string, found: string): SpiralError {
  return new SpiralError('invalid_config', `Expected the setting '${key}' to be ${expected}, got ${shown(found)}.`, {
    details: { key, expected, found },
  });
}

function unknown(key: string): SpiralError {
  const keys = Object.keys(parsers);
  const near = nearest(key, keys);
  const hint = near.length > 0 ? `Did you mean ${listed(near)}?` : `The settings are ${listed(keys, 'and')}.`;
  return new SpiralError('invalid_config', `There is no setting '${key}'. ${hint}`, { details: { key, near } });
}

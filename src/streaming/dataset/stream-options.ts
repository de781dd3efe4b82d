import { knownOptions, oneOf, wholeNumber } from '../../core/check.js';
import { SpiralError, shown } from '../../core/errors.js';
import { downloadTimeoutMsDefault } from '../../core/limits.js';
import { mdsHashNames } from '../../format/mds-hash.js';
import type { StreamWeight } from '../order/stream-weights.js';
import { SpiralStream } from '../table/spiral-stream.js';

/** How shards are fetched; of a data set for all its streams, or of one stream. */
export interface FetchOptions {
  /**
   * Tries of a file after the first one failed, all in all. Default 2, and below them each request to a store on a network is
   * tried again by itself.
   */
  readonly downloadRetry?: number | undefined;
  /** Milliseconds in which the next 2 MiB of a file must come. Default 60,000. */
  readonly downloadTimeoutMs?: number | undefined;
  /** The hash by which every shard is checked, as 'sha1'. Default: the cheapest that the index has, of what is downloaded. */
  readonly validateHash?: string | undefined;
  /** Keeps compressed files beside what they unpack to. Default false. */
  readonly keepZip?: boolean | undefined;
}

/** One stream of a data set: where it is, and its weight among others. MosaicML's `Stream` as a plain object. */
export interface StreamOptions extends FetchOptions, StreamWeight {
  /**
   * Rows of a table, of `table.toStreaming`, instead of a place: then only weights stand beside it. Whoever made it closes it,
   * after the data set.
   */
  readonly stream?: SpiralStream | undefined;
  /** URI or path of the data set. */
  readonly remote?: string | undefined;
  /** Folder on this machine: of the data set itself where there is no `remote`, else of the shards fetched from it. */
  readonly local?: string | undefined;
  /** Folder below both. */
  readonly split?: string | undefined;
}

/** A stream with all defaults in place: plain data. */
export interface StreamSettings extends StreamWeight {
  /** Of this thread: another has it as it was shared. */
  readonly stream: SpiralStream | undefined;
  readonly remote: string | undefined;
  readonly local: string | undefined;
  readonly downloadRetry: number | undefined;
  readonly downloadTimeoutMs: number;
  readonly validateHash: string | undefined;
  readonly keepZip: boolean;
}

export const fetchNames = ['downloadRetry', 'downloadTimeoutMs', 'validateHash', 'keepZip'] as const;
export const placeNames = ['remote', 'local', 'split'] as const;
const weightNames = ['proportion', 'repeat', 'choose'] as const;
const streamNames: readonly (keyof StreamOptions)[] = ['stream', ...placeNames, ...weightNames, ...fetchNames];

/** The settings of `stream`, with those of the data set where it has none. @throws SpiralError `invalid_argument`, `invalid_size`. */
export function streamSettings(stream: StreamOptions, of: FetchOptions, name: string): StreamSettings {
  if (typeof stream !== 'object' || stream === null)
    throw wanted(`${name} to be an object as { remote, local }`, stream);
  knownOptions(`A stream (${name})`, stream, streamNames);
  if (stream.stream !== undefined) return tableSettings(stream, name);
  const { proportion, repeat, choose, split } = stream;
  for (const place of placeNames) {
    const value = stream[place];
    if (value !== undefined && (typeof value !== 'string' || value === '')) {
      throw wanted(`\`${place}\` of ${name} to be a text`, value);
    }
  }
  if (stream.remote === undefined && stream.local === undefined) {
    throw wanted(`\`remote\` or \`local\` in ${name}: where the data set is`, 'neither');
  }
  checkSplit(split);
  const below = (place: string | undefined): string | undefined =>
    place === undefined || split === undefined ? place : `${place.replace(/\/+$/, '')}/${split}`;
  const downloadRetry = stream.downloadRetry ?? of.downloadRetry;
  const keepZip = stream.keepZip ?? of.keepZip ?? false;
  if (typeof keepZip !== 'boolean') throw wanted('`keepZip` to be true or false', keepZip);
  const validateHash = stream.validateHash ?? of.validateHash;
  return {
    stream: undefined,
    remote: below(stream.remote),
    local: below(stream.local),
    proportion,
    repeat,
    choose,
    downloadRetry: downloadRetry === undefined ? undefined : wholeNumber('downloadRetry', downloadRetry, { max: 100 }),
    downloadTimeoutMs: wholeNumber(
      'downloadTimeoutMs',
      stream.downloadTimeoutMs ?? of.downloadTimeoutMs ?? downloadTimeoutMsDefault,
      { min: 1, max: 2 ** 31 - 1, unit: 'milliseconds' },
    ),
    validateHash: validateHash === undefined ? undefined : oneOf('validateHash', validateHash, mdsHashNames),
    keepZip,
  };
}

/** The settings of a stream of a table's rows, which are kept as that says. */
function tableSettings(options: StreamOptions, name: string): StreamSettings {
  const { stream, proportion, repeat, choose } = options;
  if (!(stream instanceof SpiralStream)) throw wanted(`\`stream\` of ${name} to be of \`table.toStreaming\``, stream);
  const beside = [...placeNames, ...fetchNames].find((option) => options[option] !== undefined);
  if (beside !== undefined) {
    throw wanted(`\`stream\` of ${name} with weights alone beside it, as it has its place and files`, `\`${beside}\``);
  }
  const place = { remote: undefined, local: undefined, validateHash: undefined, keepZip: false };
  const download = { downloadRetry: undefined, downloadTimeoutMs: downloadTimeoutMsDefault };
  return { stream, proportion, repeat, choose, ...place, ...download };
}

function checkSplit(split: string | undefined): void {
  if (split === undefined) return;
  const parts = split.split('/');
  if (!parts.some((part) => part === '' || part === '.' || part === '..')) return;
  throw wanted("`split` to be the name of a folder, as 'train'", split);
}

export function wanted(what: string, found: unknown): SpiralError {
  return new SpiralError('invalid_argument', `Expected ${what}, got ${shown(found)}.`, { details: { found } });
}

import { knownOptions, wholeNumber } from '../../core/check.js';
import { SpiralError, shown } from '../../core/errors.js';
import { packedShardBytesMax, writerShardsDefault } from '../../core/limits.js';
import { type CompressionChoice, parseCompression } from '../../format/mds-compress.js';
import { mdsHashNames } from '../../format/mds-hash.js';
import type { BeginMode } from './begin-writing.js';
import type { CommonSettings } from './shard-layout.js';
import type { WriterOut } from './writer-target.js';

/** What writers of every format take; names and defaults are MosaicML's, but for those that it lacks. */
export interface WriterOptions {
  /**
   * A folder, the URI of a store, or `[local, remote]`. Must be empty, unless `existOk` or `resume`.
   */
  readonly out: WriterOut;
  /** The encoding of each column. */
  readonly columns: Readonly<Record<string, string>>;
  /** `br`, `bz2`, `gz`, `snappy` or `zstd`, with a level as in `zstd:7`. Default: none. */
  readonly compression?: string | null | undefined;
  /** Hashes of each file that go into the index: `sha1`, `xxh64` and so on. Default: none. */
  readonly hashes?: readonly string[] | null | undefined;
  /**
   * Bytes of a shard before it is compressed, at most, unless one sample has more: a number below 2 ** 32, or '64mb' (MiB).
   * Default 67,108,864. Null: as many as a shard can have, 4 GiB, or 1 GiB where it is compressed.
   */
  readonly sizeLimit?: number | string | null | undefined;
  /** With `out: [local, remote]`: writes to the local folder too. Default false: to the remote one alone. */
  readonly keepLocal?: boolean | undefined;
  /** Shows on stderr, where that is a terminal, how many samples were written. Default false. */
  readonly progressBar?: boolean | undefined;
  /** Deletes the data set that is in `out`, and nothing else there. Default false. */
  readonly existOk?: boolean | undefined;
  /** Goes on behind the whole shards that are in `out`, of a writer that was stopped or of a data set. Default false. */
  readonly resume?: boolean | undefined;
  /** Shards that are compressed, hashed and stored at once, at most; as many threads, if there are cores for them. Default 4. */
  readonly maxWorkers?: number | undefined;
  /** Ends the writing with `cancelled`. */
  readonly signal?: AbortSignal | undefined;
}

/** {@link WriterOptions}, checked. */
export interface WriterSettings {
  readonly common: CommonSettings;
  readonly compression: CompressionChoice | undefined;
  /** Bytes of a shard, at most. */
  readonly shardBytesMax: number;
  readonly mode: BeginMode;
  readonly keepLocal: boolean;
  readonly progress: boolean;
  readonly workers: number;
  readonly signal: AbortSignal | undefined;
}

const names = [
  ...['out', 'columns', 'compression', 'hashes', 'sizeLimit', 'keepLocal', 'progressBar', 'existOk', 'resume'],
  ...['maxWorkers', 'signal'],
];
const sizeLimitDefault = 2 ** 26;
/** Offsets have 32 bits. */
const shardBytesMax = 2 ** 32 - 1;

/** @throws SpiralError `invalid_argument`, `invalid_size`: the first option that is wrong. */
export function writerSettings(where: string, options: WriterOptions, more: readonly string[]): WriterSettings {
  if (typeof options !== 'object' || options === null) {
    throw new SpiralError('invalid_argument', `Expected the options of ${where}, got ${shown(options)}.`);
  }
  knownOptions(where, options, [...names, ...more]);
  const flags = { keepLocal: false, progressBar: false, existOk: false, resume: false };
  for (const name of Object.keys(flags) as (keyof typeof flags)[]) flags[name] = flag(name, options[name]);
  if (flags.existOk && flags.resume) {
    throw new SpiralError(
      'invalid_argument',
      'Expected either `existOk` or `resume`, got both: the data set that is there goes, or is gone on with.',
      { details: { name: 'resume' } },
    );
  }
  const { compression: asked } = options;
  const compression = asked === undefined || asked === null ? undefined : parseCompression(asked);
  const sizeLimit = parseSizeLimit(options.sizeLimit);
  return {
    common: { compression: compression?.text ?? null, hashes: sortedHashes(options.hashes), size_limit: sizeLimit },
    compression,
    shardBytesMax: Math.min(
      sizeLimit ?? shardBytesMax,
      compression === undefined ? shardBytesMax : packedShardBytesMax,
    ),
    mode: flags.resume ? 'resume' : flags.existOk ? 'replace' : 'refuse',
    keepLocal: flags.keepLocal,
    progress: flags.progressBar,
    workers: wholeNumber('maxWorkers', options.maxWorkers ?? writerShardsDefault, { min: 1, max: 64 }),
    signal: options.signal,
  };
}

function flag(name: string, value: unknown): boolean {
  if (value === undefined || typeof value === 'boolean') return value ?? false;
  throw new SpiralError('invalid_argument', `Expected \`${name}\` to be true or false, got ${shown(value)}.`, {
    details: { name, found: value },
  });
}

const units: Readonly<Record<string, number>> = { '': 1, b: 1, kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30 };

function parseSizeLimit(value: number | string | null | undefined): number | null {
  if (value === undefined) return sizeLimitDefault;
  if (value === null) return null;
  const words = typeof value === 'string' ? /^(\d+(?:\.\d+)?)\s*([kmg]?b)?$/i.exec(value.trim()) : null;
  const bytes = words === null ? value : Math.floor(Number(words[1]) * units[(words[2] ?? '').toLowerCase()]!);
  return wholeNumber('sizeLimit', bytes, { min: 1, max: shardBytesMax, unit: 'bytes' });
}

function sortedHashes(hashes: unknown): readonly string[] {
  if (hashes === undefined || hashes === null) return [];
  const list: readonly unknown[] = Array.isArray(hashes) ? hashes : [hashes];
  for (const [at, name] of list.entries()) {
    if (Array.isArray(hashes) && mdsHashNames.includes(name as string) && list.indexOf(name) === at) continue;
    throw new SpiralError(
      'invalid_argument',
      `Expected \`hashes\` to be a list of ${mdsHashNames.join(', ')}, each once, got ${shown(name)}.`,
      { details: { name: 'hashes', found: shown(name) } },
    );
  }
  return [...(list as string[])].sort();
}

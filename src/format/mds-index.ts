import { isSpiralError, SpiralError, shown } from '../core/errors.js';
import { checkPath } from '../storage/object-path.js';
import { corrupt } from './corrupt.js';
import { type MdsCompression, mdsCompressions } from './mds-compression.js';

/** How the samples of a shard are written. */
export type MdsShardFormat = 'mds' | 'json' | 'csv' | 'tsv' | 'xsv';

/** A file of a shard. */
export interface MdsFileInfo {
  /** Below the folder of the index, '/'-separated. */
  readonly basename: string;
  readonly bytes: number;
  /** Hexadecimal, by name. */
  readonly hashes: Readonly<Record<string, string>>;
}

/** A shard, as `index.json` tells it. */
export interface MdsShard {
  readonly format: MdsShardFormat;
  readonly samples: number;
  /** In the order in which samples hold them. */
  readonly columns: readonly { readonly name: string; readonly encoding: string; readonly size: number | null }[];
  readonly compression: MdsCompression | undefined;
  readonly rawData: MdsFileInfo;
  readonly zipData: MdsFileInfo | undefined;
  /** Of formats other than `mds`. */
  readonly rawMeta: MdsFileInfo | undefined;
  readonly zipMeta: MdsFileInfo | undefined;
  /** Of formats other than `mds`. */
  readonly newline: string;
  /** Of `csv`, `tsv` and `xsv`. */
  readonly separator: string;
}

/** Offsets of 32 bits reach so far; what is compressed may come out a little larger. */
const fileBytesMax = 2 ** 33;

const separators: Readonly<Record<string, string>> = { csv: ',', tsv: '\t' };

/**
 * The shards that the text of an index tells, in order; empty ones too.
 *
 * @throws SpiralError `corrupt_file` for what is no index, `unsupported` for another version, format or compression,
 * `path_outside_root` for a file outside of the index's folder. All name `where`.
 */
export function parseMdsIndex(text: string, where: string): MdsShard[] {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (cause) {
    throw corrupt(where, 'an MDS index in JSON', 'no JSON', cause);
  }
  const { version, shards } = record(raw, where, 'an object with a version and shards');
  if (version !== 2) throw unsupported(where, 'an MDS index of version 2', `version ${shown(version)}`);
  if (!Array.isArray(shards)) throw corrupt(where, 'a list of shards', shown(shards));
  return shards.map((shard: unknown, at) => {
    try {
      return parseShard(record(shard, where, 'objects as shards'), where);
    } catch (error) {
      if (!isSpiralError(error)) throw error;
      throw new SpiralError(error.code, `Shard ${at}: ${error.message}`, { details: { ...error.details, shard: at } });
    }
  });
}

function parseShard(raw: Readonly<Record<string, unknown>>, where: string): MdsShard {
  const { version, format, compression, newline } = raw;
  if (version !== 2) throw unsupported(where, 'shards of version 2', `version ${shown(version)}`);
  if (format !== 'mds' && format !== 'json' && format !== 'csv' && format !== 'tsv' && format !== 'xsv') {
    throw unsupported(where, "shards of the format 'mds', 'json', 'csv', 'tsv' or 'xsv'", shown(format));
  }
  const isText = format !== 'mds';
  const zipData = optionalFile(raw['zip_data'], where);
  const separator = separators[format] ?? (format === 'xsv' ? raw['separator'] : '');
  if (isText && (typeof newline !== 'string' || newline === '')) throw corrupt(where, 'a newline', shown(newline));
  if (isText && format !== 'json' && (typeof separator !== 'string' || separator === '')) {
    throw corrupt(where, 'a separator', shown(separator));
  }
  const rawData = file(raw['raw_data'], where);
  const rawMeta = isText ? file(raw['raw_meta'], where) : undefined;
  return {
    format,
    samples: checkedSamples(raw['samples'], rawData, rawMeta, where),
    columns: format === 'json' ? jsonColumns(raw, where) : listedColumns(raw, where, format === 'mds'),
    compression: zipData === undefined ? undefined : parseFamily(compression, where),
    rawData,
    zipData,
    rawMeta,
    zipMeta: isText && zipData !== undefined ? file(raw['zip_meta'], where) : undefined,
    newline: isText ? (newline as string) : '',
    separator: separator as string,
  };
}

/** What offsets of 32 bits reach. */
const offsetMax = 2 ** 32 - 1;

/** The number of samples, which is that of offsets in a file of the shard: more are not cut into blocks, let alone read. */
function checkedSamples(raw: unknown, data: MdsFileInfo, meta: MdsFileInfo | undefined, where: string): number {
  const samples = count(raw, where, 'samples');
  for (const { basename, bytes } of meta === undefined ? [data] : [data, meta]) {
    if (bytes > offsetMax) throw corrupt(where, `at most ${offsetMax} bytes in ${basename}`, `${bytes}`);
  }
  const { basename, bytes } = meta ?? data;
  if (samples === 0 || 4 * (samples + 2) <= bytes) return samples;
  throw corrupt(where, `a place for each of ${samples} samples in ${basename}`, `${bytes} bytes`);
}

function parseFamily(compression: unknown, where: string): MdsCompression {
  const family = typeof compression === 'string' ? compression.split(':')[0] : undefined;
  const known = mdsCompressions.find((name) => name === family);
  if (known !== undefined) return known;
  throw unsupported(where, `shards compressed with ${mdsCompressions.join(', ')}`, shown(compression));
}

function jsonColumns({ columns }: Readonly<Record<string, unknown>>, where: string): MdsShard['columns'] {
  return Object.entries(record(columns, where, 'columns')).map(([name, encoding]) => {
    if (typeof encoding !== 'string') throw corrupt(where, `an encoding for column '${name}'`, shown(encoding));
    return { name, encoding, size: null };
  });
}

function listedColumns(raw: Readonly<Record<string, unknown>>, where: string, sized: boolean): MdsShard['columns'] {
  const { column_names: names, column_encodings: encodings } = raw;
  const sizes = sized ? raw['column_sizes'] : Array.isArray(names) ? names.map(() => null) : undefined;
  const lists = [names, encodings, sizes];
  if (!lists.every((list) => Array.isArray(list) && list.length === (names as unknown[]).length)) {
    throw corrupt(where, 'as many column names, encodings and sizes', lists.map((list) => shown(list)).join(', '));
  }
  return (names as unknown[]).map((name, at) => {
    const [encoding, size] = [(encodings as unknown[])[at], (sizes as unknown[])[at]];
    if (typeof name !== 'string' || typeof encoding !== 'string') {
      throw corrupt(where, 'column names and encodings in text', `${shown(name)} and ${shown(encoding)}`);
    }
    return { name, encoding, size: size === null || size === 0 ? null : count(size, where, 'the size of a column') };
  });
}

function optionalFile(raw: unknown, where: string): MdsFileInfo | undefined {
  return raw === null || raw === undefined ? undefined : file(raw, where);
}

function file(raw: unknown, where: string): MdsFileInfo {
  const { basename, bytes, hashes } = record(raw, where, 'a basename, bytes and hashes for each file');
  if (typeof basename !== 'string') throw corrupt(where, 'a basename in text', shown(basename));
  try {
    checkPath(basename);
  } catch {
    throw new SpiralError(
      'path_outside_root',
      `Expected the files of ${where} to be in its folder, found ${shown(basename)}. Do not use an index of unknown origin.`,
      { details: { file: where, found: basename } },
    );
  }
  const known: Record<string, string> = {};
  for (const [name, hex] of Object.entries(record(hashes ?? {}, where, 'hashes by name'))) {
    if (typeof hex !== 'string') throw corrupt(where, `a hash ${name} in text`, shown(hex));
    known[name] = hex.toLowerCase();
  }
  return { basename, bytes: count(bytes, where, 'the bytes of a file', fileBytesMax), hashes: known };
}

function count(value: unknown, where: string, what: string, max = 2 ** 32): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= max) return value;
  throw corrupt(where, `a whole number up to ${max} as ${what}`, shown(value));
}

function record(value: unknown, where: string, expected: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw corrupt(where, expected, shown(value));
}

function unsupported(where: string, expected: string, found: string): SpiralError {
  return new SpiralError(
    'unsupported',
    `Expected ${where} to have ${expected}, found ${found}. Write it again as such.`,
    {
      details: { file: where, expected, found },
    },
  );
}

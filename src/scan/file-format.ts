import { SpiralError } from '../core/errors.js';
import type { MdsSettings } from '../format/mds-file.js';
import type { RowFileFormat } from '../format/row-file.js';

/** Formats of files that are read without being imported. */
export type FileFormat = 'parquet' | 'arrow' | 'mds' | 'jsonl' | 'csv';

/** How CSV files are written. */
export interface CsvSettings {
  /** One ASCII character between fields. Default: a tab for `.tsv`, else a comma. */
  readonly delimiter?: string;
  /** Whether the first row names the columns. Default true. */
  readonly header?: boolean;
}

/** Every {@link FileFormat}. */
export const fileFormats: readonly FileFormat[] = ['parquet', 'arrow', 'mds', 'jsonl', 'csv'];

interface FormatFacts {
  readonly extensions: readonly string[];
  /** Whether each group is a shard; groups of other formats are small, and several make one. */
  readonly groupsAreShards: boolean;
  /** Whether files tell the types of their columns, so that no schema is to be given. */
  readonly typed: boolean;
  /** Loaded on first use. */
  readonly load: (settings: FormatSettings) => Promise<RowFileFormat>;
}

/** What the formats take beside a schema. */
export interface FormatSettings {
  readonly csv: CsvSettings;
  readonly mds: MdsSettings;
}

const facts: Readonly<Record<FileFormat, FormatFacts>> = {
  parquet: {
    extensions: ['parquet', 'pq'],
    groupsAreShards: true,
    typed: true,
    load: async () => (await import('../format/parquet-file.js')).parquetFormat,
  },
  mds: {
    // Shards are read by way of their index, which is a name and no extension.
    extensions: [],
    groupsAreShards: false,
    typed: true,
    load: async ({ mds }) => (await import('../format/mds-file.js')).mdsFormat(mds),
  },
  arrow: {
    extensions: ['arrow', 'feather', 'ipc'],
    groupsAreShards: false,
    typed: true,
    load: async () => (await import('../format/ipc-file.js')).ipcFormat,
  },
  jsonl: {
    extensions: ['jsonl', 'ndjson'],
    groupsAreShards: false,
    typed: false,
    load: async () => (await import('../format/jsonl-file.js')).jsonlFormat(),
  },
  csv: {
    extensions: ['csv', 'tsv'],
    groupsAreShards: false,
    typed: false,
    load: async ({ csv }) => (await import('../format/csv-file.js')).csvFormat(csv),
  },
};

/** What is known of `format`. */
export function formatFacts(format: FileFormat): FormatFacts {
  return facts[format];
}

/** The format that the name of `path` tells; undefined where it tells none. */
export function formatOf(path: string): FileFormat | undefined {
  const extension = /\.([^./]+)$/.exec(path)?.[1]?.toLowerCase();
  if (extension === undefined) return undefined;
  return fileFormats.find((format) => facts[format].extensions.includes(extension));
}

/** Every extension that is read, as prose. */
export function extensionWords(): string {
  return fileFormats.flatMap((format) => facts[format].extensions.map((name) => `.${name}`)).join(', ');
}

/** The error for a file whose format cannot be told. */
export function unknownFormat(file: string): SpiralError {
  if (/\.(gz|zst|bz2|xz|lz4|br)$/i.test(file)) {
    return new SpiralError(
      'unsupported',
      `Expected ${file} to be readable in parts, found a compressed file. Unpack it first.`,
      {
        details: { file },
      },
    );
  }
  return new SpiralError(
    'invalid_argument',
    `Expected the format of ${file} to be told by its extension (${extensionWords()}), which is none of these. Give ` +
      'the option `format`.',
    { details: { file } },
  );
}

import { SpiralError } from '../core/errors.js';
import type { RowFileFormat } from '../format/row-file.js';

/** Formats of files that are read without being imported. */
export type FileFormat = 'parquet';

/** Every {@link FileFormat}. */
export const fileFormats: readonly FileFormat[] = ['parquet'];

interface FormatFacts {
  readonly extensions: readonly string[];
  /** Whether each group is a shard; groups of other formats are small, and several make one. */
  readonly groupsAreShards: boolean;
  /** Whether files tell the types of their columns, so that no schema is to be given. */
  readonly typed: boolean;
  /** Loaded on first use. */
  readonly load: () => Promise<RowFileFormat>;
}

const facts: Readonly<Record<FileFormat, FormatFacts>> = {
  parquet: {
    extensions: ['parquet', 'pq'],
    groupsAreShards: true,
    typed: true,
    load: async () => (await import('../format/parquet-file.js')).parquetFormat,
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
  return new SpiralError(
    'invalid_argument',
    `Expected the format of ${file} to be told by its extension (${extensionWords()}), which is none of these. Give ` +
      'the option `format`.',
    { details: { file } },
  );
}

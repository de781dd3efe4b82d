import { createHash } from 'node:crypto';
import type { MdsSettings } from '../format/mds-file.js';
import { type CsvSettings, type FileFormat, fileFormats } from './file-format.js';

/** A file as it was when it was named: any other size or time is another file. */
export interface PinnedFile {
  /** Below the root of its set. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** When it was last changed, milliseconds since the epoch. */
  readonly modifiedMs: number;
}

/** Files that are read as one table, as plain JSON. */
export interface FileSet {
  /** The URI of the folder that all of them are in. */
  readonly root: string;
  readonly format: FileFormat;
  /** The columns that were asked for, in words; null: as the files have them. */
  readonly schema: readonly (readonly [name: string, type: string])[] | null;
  /** Of CSV files. */
  readonly csv: CsvSettings;
  /** Of MDS data sets. */
  readonly mds: MdsSettings;
  /** In the order of their paths, each once. */
  readonly files: readonly PinnedFile[];
}

/** What the ids of file sets begin with. */
const idPrefix = 'files-';

/** Names the set and what is in its files, wherever its root is: expressions name it as they name tables. */
export function fileSetId(set: FileSet): string {
  // What is checked meanwhile is part of the id, as open sets are shared by it, but not of what a state belongs to.
  const { validateHash } = set.mds;
  const names = validateHash === undefined ? namesOf(set) : [namesOf(set), validateHash];
  return `${idPrefix}${digest(names)}${digest(contentsOf(set))}`;
}

/** Whether `id` is that of a file set, not of a table. */
export function isFileSetId(id: string): boolean {
  return id.startsWith(idPrefix);
}

/** What names a set in a loader's state: which files, and which versions of them. */
export function fileSetIdentity(set: FileSet): { files: string; contents: string } {
  return { files: digest(namesOf(set)), contents: digest(contentsOf(set)) };
}

/** The set in parsed JSON. @throws Error for anything else. */
export function parseFileSet(raw: unknown): FileSet {
  const { root, format, schema, csv, mds, files } = raw as { [Key in keyof FileSet]?: unknown };
  if (typeof root !== 'string' || !fileFormats.includes(format as FileFormat) || !Array.isArray(files)) {
    throw new Error('The files of a scan have a root, a format and a list.');
  }
  const { delimiter, header } = (csv ?? {}) as { [Key in keyof CsvSettings]: unknown };
  const { validateHash, intsAsText } = (mds ?? {}) as { [Key in keyof MdsSettings]: unknown };
  return {
    root,
    format: format as FileFormat,
    schema: schema === null ? null : pairs(schema),
    csv: {
      ...(typeof delimiter === 'string' ? { delimiter } : {}),
      ...(typeof header === 'boolean' ? { header } : {}),
    },
    mds: {
      ...(typeof validateHash === 'string' ? { validateHash } : {}),
      ...(intsAsText === true ? { intsAsText } : {}),
    },
    files: files.map(pinned),
  };
}

function pairs(raw: unknown): [string, string][] {
  if (!Array.isArray(raw)) throw new Error('A schema is a list of names and types.');
  return raw.map((pair: unknown) => {
    const [name, type] = Array.isArray(pair) ? pair : [];
    if (typeof name !== 'string' || typeof type !== 'string') throw new Error('A column is a name and a type.');
    return [name, type];
  });
}

function pinned(raw: unknown): PinnedFile {
  const { path, size, modifiedMs } = (raw ?? {}) as { [Key in keyof PinnedFile]?: unknown };
  if (typeof path === 'string' && Number.isSafeInteger(size) && typeof modifiedMs === 'number') {
    return { path, size: size as number, modifiedMs };
  }
  throw new Error('A file is a path, a size and a time.');
}

const namesOf = ({ format, schema, csv, mds, files }: FileSet): unknown => [
  format,
  schema,
  csv.delimiter,
  csv.header,
  files.map(({ path }) => path),
  ...(mds.intsAsText === true ? ['intsAsText'] : []),
];
const contentsOf = ({ files }: FileSet): unknown => files.map(({ size, modifiedMs }) => [size, modifiedMs]);
const digest = (of: unknown): string => createHash('sha256').update(JSON.stringify(of)).digest('hex').slice(0, 16);

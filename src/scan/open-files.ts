import type { DataType, Schema } from 'apache-arrow';
import { sameType, toSchema } from '../arrow/schema.js';
import { listed } from '../core/check.js';
import { isSpiralError, SpiralError } from '../core/errors.js';
import { readConcurrency } from '../core/limits.js';
import type { RowFile } from '../format/row-file.js';
import type { ReadCounters } from '../format/stored-buffers.js';
import type { ObjectStore } from '../storage/store.js';
import { formatFacts } from './file-format.js';
import type { FileSet, PinnedFile } from './file-set.js';

/** A file of a set, open. */
export interface OpenedRowFile {
  readonly pinned: PinnedFile;
  readonly file: RowFile;
  /** By column of the set: its number in the file. */
  readonly columns: Int32Array;
  /** The row at which each group begins; the last entry is the file's number of rows. */
  readonly rowStarts: Float64Array;
}

/** The files of a set, open: each was found to be what was pinned, and all have the same columns. */
export interface OpenFiles {
  readonly set: FileSet;
  readonly store: ObjectStore;
  readonly schema: Schema;
  readonly files: readonly OpenedRowFile[];
  /** What opening took. */
  readonly counters: Readonly<ReadCounters>;
}

/** How a set is opened. */
export interface OpenFilesOptions {
  /** What a format keeps of files in memory, by file, as another thread has it. */
  readonly indexes?: readonly (Uint8Array | undefined)[] | undefined;
  /** Where a format may keep it for other processes. */
  readonly indexStore?: ObjectStore | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens every file of `set`, which are below `store`.
 *
 * @throws SpiralError `file_changed` for one of another size or time than pinned, `not_found`, `corrupt_file`,
 * `unsupported`, `unsupported_type`; `type_mismatch` where two files have other columns, naming both.
 */
export async function openFileSet(
  set: FileSet,
  store: ObjectStore,
  options: OpenFilesOptions = {},
): Promise<OpenFiles> {
  const counters = { bytes: 0, requests: 0 };
  const schema = set.schema === null ? undefined : toSchema(set.schema, 'the schema of the files');
  const format = await formatFacts(set.format).load(set);
  const opened = new Array<RowFile>(set.files.length);
  const entries = set.files.entries();
  const work = async (): Promise<void> => {
    for (const [at, pinned] of entries) {
      await checkPinned(store, pinned);
      const { path, size, modifiedMs } = pinned;
      const { signal, indexes, indexStore } = options;
      const own = { schema, modifiedMs, index: indexes?.[at], indexes: indexStore, signal, counters };
      opened[at] = await format.open(store, path, size, own);
    }
  };
  await Promise.all(Array.from({ length: readConcurrency }, work));
  const shared = sharedSchema(set, opened, schema);
  const files = opened.map((file, at) => openedFile(set.files[at]!, file, shared));
  return { set, store, schema: shared, files, counters };
}

/**
 * Returns if the file is still the one that was pinned.
 *
 * @throws SpiralError `file_changed`, `not_found`.
 */
export async function checkPinned(store: ObjectStore, pinned: PinnedFile, cause?: unknown): Promise<void> {
  const { path, size, modifiedMs } = pinned;
  const where = `${store.uri}/${path}`;
  const found = await store.head(path);
  if (found === undefined) {
    throw new SpiralError('not_found', `Expected the file ${where}, which the scan is of, found none. Put it back.`, {
      details: { file: where },
      cause,
    });
  }
  if (found.size === size && found.modifiedMs === modifiedMs) return;
  const version = (bytes: number, ms: number): string => `${bytes} bytes of ${new Date(ms).toISOString()}`;
  throw new SpiralError(
    'file_changed',
    `Expected ${where} to be as it was when the scan was made, ${version(size, modifiedMs)}, found ` +
      `${version(found.size, found.modifiedMs)}. Restore that version, or start anew with \`files()\`.`,
    {
      details: {
        file: where,
        expected: { size, modifiedMs },
        found: { size: found.size, modifiedMs: found.modifiedMs },
      },
      cause,
    },
  );
}

/** The error of a read of `pinned`: that the file has changed, where it has, else `error`. */
export async function pinnedError(store: ObjectStore, pinned: PinnedFile, error: unknown): Promise<unknown> {
  if (!isSpiralError(error, 'corrupt_file', 'not_found')) return error;
  return checkPinned(store, pinned, error).then(
    () => error,
    (changed) => (isSpiralError(changed, 'file_changed', 'not_found') ? changed : error),
  );
}

const isEmpty = (file: RowFile): boolean => file.schema.fields.length === 0 && file.groups.length === 0;

/** The columns that all files have. */
function sharedSchema(set: FileSet, files: readonly RowFile[], wanted: Schema | undefined): Schema {
  if (wanted !== undefined) return wanted;
  const first = Math.max(
    0,
    files.findIndex((file) => !isEmpty(file)),
  );
  const { schema } = files[first]!;
  const types = typesOf(schema);
  for (const [at, file] of files.entries()) {
    if (isEmpty(file)) continue;
    const own = typesOf(file.schema);
    for (const name of new Set([...types.keys(), ...own.keys()])) {
      const [expected, found] = [types.get(name), own.get(name)];
      if (expected !== undefined && found !== undefined && sameType(expected, found)) continue;
      throw otherColumns(set, [first, at], name, [expected, found]);
    }
  }
  return schema;
}

function typesOf(schema: Schema): Map<string, DataType> {
  return new Map(schema.fields.map(({ name, type }) => [name, type]));
}

function otherColumns(
  set: FileSet,
  files: readonly [number, number],
  column: string,
  types: readonly [DataType | undefined, DataType | undefined],
): SpiralError {
  const [first, second] = files.map((at) => set.files[at]!.path);
  const [expected, found] = types.map((type) => (type === undefined ? 'no such column' : String(type)));
  const remedy = formatFacts(set.format).typed
    ? 'Scan them apart, or write them again with the same columns.'
    : 'Give the columns with the option `schema`.';
  return new SpiralError(
    'type_mismatch',
    `Expected the same columns in all files, but '${column}' is ${expected} in ${first} and ${found} in ${second}. ${remedy}`,
    { details: { files: [first, second], column, types: [expected, found] } },
  );
}

function openedFile(pinned: PinnedFile, file: RowFile, schema: Schema): OpenedRowFile {
  const names = new Map(file.schema.fields.map(({ name }, number) => [name, number]));
  const missing = isEmpty(file) ? [] : schema.fields.filter(({ name }) => !names.has(name)).map(({ name }) => name);
  if (missing.length > 0) {
    throw new SpiralError('internal', `Expected ${pinned.path} to be read with the columns ${listed(missing, 'and')}.`);
  }
  const rowStarts = new Float64Array(file.groups.length + 1);
  for (const [at, { rows }] of file.groups.entries()) rowStarts[at + 1] = rowStarts[at]! + rows;
  const columns = Int32Array.from(schema.fields, ({ name }) => names.get(name) ?? -1);
  return { pinned, file, columns, rowStarts };
}

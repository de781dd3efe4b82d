import { parseType, typeWords } from '../arrow/words.js';
import { SpiralError } from '../core/errors.js';
import { type Column, pathText } from './column.js';
import type { ColumnRef, Commit, FileRef, FragmentRef, Operation, WriteOperation } from './operation.js';

/** A fragment as a version holds it: file columns are the table's column numbers, newest fragments last. */
export interface Fragment extends Omit<FragmentRef, 'files'> {
  /** The version that wrote it: of two cells the one of the higher number is newer. */
  readonly version: number;
  readonly files: readonly (Omit<FileRef, 'columns'> & { readonly columns: readonly number[] })[];
}

/** What a table is at one version: a pure function of the log up to there. */
export interface TableVersion {
  readonly tableId: string;
  readonly version: number;
  /** Commit time, microseconds since the epoch. */
  readonly time: number;
  readonly keys: readonly Column[];
  /** Every column that is there, keys first. */
  readonly columns: readonly Column[];
  readonly nextColumnId: number;
  readonly fragments: readonly Fragment[];
}

/**
 * The version that `commits`, a log from its beginning, lead to.
 *
 * @throws SpiralError `corrupt_log` for a log that does not begin with a creation.
 */
export function replay(commits: readonly Commit[], where: string): TableVersion {
  const create = commits[0]?.operations[0];
  if (create?.kind !== 'create') {
    throw new SpiralError('corrupt_log', `Expected ${where} to begin with the creation of a table, found none.`, {
      details: { log: where },
    });
  }
  const keys = create.keys.map(columnOf);
  const columns = new Map(keys.map((column) => [column.id, column]));
  let nextColumnId = keys.length;
  const fragments: Fragment[] = [];
  for (const [at, commit] of commits.entries()) {
    for (const operation of commit.operations) {
      if (operation.kind === 'drop') for (const { id } of operation.columns) columns.delete(id);
      if (operation.kind !== 'write') continue;
      for (const ref of operation.columns) {
        if (ref.id < nextColumnId) continue;
        columns.set(ref.id, columnOf(ref));
        nextColumnId = ref.id + 1;
      }
      fragments.push(...operation.fragments.map((fragment) => placedFragment(fragment, operation, at + 1)));
    }
  }
  return {
    tableId: create.tableId,
    version: commits.length,
    time: commits.at(-1)!.time,
    keys,
    columns: [...columns.values()],
    nextColumnId,
    fragments,
  };
}

/**
 * `operations`, made against an older version or none, as they must stand to follow `version` (law 17): columns get
 * their numbers here.
 *
 * @throws SpiralError `write_conflict`: one new column with two types, a write against a drop of its column, two drops
 * of one column.
 */
export function rebase(operations: readonly Operation[], version: TableVersion, where: string): Operation[] {
  const byPath = new Map(version.columns.map((column) => [pathText(column.path), column]));
  let next = version.nextColumnId;
  return operations.map((operation) => {
    if (operation.kind === 'create') return operation;
    if (operation.kind === 'drop') {
      for (const { path, id } of operation.columns) {
        if (byPath.get(pathText(path))?.id !== id) throw conflict(where, path, 'dropped by another writer as well');
      }
      return operation;
    }
    const columns = operation.columns.map((ref) => {
      const own = byPath.get(pathText(ref.path));
      if (own === undefined) {
        if (ref.id >= 0 && ref.id < version.nextColumnId) throw conflict(where, ref.path, 'dropped by another writer');
        const clash = clashing(ref.path, byPath.values());
        if (clash !== undefined)
          throw conflict(where, ref.path, `kept from being added by ${pathText(clash.path)}, added`);
        const column = { ...columnOf(ref), id: next++ };
        byPath.set(pathText(ref.path), column);
        return { ...ref, id: column.id };
      }
      if (typeWords(own.type) !== ref.type) {
        throw conflict(where, ref.path, `added by another writer as ${typeWords(own.type)}, here as ${ref.type}`);
      }
      return { ...ref, id: own.id };
    });
    return { ...operation, columns };
  });
}

/** A column that cannot stand beside one at `path`, as one of them would be a struct and a leaf at once. */
export function clashing(path: readonly string[], columns: Iterable<Column>): Column | undefined {
  for (const column of columns) {
    const shared = Math.min(path.length, column.path.length);
    if (path.length === column.path.length) continue;
    if (path.slice(0, shared).every((name, at) => name === column.path[at])) return column;
  }
  return undefined;
}

/** A column number that is still to be given: of a column that the table did not have when it was written. */
export const newColumnId = -1;

function columnOf(ref: ColumnRef): Column {
  return { id: ref.id, path: ref.path, type: parseType(ref.type) };
}

function placedFragment(fragment: FragmentRef, operation: WriteOperation, version: number): Fragment {
  const files = fragment.files.map((file) => ({
    ...file,
    columns: file.columns.map((index) => operation.columns[index]!.id),
  }));
  return { ...fragment, version, files };
}

function conflict(where: string, path: readonly string[], why: string): SpiralError {
  const column = pathText(path);
  return new SpiralError(
    'write_conflict',
    `Expected to commit to ${where}, but its column '${column}' was ${why} meanwhile. Read the table's schema again ` +
      'and repeat the write.',
    { details: { table: where, column } },
  );
}

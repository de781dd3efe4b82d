import type { DataType } from 'apache-arrow';
import { parseType, typeWords } from '../arrow/words.js';
import { SpiralError } from '../core/errors.js';
import { type Column, pathText } from './column.js';
import { ColumnPaths } from './column-paths.js';
import type {
  ColumnRef,
  Commit,
  DeleteOperation,
  FileRef,
  FragmentRef,
  Operation,
  WriteOperation,
} from './operation.js';

/** A fragment as a version holds it: file columns are the table's column numbers, newest fragments last. */
export interface Fragment extends Omit<FragmentRef, 'files'> {
  /** The version that wrote it: of two cells the one of the higher number is newer. */
  readonly version: number;
  /** Whether its keys were deleted, instead of cells of theirs written. */
  readonly deletes: boolean;
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
 * The version that `commits`, a log from its beginning, lead to. `before`, an earlier version of the same log, spares
 * going through what led to it.
 *
 * @throws SpiralError `corrupt_log` for a log that does not begin with a creation, or goes on with what cannot follow.
 */
export function replay(commits: readonly Commit[], where: string, before?: TableVersion): TableVersion {
  const known = before !== undefined && before.version <= commits.length ? before : created(commits, where);
  const columns = new Map(known.columns.map((column) => [column.id, column]));
  const paths = new ColumnPaths(known.columns);
  let { nextColumnId } = known;
  const fragments = [...known.fragments];
  for (let at = known.version; at < commits.length; at++) {
    if (commits[at]!.time <= commits[at - 1]!.time) throw broken(where, at, 'a time that is not above the last one');
    for (const operation of commits[at]!.operations) {
      if (operation.kind === 'create') throw broken(where, at, 'a second creation');
      if (operation.kind === 'drop') {
        for (const { id, path } of operation.columns) if (columns.delete(id)) paths.delete(path);
        continue;
      }
      for (const ref of operation.columns) {
        if (ref.id < nextColumnId) continue;
        const taken = paths.get(ref.path) ?? paths.clash(ref.path);
        if (ref.id > nextColumnId || taken !== undefined) throw broken(where, at, `column '${pathText(ref.path)}'`);
        const column = columnOf(ref);
        columns.set(ref.id, column);
        paths.add(column);
        nextColumnId++;
      }
      for (const fragment of operation.fragments) fragments.push(placedFragment(fragment, operation, at + 1));
    }
  }
  const { tableId, keys } = known;
  const { time } = commits.at(-1)!;
  return { tableId, version: commits.length, time, keys, columns: [...columns.values()], nextColumnId, fragments };
}

/** The first version. */
function created(commits: readonly Commit[], where: string): TableVersion {
  const create = commits[0]?.operations[0];
  if (create?.kind !== 'create') throw broken(where, 0, 'no creation of a table');
  const keys = create.keys.map(columnOf);
  const { time } = commits[0]!;
  return { tableId: create.tableId, version: 1, time, keys, columns: keys, nextColumnId: keys.length, fragments: [] };
}

/**
 * `operations`, made against an older version or none, as they must stand to follow `version` (law 17): columns get
 * their numbers here.
 *
 * @throws SpiralError `write_conflict`: one new column with two types, a write against a drop of its column, two drops
 * of one column.
 */
export function rebase(operations: readonly Operation[], version: TableVersion, where: string): Operation[] {
  const paths = new ColumnPaths(version.columns);
  let next = version.nextColumnId;
  return operations.map((operation): Operation => {
    if (operation.kind === 'create') return operation;
    if (operation.kind === 'drop') {
      for (const { path, id } of operation.columns) {
        if (paths.get(path)?.id !== id) throw conflict(where, path, 'dropped by another writer as well');
        paths.delete(path);
      }
      return operation;
    }
    const columns = operation.columns.map((ref) => {
      const own = paths.get(ref.path);
      if (ref.id !== newColumnId && own?.id !== ref.id) throw conflict(where, ref.path, 'dropped by another writer');
      if (own === undefined) {
        const clash = paths.clash(ref.path);
        if (clash !== undefined)
          throw conflict(where, ref.path, `kept from being added by ${pathText(clash.path)}, added`);
        const column = { ...columnOf(ref), id: next++ };
        paths.add(column);
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

/** The table that rows are written to, for messages. */
export interface KeyedTable {
  readonly name: string;
  readonly keyTypes: readonly DataType[];
}

/** What writing needs to know of the table at `version`. */
export function keyedTable(version: TableVersion, name: string): KeyedTable {
  return { name, keyTypes: version.keys.map((key) => key.type) };
}

/** A column number that is still to be given: of a column that the table did not have when it was written. */
export const newColumnId = -1;

function columnOf(ref: ColumnRef): Column {
  return { id: ref.id, path: ref.path, type: parseType(ref.type) };
}

function placedFragment(fragment: FragmentRef, operation: WriteOperation | DeleteOperation, version: number): Fragment {
  const files = fragment.files.map((file) => ({
    ...file,
    columns: file.columns.map((index) => operation.columns[index]!.id),
  }));
  return { ...fragment, version, deletes: operation.kind === 'delete', files };
}

function broken(where: string, at: number, found: string): SpiralError {
  return new SpiralError(
    'corrupt_log',
    `Expected entry ${at + 1} of ${where} to follow the ones before it, found ${found}. Restore the log from a copy.`,
    { details: { log: where, version: at + 1, found } },
  );
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

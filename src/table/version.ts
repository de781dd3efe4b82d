import { parseType, typeWords } from '../arrow/words.js';
import { SpiralError } from '../core/errors.js';
import { type Column, pathText } from './column.js';
import { ColumnPaths } from './column-paths.js';
import { type KeyedTable, type KeyRange, keyRuns } from './key-run.js';
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
 * their numbers here. `since` are the commits behind the one that they were made against.
 *
 * @throws SpiralError `write_conflict`, naming both sides: one new column with two types, a write against a drop of its
 * column, two drops of one column; `overlapping_writes` where the keys of a write cross those of another.
 */
export function rebase(
  operations: readonly Operation[],
  version: TableVersion,
  where: string,
  since: CommitsSince = noCommits,
): Operation[] {
  const paths = new ColumnPaths(version.columns);
  const refuse = (path: readonly string[], ours: string, theirs: string, of = path): SpiralError =>
    conflict(where, path, ours, theirs, culpritOf(of, since));
  let next = version.nextColumnId;
  const rebased = operations.map((operation): Operation => {
    if (operation.kind === 'create') return operation;
    if (operation.kind === 'drop') {
      const columns = operation.columns.map(({ path, id }) => {
        const own = paths.get(path);
        if (own === undefined || (id !== newColumnId && own.id !== id)) throw refuse(path, 'its drop', 'dropped');
        paths.delete(path);
        return { path, id: own.id };
      });
      return { kind: 'drop', columns };
    }
    const columns = operation.columns.map((ref) => {
      const own = paths.get(ref.path);
      const ours = `a write of it as ${ref.type}`;
      if (ref.id !== newColumnId && own?.id !== ref.id) throw refuse(ref.path, ours, 'dropped');
      if (own === undefined) {
        const clash = paths.clash(ref.path);
        if (clash !== undefined) {
          throw refuse(ref.path, ours, `shut out by '${pathText(clash.path)}', which was added`, clash.path);
        }
        const column = { ...columnOf(ref), id: next++ };
        paths.add(column);
        return { ...ref, id: column.id };
      }
      if (typeWords(own.type) !== ref.type) throw refuse(ref.path, ours, `added as ${typeWords(own.type)}`);
      return { ...ref, id: own.id };
    });
    return { ...operation, columns };
  });
  const written = operations.flatMap((operation) => (operation.kind === 'write' ? operation.fragments : []));
  if (written.length > 0) keyRuns<KeyRange>([...version.fragments, ...written], keyedTable(version, where));
  return rebased;
}

/** The commits behind version number `base`. */
export interface CommitsSince {
  readonly commits: readonly Commit[];
  readonly base: number;
}

const noCommits: CommitsSince = { commits: [], base: 0 };

/** The last commit since that added or dropped a column at `path`, and the version it made. */
function culpritOf(
  path: readonly string[],
  { commits, base }: CommitsSince,
): { version: number; commit: Commit } | undefined {
  const text = pathText(path);
  for (let at = commits.length - 1; at >= base; at--) {
    const touches = commits[at]!.operations.some(
      (operation) => operation.kind !== 'create' && operation.columns.some((column) => pathText(column.path) === text),
    );
    if (touches) return { version: at + 1, commit: commits[at]! };
  }
  return undefined;
}

/** What runs of keys need to know of the table at `version`. */
export function keyedTable(version: TableVersion, name: string): KeyedTable {
  return { name, keyTypes: version.keys.map((key) => key.type) };
}

/** `version` as it is once `operations` are in it: for writes that follow them in one transaction. */
export function withOperations(version: TableVersion, operations: readonly Operation[]): TableVersion {
  const columns = new Map(version.columns.map((column) => [pathText(column.path), column]));
  const fragments: Fragment[] = [...version.fragments];
  for (const operation of operations) {
    if (operation.kind === 'drop') for (const { path } of operation.columns) columns.delete(pathText(path));
    if (operation.kind !== 'write') continue;
    for (const ref of operation.columns) {
      if (!columns.has(pathText(ref.path))) columns.set(pathText(ref.path), columnOf(ref));
    }
    for (const fragment of operation.fragments) {
      fragments.push(placedFragment(fragment, operation, version.version + 1));
    }
  }
  return { ...version, columns: [...columns.values()], fragments };
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

function broken(where: string, at: number, found: string): SpiralError {
  return new SpiralError(
    'corrupt_log',
    `Expected entry ${at + 1} of ${where} to follow the ones before it, found ${found}. Restore the log from a copy.`,
    { details: { log: where, version: at + 1, found } },
  );
}

/** The error for two changes of one column of which one can hold. */
export function conflict(
  where: string,
  path: readonly string[],
  ours: string,
  theirs: string,
  culprit?: { readonly version: number; readonly commit: Commit },
): SpiralError {
  const column = pathText(path);
  const by =
    culprit === undefined
      ? 'by another operation of the transaction'
      : `by ${culprit.commit.transaction} in version ${culprit.version}, at ${new Date(culprit.commit.time / 1000).toISOString()}`;
  return new SpiralError(
    'write_conflict',
    `Expected to commit to ${where}, but column '${column}' was ${theirs} ${by}, and here is ${ours}: both cannot hold. ` +
      "Read the table's schema again and repeat the transaction.",
    {
      details: {
        table: where,
        column,
        ours,
        theirs,
        version: culprit?.version,
        transaction: culprit?.commit.transaction,
      },
    },
  );
}

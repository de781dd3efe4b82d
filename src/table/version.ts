import type { DataType } from 'apache-arrow';
import { parseType, typeWords } from '../arrow/words.js';
import { SpiralError } from '../core/errors.js';
import { type Column, pathText } from './column.js';
import { ColumnPaths } from './column-paths.js';
import type { ColumnRef, Commit, FileRef, FragmentId, FragmentRef, Operation } from './operation.js';
import { placedFragments } from './placed-fragment.js';
import { conflictingRewrite, rewriteFragments } from './rewrite.js';

/** A fragment as a version holds it: file columns are the table's column numbers, newest fragments last. */
export interface Fragment extends Omit<FragmentRef, 'files'>, FragmentId {
  /** The version that wrote its cells: of two cells the one of the higher number is newer. */
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
  /** Time of version 1. */
  readonly created: number;
  readonly keys: readonly Column[];
  /** Every column that is there, keys first. */
  readonly columns: readonly Column[];
  readonly nextColumnId: number;
  readonly fragments: readonly Fragment[];
}

/**
 * The version that `commits`, entries `base + 1` and on of a log, lead to. `before`, an earlier version of the same log,
 * spares going through what led to it; without one the log must be whole.
 *
 * @throws SpiralError `corrupt_log` for a log that does not begin with a creation, or goes on with what cannot follow.
 */
export function replay(commits: readonly Commit[], where: string, before?: TableVersion, base = 0): TableVersion {
  const known = before ?? created(commits, where);
  if (known.version === base + commits.length) return known;
  const columns = new Map(known.columns.map((column) => [column.id, column]));
  const paths = new ColumnPaths(known.columns);
  let { nextColumnId, time } = known;
  let fragments = [...known.fragments];
  for (let at = known.version; at < base + commits.length; at++) {
    const commit = commits[at - base]!;
    if (commit.time <= time) throw broken(where, at, 'a time that is not above the last one');
    ({ time } = commit);
    let ordinal = 0;
    for (const operation of commit.operations) {
      if (operation.kind === 'create') throw broken(where, at, 'a second creation');
      if (operation.kind === 'drop') {
        for (const { id, path } of operation.columns) if (columns.delete(id)) paths.delete(path);
        continue;
      }
      if (operation.kind === 'compact') {
        const rewritten = rewriteFragments(fragments, operation, nextColumnId, at + 1, ordinal);
        if (rewritten === undefined) throw broken(where, at, 'a compaction of what is not there');
        ({ fragments, ordinal } = rewritten);
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
      fragments.push(...placedFragments(operation, at + 1, ordinal));
      ordinal += operation.fragments.length;
    }
  }
  return { ...known, version: base + commits.length, time, columns: [...columns.values()], nextColumnId, fragments };
}

/** The first version. */
function created(commits: readonly Commit[], where: string): TableVersion {
  const create = commits[0]?.operations[0];
  if (create?.kind !== 'create') throw broken(where, 0, 'no creation of a table');
  const keys = create.keys.map(columnOf);
  const { time } = commits[0]!;
  const { tableId } = create;
  const nextColumnId = keys.length;
  return { tableId, version: 1, time, created: time, keys, columns: keys, nextColumnId, fragments: [] };
}

/**
 * `operations`, made against an older version or none, as they must stand to follow `version` (law 17): columns get
 * their numbers here. `since` are the commits behind the one that they were made against.
 *
 * @throws SpiralError `write_conflict`, naming both sides: one new column with two types, a write against a drop of its
 * column, two drops of one column, two compactions of one fragment.
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
  return operations.map((operation): Operation => {
    if (operation.kind === 'create') return operation;
    if (operation.kind === 'compact') {
      const gone = conflictingRewrite(operation, version.fragments);
      if (gone === undefined) return operation;
      throw compactedTwice(where, gone);
    }
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
}

/** The commits behind version number `base`, as far as they are there. */
export interface CommitsSince {
  /** Those of versions `first + 1` and on. */
  readonly commits: readonly Commit[];
  readonly first: number;
  readonly base: number;
}

const noCommits: CommitsSince = { commits: [], first: 0, base: 0 };

/** Each commit since, and the version it made, oldest first. */
export function* commitsSince({
  commits,
  first,
  base,
}: CommitsSince): Generator<{ readonly version: number; readonly commit: Commit }, void> {
  for (let at = Math.max(0, base - first); at < commits.length; at++) {
    yield { version: first + at + 1, commit: commits[at]! };
  }
}

/** The last commit since that added or dropped a column at `path`, and the version it made. */
function culpritOf(path: readonly string[], since: CommitsSince): { version: number; commit: Commit } | undefined {
  const text = pathText(path);
  return [...commitsSince(since)].findLast(({ commit }) =>
    commit.operations.some(
      (operation) =>
        (operation.kind === 'write' || operation.kind === 'drop') &&
        operation.columns.some((column) => pathText(column.path) === text),
    ),
  );
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

/** `version` as it is once `operations` are in it: for writes that follow them in one transaction. */
export function withOperations(version: TableVersion, operations: readonly Operation[]): TableVersion {
  const columns = new Map(version.columns.map((column) => [pathText(column.path), column]));
  const fragments: Fragment[] = [...version.fragments];
  const commit = version.version + 1;
  let ordinal = 0;
  for (const operation of operations) {
    if (operation.kind === 'drop') for (const { path } of operation.columns) columns.delete(pathText(path));
    if (operation.kind !== 'write' && operation.kind !== 'delete') continue;
    for (const ref of operation.columns) {
      if (!columns.has(pathText(ref.path))) columns.set(pathText(ref.path), columnOf(ref));
    }
    fragments.push(...placedFragments(operation, commit, ordinal));
    ordinal += operation.fragments.length;
  }
  return { ...version, columns: [...columns.values()], fragments };
}

/** A column number that is still to be given: of a column that the table did not have when it was written. */
export const newColumnId = -1;

function columnOf(ref: ColumnRef): Column {
  return { id: ref.id, path: ref.path, type: parseType(ref.type) };
}

/** The data files that a version reads. */
export function* versionFiles(version: TableVersion): Generator<{ readonly path: string; readonly bytes: number }> {
  for (const { files } of version.fragments) yield* files;
}

function broken(where: string, at: number, found: string): SpiralError {
  return new SpiralError(
    'corrupt_log',
    `Expected entry ${at + 1} of ${where} to follow the ones before it, found ${found}. Restore the log from a copy.`,
    { details: { log: where, version: at + 1, found } },
  );
}

function compactedTwice(where: string, gone: FragmentId): SpiralError {
  return new SpiralError(
    'write_conflict',
    `Expected to compact fragment ${gone.ordinal} of version ${gone.commit} of ${where}, but another compaction replaced ` +
      'it meanwhile. Nothing is lost: compact again if there is more to do.',
    { details: { table: where, fragment: gone } },
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

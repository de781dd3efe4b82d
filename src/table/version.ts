import { parseType, typeWords } from '../arrow/words.js';
import { SpiralError } from '../core/errors.js';
import { type Column, pathText } from './column.js';
import { ColumnPaths } from './column-paths.js';
import { type KeyedTable, type KeyRange, keyRuns } from './key-run.js';
import type { ColumnRef, Commit, FileRef, FragmentId, FragmentRef, Operation } from './operation.js';
import { placedFragment } from './placed-fragment.js';
import { conflictingRewrite, rewriteFragments } from './rewrite.js';

/** A fragment as a version holds it: file columns are the table's column numbers, newest fragments last. */
export interface Fragment extends Omit<FragmentRef, 'files'>, FragmentId {
  /** The version that wrote its cells: of two cells the one of the higher number is newer. */
  readonly version: number;
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
      const ids = operation.columns.map(({ id }) => id);
      for (const fragment of operation.fragments) {
        fragments.push(placedFragment(fragment, ids, at + 1, { commit: at + 1, ordinal: ordinal++ }));
      }
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
 * their numbers here.
 *
 * @throws SpiralError `write_conflict`: one new column with two types, a write against a drop of its column, two drops
 * of one column, two compactions of one fragment; `overlapping_writes` where the keys of a write cross those of another.
 */
export function rebase(operations: readonly Operation[], version: TableVersion, where: string): Operation[] {
  const paths = new ColumnPaths(version.columns);
  let next = version.nextColumnId;
  const rebased = operations.map((operation): Operation => {
    if (operation.kind === 'create') return operation;
    if (operation.kind === 'compact') {
      const gone = conflictingRewrite(operation, version.fragments);
      if (gone === undefined) return operation;
      throw compactedTwice(where, gone);
    }
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
  const written = operations.flatMap((operation) => (operation.kind === 'write' ? operation.fragments : []));
  const compacted = operations.filter((operation) => operation.kind === 'compact');
  let fragments: readonly KeyRange[] = version.fragments;
  for (const operation of compacted) {
    ({ fragments } = rewriteFragments(version.fragments, operation, version.nextColumnId, version.version + 1, 0)!);
  }
  if (written.length + compacted.length > 0) keyRuns([...fragments, ...written], keyedTable(version, where));
  return rebased;
}

/** What runs of keys need to know of the table at `version`. */
export function keyedTable(version: TableVersion, name: string): KeyedTable {
  return { name, keyTypes: version.keys.map((key) => key.type) };
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

function conflict(where: string, path: readonly string[], why: string): SpiralError {
  const column = pathText(path);
  return new SpiralError(
    'write_conflict',
    `Expected to commit to ${where}, but its column '${column}' was ${why} meanwhile. Read the table's schema again ` +
      'and repeat the write.',
    { details: { table: where, column } },
  );
}

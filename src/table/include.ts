import { parseType } from '../arrow/words.js';
import { SpiralError } from '../core/errors.js';
import type { ObjectStore } from '../storage/store.js';
import { pathText } from './column.js';
import { ColumnPaths } from './column-paths.js';
import type { ColumnRef, Operation } from './operation.js';
import { type CommitsSince, commitsSince, conflict, newColumnId, type TableVersion, versionFiles } from './version.js';

/**
 * Whether `theirs` can stand beside `ours` in one transaction, whichever comes first: the conflicts of law 17.
 *
 * @throws SpiralError `write_conflict`; `already_exists` for operations that are both in `ours` and in `theirs`.
 */
export function checkTogether(ours: readonly Operation[], theirs: readonly Operation[], where: string): void {
  const files = filesOf(ours);
  const twice = [...filesOf(theirs).keys()].find((path) => files.has(path));
  if (twice !== undefined) throw includedTwice(where, twice, 'are in this transaction already');
  const [own, other] = [changesOf(ours), changesOf(theirs)];
  for (const [id, path] of other.dropped) {
    if (own.dropped.has(id)) throw conflict(where, path, 'another drop of it', 'dropped');
    if (own.written.has(id)) throw conflict(where, path, 'a drop of it', 'written');
  }
  for (const [id, ref] of other.written) {
    if (own.dropped.has(id)) throw conflict(where, ref.path, `a write of it as ${ref.type}`, 'dropped');
  }
  const paths = new ColumnPaths(Array.from(own.added.values(), (ref) => ({ ...ref, type: parseType(ref.type) })));
  for (const ref of other.added.values()) {
    const same = own.added.get(pathText(ref.path));
    if (same !== undefined && same.type !== ref.type) {
      throw conflict(where, ref.path, `a write of it as ${ref.type}`, `added as ${same.type}`);
    }
    const clash = paths.clash(ref.path);
    if (clash === undefined) continue;
    throw conflict(
      where,
      ref.path,
      `a write of it as ${ref.type}`,
      `shut out by '${pathText(clash.path)}', which was added`,
    );
  }
}

/** The columns that `operations` drop and write, by number, and those they add, by path. */
function changesOf(operations: readonly Operation[]): {
  dropped: Map<number, readonly string[]>;
  written: Map<number, ColumnRef>;
  added: Map<string, ColumnRef>;
} {
  const dropped = new Map<number, readonly string[]>();
  const written = new Map<number, ColumnRef>();
  const added = new Map<string, ColumnRef>();
  for (const operation of operations) {
    if (operation.kind === 'drop') for (const { id, path } of operation.columns) if (id >= 0) dropped.set(id, path);
    if (operation.kind !== 'write') continue;
    for (const ref of operation.columns) {
      if (ref.id === newColumnId) added.set(pathText(ref.path), ref);
      else written.set(ref.id, ref);
    }
  }
  return { dropped, written, added };
}

/** The data files that `operations` name. */
export function filesOf(operations: readonly Operation[]): Map<string, number> {
  const files = new Map<string, number>();
  for (const operation of operations) {
    if (operation.kind !== 'write' && operation.kind !== 'delete') continue;
    for (const fragment of operation.fragments) for (const { path, bytes } of fragment.files) files.set(path, bytes);
  }
  return files;
}

/**
 * Whether operations with `files` are new to a table.
 *
 * @throws SpiralError `already_exists` where one of them came into the table since, or is in its newest version: commits
 * that vacuum removed tell nothing any more.
 */
export function checkUncommitted(
  files: ReadonlySet<string>,
  since: CommitsSince,
  newest: TableVersion,
  where: string,
): void {
  for (const { version, commit } of commitsSince(since)) {
    for (const path of filesOf(commit.operations).keys()) {
      if (files.has(path)) throw includedTwice(where, path, `were committed as version ${version}`);
    }
  }
  for (const { path } of versionFiles(newest)) {
    if (files.has(path)) throw includedTwice(where, path, 'are in the table');
  }
}

/** @throws SpiralError `not_found`, `corrupt_file` where a file of `files` is not there as it was written. */
export async function checkFiles(store: ObjectStore, files: ReadonlyMap<string, number>, where: string): Promise<void> {
  for (const [path, bytes] of files) {
    const size = (await store.head(path))?.size;
    if (size === bytes) continue;
    throw new SpiralError(
      size === undefined ? 'not_found' : 'corrupt_file',
      `Expected the included operations for ${where} to have their file ${store.uri}/${path} of ${bytes} bytes, found ` +
        `${size === undefined ? 'none: their transaction was aborted, or vacuum took it' : `${size}`}. Write the rows again.`,
      { details: { table: where, file: `${store.uri}/${path}`, expected: bytes, found: size } },
    );
  }
}

function includedTwice(where: string, path: string, why: string): SpiralError {
  return new SpiralError(
    'already_exists',
    `Expected operations that are new to ${where}, but those with the file ${path} ${why}. Leave them out.`,
    { details: { table: where, file: path } },
  );
}

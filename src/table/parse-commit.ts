import { parseType } from '../arrow/words.js';
import { checkPath } from '../storage/object-path.js';
import type {
  ColumnRef,
  Commit,
  CompactOperation,
  DeleteOperation,
  DropOperation,
  FileRef,
  FragmentRef,
  FragmentRewrite,
  Operation,
  WriteOperation,
} from './operation.js';
import {
  storedBytes,
  storedList,
  storedObject,
  storedPath,
  storedText,
  storedWhole,
  untrusted,
} from './stored-value.js';

/** Most rows of a fragment and of a record batch: what 32-bit row numbers count. */
const rowsMax = 2 ** 31 - 1;

/**
 * The commit that a log entry holds. Nothing later checks again: counts are bounded by what is there, numbers of columns
 * name columns, and no path leads out of the table's root (law 22).
 *
 * @throws SpiralError `corrupt_log`; `path_outside_root` and `invalid_argument` for a file's path.
 */
export function parseCommit(raw: unknown): Commit {
  const commit = storedObject(raw, 'the entry');
  return {
    transaction: storedText(commit['transaction'], 'its transaction'),
    time: storedWhole(commit['time'], 'its time'),
    operations: storedList(commit['operations'], 'its operations').map(parseOperation),
    author: commit['author'] === undefined ? undefined : storedText(commit['author'], 'its author'),
  };
}

/** One operation of a commit. @throws SpiralError as {@link parseCommit}. */
export function parseOperation(raw: unknown): Operation {
  const operation = storedObject(raw, 'an operation');
  switch (operation['kind']) {
    case 'create': {
      const tableId = storedText(operation['tableId'], "the table's id");
      const keys = storedList(operation['keys'], 'the key', 1).map(parseColumn);
      const misplaced = keys.find((key, at) => key.id !== at || key.path.length !== 1);
      if (misplaced !== undefined) throw untrusted('the key columns', 'numbered in order', misplaced.id);
      const names = new Set(keys.map(({ path }) => path[0]));
      if (names.size < keys.length) throw untrusted('the key columns', 'of different names', names.size);
      return { kind: 'create', tableId, keys };
    }
    case 'write':
    case 'delete':
      return parseFragments(operation['kind'], operation);
    case 'drop':
      return parseDrop(operation);
    case 'compact':
      return parseCompact(operation);
    default:
      throw untrusted("an operation's kind", 'create, write, delete, drop or compact', operation['kind']);
  }
}

function parseFragments(
  kind: 'write' | 'delete',
  operation: Readonly<Record<string, unknown>>,
): WriteOperation | DeleteOperation {
  const columns = storedList(operation['columns'], `the columns of a ${kind}`, 1).map(parseColumn);
  const fragments = storedList(operation['fragments'], `the fragments of a ${kind}`, 1).map((raw) =>
    parseFragment(raw, columns.length),
  );
  return { kind, columns, fragments };
}

function parseDrop(operation: Readonly<Record<string, unknown>>): DropOperation {
  const columns = storedList(operation['columns'], 'the columns of a drop', 1).map((raw) => {
    const column = storedObject(raw, 'a column');
    return { path: storedPath(column['path']), id: storedWhole(column['id'], "a column's number") };
  });
  return { kind: 'drop', columns };
}

function parseCompact(operation: Readonly<Record<string, unknown>>): CompactOperation {
  const columns = storedList(operation['columns'], 'the columns of a compaction').map((id) =>
    storedWhole(id, "a column's number"),
  );
  const rewrites = storedList(operation['rewrites'], 'what a compaction rewrites', 1).map((raw): FragmentRewrite => {
    const rewrite = storedObject(raw, 'a rewrite');
    const replaced = storedList(rewrite['replaced'], 'the fragments replaced', 1).map((name) => {
      const fragment = storedObject(name, 'a replaced fragment');
      return {
        commit: storedWhole(fragment['commit'], "a fragment's commit", 1),
        ordinal: storedWhole(fragment['ordinal'], "a fragment's number"),
      };
    });
    const fragments = storedList(rewrite['fragments'], 'the fragments of a rewrite');
    return { replaced, fragments: fragments.map((fragment) => parseFragment(fragment, columns.length)) };
  });
  return { kind: 'compact', columns, rewrites };
}

function parseColumn(raw: unknown): ColumnRef {
  const column = storedObject(raw, 'a column');
  const path = storedPath(column['path']);
  const type = storedText(column['type'], `the type of '${path.join('.')}'`);
  parseType(type);
  return { path, type, id: storedWhole(column['id'], "a column's number") };
}

function parseFragment(raw: unknown, columnCount: number): FragmentRef {
  const fragment = storedObject(raw, 'a fragment');
  const rows = storedWhole(fragment['rows'], 'the rows of a fragment', 1, rowsMax);
  const batchRows = storedWhole(fragment['batchRows'], 'the rows of a record batch', 1, rowsMax);
  const batchKeys = storedList(fragment['batchKeys'], 'the keys of record batches').map((key) =>
    storedBytes(key, 'the key of a record batch'),
  );
  if (batchKeys.length !== Math.ceil(rows / batchRows)) {
    throw untrusted('the keys of record batches', `${Math.ceil(rows / batchRows)}, one a batch`, batchKeys.length);
  }
  const keyMin = storedBytes(fragment['keyMin'], 'the first key');
  const keyMax = storedBytes(fragment['keyMax'], 'the last key');
  if (Buffer.compare(keyMin, keyMax) > 0) throw untrusted('the last key', 'at or above the first', keyMax);
  checkBatchKeys(batchKeys, keyMin, keyMax);
  const files = storedList(fragment['files'], 'the files of a fragment', 1).map((file) => parseFile(file, columnCount));
  const stored = files.flatMap((file) => file.columns);
  if (new Set(stored).size !== stored.length) throw untrusted('the columns of files', 'stored once each', stored);
  const keyDigest = storedBytes(fragment['keyDigest'], 'the digest of keys');
  return { rows, batchRows, keyMin, keyMax, batchKeys, keyDigest, files };
}

/** Merging trusts these to be the very keys: it reads no batch whose keys lie apart from all others. @throws SpiralError `corrupt_log`. */
export function checkBatchKeys(batchKeys: readonly Uint8Array[], keyMin: Uint8Array, keyMax: Uint8Array): void {
  if (Buffer.compare(batchKeys[0]!, keyMin) !== 0) throw untrusted('the first key', 'that of the first batch', keyMin);
  for (let at = 1; at < batchKeys.length; at++) {
    if (Buffer.compare(batchKeys[at - 1]!, batchKeys[at]!) < 0) continue;
    throw untrusted('the keys of record batches', 'in order', batchKeys[at]);
  }
  if (Buffer.compare(batchKeys.at(-1)!, keyMax) > 0) throw untrusted('the last key', 'at or above all others', keyMax);
}

function parseFile(raw: unknown, columnCount: number): FileRef {
  const file = storedObject(raw, 'a file');
  return {
    path: checkPath(file['path']),
    bytes: storedWhole(file['bytes'], 'the bytes of a file', 1),
    columns: storedList(file['columns'], 'the columns of a file').map((column) =>
      storedWhole(column, "a file's column", 0, columnCount - 1),
    ),
  };
}

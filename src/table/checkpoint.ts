import { parseType, typeWords } from '../arrow/words.js';
import { type Column, pathText } from './column.js';
import { misplacedColumn } from './column-paths.js';
import { decodeFrame, encodeFrame, type FrameKind } from './frame.js';
import { packFragments, parseFragments } from './packed-fragments.js';
import { storedList, storedObject, storedPath, storedText, storedWhole, untrusted } from './stored-value.js';
import type { TableVersion } from './version.js';

const checkpointFrame: FrameKind = { mark: 0x434c5053, layout: 1, what: 'a checkpoint' }; // 'SPLC'

/** A version as a file: all that the log up to there says, so that none of it need be read. */
export function encodeCheckpoint(version: TableVersion): Uint8Array {
  const { columns, keys, fragments, ...rest } = version;
  const plain: Readonly<Record<keyof typeof rest, string | number>> = rest;
  return encodeFrame(checkpointFrame, {
    ...plain,
    keyCount: keys.length,
    columns: columns.map(({ id, path, type }) => ({ id, path, type: typeWords(type) })),
    fragments: packFragments(fragments),
  });
}

/**
 * The version that a checkpoint's file holds.
 *
 * @throws SpiralError `corrupt_log`, without the file's name; `unsupported` for one of another layout.
 */
export function decodeCheckpoint(bytes: Uint8Array): TableVersion {
  const stored = storedObject(decodeFrame(checkpointFrame, bytes), checkpointFrame.what);
  const nextColumnId = storedWhole(stored['nextColumnId'], "the next column's number", 1);
  const columns = storedList(stored['columns'], 'the columns', 1).map((raw): Column => {
    const column = storedObject(raw, 'a column');
    const path = storedPath(column['path']);
    const type = parseType(storedText(column['type'], `the type of '${path.join('.')}'`));
    return { id: storedWhole(column['id'], "a column's number", 0, nextColumnId - 1), path, type };
  });
  const twice = misplacedColumn(columns);
  if (twice !== undefined) throw untrusted('the columns', 'each at a path of its own', pathText(twice.path));
  const keys = columns.slice(0, storedWhole(stored['keyCount'], 'the number of key columns', 1, columns.length));
  const misplaced = keys.find(({ id }, at) => id !== at);
  if (misplaced !== undefined) throw untrusted('the key columns', 'numbered in order', misplaced.id);
  return {
    tableId: storedText(stored['tableId'], "the table's id"),
    version: storedWhole(stored['version'], 'the version', 1),
    time: storedWhole(stored['time'], 'the time'),
    created: storedWhole(stored['created'], 'the time of creation'),
    nextColumnId,
    keys,
    columns,
    fragments: parseFragments(stored['fragments']),
  };
}

import { type RowsLike, toBatches } from '../arrow/rows-like.js';
import { typeWords } from '../arrow/words.js';
import { knownOptions, oneOf, wholeNumber } from '../core/check.js';
import { SpiralError, shown } from '../core/errors.js';
import { writeMemoryBytesMax } from '../core/limits.js';
import type { Compression } from '../format/codec.js';
import type { ObjectStore } from '../storage/store.js';
import { columnTree, treeSchema } from './column.js';
import { leavesOf } from './leaves.js';
import type { WriteOperation } from './operation.js';
import { storeRows } from './store-rows.js';
import { keyedTable, type TableVersion } from './version.js';
import { WriteColumns, type WrittenBatch } from './write-columns.js';
import { type WriteLimits, writeLimits } from './write-limits.js';

/** How rows are written. */
export interface WriteSettings {
  /** Turns a null struct into nulls of its fields, which tables know instead. Default false: refused. */
  readonly pushDownNulls?: boolean;
  /** Rows of a record batch. Default 8,192, fewer where those would take more than 8 MiB. */
  readonly batchRows?: number;
  /** How buffers are compressed. Default none, which reads fastest. */
  readonly compression?: Compression;
  /**
   * Bytes that the write may hold, at least 1 MiB; what the caller holds, such as an Arrow table, comes on top. Rows that
   * come in key order are stored as they come; others are sorted in runs of about a third of this, which are stored and
   * then merged: while they are, some 2 KB come on top for each 64 KiB to 512 KiB of rows. Default 256 MiB.
   */
  readonly memoryBytesMax?: number;
  /** Ends the write with `cancelled`. */
  readonly signal?: AbortSignal;
}

/**
 * Writes `data` as new files of `table`, sorted by key, and gives the operation that makes them part of it once it is
 * committed; undefined where there are no rows. A write that fails deletes what it has stored, as far as the store lets it.
 *
 * A column that a batch has not keeps the older cells of its keys, and is null for keys that are new.
 *
 * @throws SpiralError `invalid_key` for a key column that is missing, of another type or null in a row; `duplicate_key`;
 * `type_mismatch` for a column of another type than the table's; `invalid_rows`, `unsupported_type` and others of the
 * builders; `cancelled`.
 */
export async function writeRows(
  store: ObjectStore,
  table: TableVersion,
  name: string,
  data: RowsLike,
  settings: WriteSettings = {},
  limits: WriteLimits = limitsOf(settings),
): Promise<WriteOperation | undefined> {
  const schema = treeSchema(columnTree(table.columns));
  const columns = new WriteColumns(table, name);
  async function* batches(): AsyncGenerator<WrittenBatch> {
    for await (const batch of toBatches(data, schema, `the rows for ${name}`)) {
      if (batch.numRows > 0) yield columns.take(leavesOf(batch, name, settings.pushDownNulls ?? false));
    }
  }
  const target = { store, table: keyedTable(table, name), columns: columns.list, there: table.fragments };
  const fragments = await storeRows(target, batches(), settings, limits);
  if (fragments.length === 0) return undefined;
  return {
    kind: 'write',
    columns: columns.list.map(({ id, path, type }) => ({ id, path, type: typeWords(type) })),
    fragments,
  };
}

/** @throws SpiralError `invalid_argument`, `invalid_size`. */
function checkSettings(settings: WriteSettings): void {
  knownOptions('write', settings, ['pushDownNulls', 'batchRows', 'compression', 'memoryBytesMax', 'signal']);
  const { pushDownNulls, batchRows, compression, memoryBytesMax } = settings;
  if (pushDownNulls !== undefined && typeof pushDownNulls !== 'boolean') {
    throw new SpiralError(
      'invalid_argument',
      `Expected \`pushDownNulls\` to be true or false, got ${shown(pushDownNulls)}.`,
    );
  }
  if (batchRows !== undefined) wholeNumber('batchRows', batchRows, { min: 1, max: 2 ** 24 });
  if (memoryBytesMax !== undefined) wholeNumber('memoryBytesMax', memoryBytesMax, { min: 2 ** 20, unit: 'bytes' });
  if (compression !== undefined) oneOf('compression', compression, ['none', 'lz4', 'zstd']);
}

function limitsOf(settings: WriteSettings): WriteLimits {
  checkSettings(settings);
  return writeLimits(settings.memoryBytesMax ?? writeMemoryBytesMax);
}

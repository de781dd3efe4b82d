import type { RecordBatch } from 'apache-arrow';
import { batchSources, gatherBatch, gatherColumn, gatheredBytes } from '../arrow/gather.js';
import { allRanges, rowRanges } from '../arrow/ranges.js';
import { recordBatch, sliceBatch } from '../arrow/record-batch.js';
import { type RowsLike, toBatches } from '../arrow/rows-like.js';
import { sameType } from '../arrow/schema.js';
import { typeWords } from '../arrow/words.js';
import { checkSignal } from '../core/abort.js';
import { SpiralError } from '../core/errors.js';
import { deleteBytesMax } from '../core/limits.js';
import type { ObjectStore } from '../storage/store.js';
import { columnTree, treeSchema } from './column.js';
import { encodeKeys } from './key-codec.js';
import { compareAt } from './key-compare.js';
import { sortOrder } from './key-sort.js';
import type { DeleteOperation, FragmentRef } from './operation.js';
import type { TableVersion } from './version.js';
import { writeRows } from './write.js';

/**
 * Stores the keys in `data` as those of a deletion, and gives the operation that makes it part of the table once it is
 * committed; undefined where there are none. Keys may come twice, and need not be there. Holds `bytesMax` of keys at a
 * time, and what sorting them takes. Deletes what it has stored where it fails.
 *
 * @throws SpiralError `invalid_rows` for a column that is no key column, and as `writeRows` for keys that cannot be some.
 */
export async function deleteRows(
  store: ObjectStore,
  table: TableVersion,
  name: string,
  data: RowsLike,
  signal?: AbortSignal,
  bytesMax: number = deleteBytesMax,
): Promise<DeleteOperation | undefined> {
  const schema = treeSchema(columnTree(table.keys));
  const names = new Set(schema.names as string[]);
  const fragments: FragmentRef[] = [];
  let batches: RecordBatch[] = [];
  let bytes = 0;
  const put = async (): Promise<void> => {
    const keys = uniqueKeys(batches, table);
    [batches, bytes] = [[], 0];
    const stored = await writeRows(store, table, name, keys, signal === undefined ? {} : { signal });
    fragments.push(...(stored?.fragments ?? []));
  };
  try {
    for await (const batch of toBatches(data, schema, `the keys to delete from ${name}`)) {
      const other = batch.schema.fields.find((field) => !names.has(field.name));
      if (other !== undefined) throw noKey(name, other.name, [...names]);
      checkSignal(signal, `The deletion from ${name}`);
      for (const part of partsOf(batch, bytesMax)) {
        batches.push(part);
        bytes += keyBytes(part);
        if (bytes >= bytesMax) await put();
      }
    }
    if (batches.length > 0) await put();
  } catch (error) {
    for (const { files } of fragments) for (const { path } of files) await store.delete(path).catch(() => {});
    throw error;
  }
  if (fragments.length === 0) return undefined;
  return {
    kind: 'delete',
    columns: table.keys.map(({ id, path, type }) => ({ id, path, type: typeWords(type) })),
    fragments,
  };
}

/** The rows of `batch` by as many as take some `bytesMax`. */
function* partsOf(batch: RecordBatch, bytesMax: number): Generator<RecordBatch> {
  const rows = Math.max(1, Math.ceil((bytesMax * batch.numRows) / keyBytes(batch)));
  for (let from = 0; from < batch.numRows; from += rows)
    yield sliceBatch(batch, from, Math.min(rows, batch.numRows - from));
}

/** What the keys of `batch` take, in their columns and encoded with their places. */
function keyBytes(batch: RecordBatch): number {
  return 2 * gatheredBytes(batchSources(batch.schema, [batch]), allRanges([batch.numRows])) + 8 * batch.numRows;
}

/** `batches` as one without the keys that come twice; as they are where they are no keys, for writing to refuse. */
function uniqueKeys(batches: readonly RecordBatch[], table: TableVersion): readonly RecordBatch[] {
  const schema = treeSchema(columnTree(table.keys));
  const ordered: RecordBatch[] = [];
  for (const { schema: own, data, numRows } of batches) {
    const places = schema.fields.map(({ name, type }) =>
      own.fields.findIndex((field) => field.name === name && sameType(field.type, type)),
    );
    if (places.includes(-1)) return batches;
    const columns = places.map((place) => data.children[place]!);
    ordered.push(recordBatch(schema, columns, numRows));
  }
  if (ordered.length === 0) return batches;
  const sources = batchSources(schema, ordered);
  const everything = allRanges(batches.map((batch) => batch.numRows));
  const data = sources.map((column) => gatherColumn(column, everything));
  const keys = encodeKeys(data, schema.names as string[]);
  const order = sortOrder(keys);
  const unique = order.filter((row, at) => at === 0 || compareAt(keys, order[at - 1]!, keys, row) !== 0);
  if (unique.length === order.length) return batches;
  const whole = batchSources(schema, [gatherBatch(schema, sources, everything)]);
  return [gatherBatch(schema, whole, rowRanges(new Int32Array(unique.length), Int32Array.from(unique)))];
}

function noKey(name: string, column: string, keys: readonly string[]): SpiralError {
  return new SpiralError(
    'invalid_rows',
    `Expected the keys to delete from ${name} to have the key columns ${keys.join(', ')} alone, found '${column}'. ` +
      'Select the key columns; to clear cells, write nulls to their columns.',
    { details: { table: name, column, keys } },
  );
}

import type { RecordBatch } from 'apache-arrow';
import { batchSources, gatherBatch, gatherColumn } from '../arrow/gather.js';
import { allRanges, rowRanges } from '../arrow/ranges.js';
import { recordBatch } from '../arrow/record-batch.js';
import { type RowsLike, toBatches } from '../arrow/rows-like.js';
import { sameType } from '../arrow/schema.js';
import { checkSignal } from '../core/abort.js';
import { SpiralError } from '../core/errors.js';
import type { ObjectStore } from '../storage/store.js';
import { columnTree, treeSchema } from './column.js';
import { encodeKeys } from './key-codec.js';
import { compareAt } from './key-compare.js';
import { sortOrder } from './key-sort.js';
import type { DeleteOperation } from './operation.js';
import type { TableVersion } from './version.js';
import { writeRows } from './write.js';

/**
 * Stores the keys in `data` as those of a deletion, and gives the operation that makes it part of the table once it is
 * committed; undefined where there are none. Keys may come twice, and need not be there.
 *
 * @throws SpiralError `invalid_rows` for a column that is no key column, and as `writeRows` for keys that cannot be some.
 */
export async function deleteRows(
  store: ObjectStore,
  table: TableVersion,
  name: string,
  data: RowsLike,
  signal?: AbortSignal,
): Promise<DeleteOperation | undefined> {
  const schema = treeSchema(columnTree(table.keys));
  const names = new Set(schema.names as string[]);
  const batches: RecordBatch[] = [];
  for await (const batch of toBatches(data, schema, `the keys to delete from ${name}`)) {
    const other = batch.schema.fields.find((field) => !names.has(field.name));
    if (other !== undefined) throw noKey(name, other.name, [...names]);
    checkSignal(signal, `The deletion from ${name}`);
    if (batch.numRows > 0) batches.push(batch);
  }
  const settings = signal === undefined ? {} : { signal };
  const operation = await writeRows(store, table, name, uniqueKeys(batches, table), settings);
  return operation === undefined ? undefined : { ...operation, kind: 'delete' };
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

import { type Data, Field, Schema, Table, tableFromIPC, tableToIPC } from 'apache-arrow';
import { gatherBatch } from '../arrow/gather.js';
import { BatchPacker, BatchUnpacker, type PackedDictionary } from '../arrow/packed-batch.js';
import { oneRange } from '../arrow/ranges.js';
import { columnSources } from '../arrow/sources.js';
import type { UdfColumns } from './udf-protocol.js';

/** A copy of columns of `rows` rows, for another thread; its buffer may be transferred. */
export function packColumns(columns: readonly Data[], rows: number): UdfColumns {
  const schema = new Schema(columns.map(({ type }, at) => new Field(String(at), type, true)));
  // Copied first: what is packed as it is would be taken from whoever else holds it.
  const sources = columns.map((data) => columnSources(data.type, [data]));
  const own = gatherBatch(schema, sources, oneRange(0, rows));
  const dictionaries: PackedDictionary[] = [];
  const packed = new BatchPacker().pack(own, dictionaries);
  return { schema: tableToIPC(new Table(schema), 'stream'), columns: packed, dictionaries };
}

/** The columns that were packed, over the buffer that came. */
export function unpackColumns({ schema, columns, dictionaries }: UdfColumns): readonly Data[] {
  const unpacker = new BatchUnpacker(tableFromIPC(schema).schema);
  unpacker.learn(dictionaries);
  return unpacker.unpack(columns).data.children;
}

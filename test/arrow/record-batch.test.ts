import { Data, Field, Int32, RecordBatch, Schema, Struct, Table, tableFromIPC, tableToIPC } from 'apache-arrow';
import { expect, test } from 'vitest';
import { recordBatch } from '../../src/arrow/record-batch.js';

test('a batch made the short way is what the constructor of apache-arrow makes', () => {
  const schema = new Schema([new Field('a', new Int32(), true), new Field('b', new Int32(), true)]);
  const column = new Data(new Int32(), 0, 3, 0, [undefined, Int32Array.of(1, 2, 3), undefined] as never);
  const short = recordBatch(schema, [column, column], 3);
  const long = new RecordBatch(schema, new Data(new Struct(schema.fields), 0, 3, 0, undefined, [column, column]));
  expect(Object.keys(short).sort()).toEqual(Object.keys(long).sort());
  expect(short).toBeInstanceOf(RecordBatch);
  expect(short.metadata).toEqual(long.metadata);
  expect(short.dictionaries).toEqual(long.dictionaries);
  expect([short.numRows, short.numCols, short.nullCount]).toEqual([3, 2, 0]);
  expect(short.toArray()).toEqual(long.toArray());
  expect(short.slice(1, 3).toArray()).toEqual(long.slice(1, 3).toArray());
  expect(short.select(['b']).toArray()).toEqual(long.select(['b']).toArray());
  expect(tableFromIPC(tableToIPC(new Table([short]))).toArray()).toEqual(new Table([long]).toArray());
});

import { Data, Field, Int32, RecordBatch, Schema, Struct, Table, tableFromIPC, tableToIPC } from 'apache-arrow';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { recordBatch, sliceBatch } from '../../src/arrow/record-batch.js';
import { lawRuns } from '../laws.js';
import { arbColumns } from './columns.js';

/** Without a look at the values of dictionaries, some of which JavaScript has no number for. */
function expectSame(found: Data, expected: Data): void {
  const { type, dictionary, children, ...numbers } = { ...expected };
  expect(found.type).toBe(type);
  expect(found.dictionary === dictionary).toBe(true);
  expect({ ...found }).toMatchObject(numbers);
  expect(found.children.length).toBe(children.length);
  for (const [at, child] of children.entries()) expectSame(found.children[at]!, child);
}

test('a batch made the short way is what the constructor of apache-arrow makes', () => {
  const schema = new Schema([new Field('a', new Int32(), true), new Field('b', new Int32(), true)]);
  const column = new Data(new Int32(), 0, 3, 0, [undefined, Int32Array.of(1, 2, 3), undefined] as never);
  const short = recordBatch(schema, [column, column], 3);
  const long = new RecordBatch(schema, new Data(new Struct(schema.fields), 0, 3, 0, undefined, [column, column]));
  expect(short).toBeInstanceOf(RecordBatch);
  expect(short.metadata).toEqual(long.metadata);
  expect(Object.keys(short).sort()).toEqual(Object.keys(long).sort());
  expect(short.dictionaries).toEqual(long.dictionaries);
  expect([short.numRows, short.numCols, short.nullCount]).toEqual([3, 2, 0]);
  expect(short.toArray()).toEqual(long.toArray());
  expect(short.slice(1, 3).toArray()).toEqual(long.slice(1, 3).toArray());
  expect(short.select(['b']).toArray()).toEqual(long.select(['b']).toArray());
  expect(tableFromIPC(tableToIPC(new Table([short]))).toArray()).toEqual(new Table([long]).toArray());
});

test('the metadata of a batch are its own', () => {
  const schema = new Schema([]);
  const [one, other] = [recordBatch(schema, [], 3), recordBatch(schema, [], 3)];
  one.metadata.set('from', 'me');
  expect([...one.metadata]).toEqual([['from', 'me']]);
  expect(one.slice(0, 2).metadata).toBe(one.metadata);
  expect(other.metadata.size).toBe(0);
});

test('a slice is what apache-arrow makes, of every type, nulls and slices of slices included', () => {
  fc.assert(
    fc.property(arbColumns({ most: 1 }), fc.nat(), fc.nat(), fc.nat(), ({ type, columns }, a, b, c) => {
      const [column] = columns as [Data];
      const schema = new Schema([new Field('a', type, true)]);
      const whole = recordBatch(schema, [column], column.length);
      const from = a % (column.length + 1);
      const part = sliceBatch(whole, from, b % (column.length - from + 1));
      expectSame(part.data.children[0]!, column.slice(from, part.numRows));
      const again = sliceBatch(part, c % (part.numRows + 1), 0);
      expectSame(again.data.children[0]!, part.data.children[0]!.slice(c % (part.numRows + 1), 0));
      expect(part.data.children[0]).toBeInstanceOf(Data);
    }),
    { numRuns: lawRuns(300, 5000) },
  );
});

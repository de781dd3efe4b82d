import {
  Data,
  type DataType,
  Dictionary,
  Field,
  Int32,
  type RecordBatch,
  Schema,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { gatherBatch } from '../../src/arrow/gather.js';
import { movedBatch } from '../../src/arrow/moved-batch.js';
import { oneRange } from '../../src/arrow/ranges.js';
import { recordBatch, sliceBatch } from '../../src/arrow/record-batch.js';
import { batchRows } from '../../src/arrow/rows.js';
import { columnSources } from '../../src/arrow/sources.js';
import { lawRuns } from '../laws.js';
import { arbColumns } from './columns.js';

const fieldsOf = (type: DataType): Schema => new Schema([new Field('a', type, true), new Field('b', type, true)]);

/** Two columns like `column`, in one buffer that nobody else has a part of. */
function gathered(type: DataType, column: Data): RecordBatch {
  const source = columnSources(type, [column]);
  return gatherBatch(fieldsOf(type), [source, source], oneRange(0, column.length));
}

/** The buffers that the columns of `data` lie in, dictionaries apart. */
function buffersOf(data: Data, into: Set<ArrayBuffer> = new Set()): Set<ArrayBuffer> {
  for (const view of data.buffers as unknown as (ArrayBufferView | undefined)[]) {
    if (view !== undefined && view.byteLength > 0) into.add(view.buffer as ArrayBuffer);
  }
  for (const child of data.children) buffersOf(child, into);
  return into;
}

test('a batch that is moved holds what it held, of every type, nulls and slices included; what it lay in is gone', () => {
  fc.assert(
    fc.property(arbColumns({ most: 1 }), fc.nat(), fc.nat(), ({ type, columns }, a, b) => {
      const whole = gathered(type, columns[0]!);
      const from = a % (whole.numRows + 1);
      const batch = sliceBatch(whole, from, b % (whole.numRows - from + 1));
      const expected = batchRows(batch);
      const own = buffersOf(batch.data);
      const moved = movedBatch(batch, own);
      expect(batchRows(moved)).toEqual(expected);
      expect(moved.schema).toBe(batch.schema);
      for (const buffer of own) expect(buffer.byteLength).toBe(0);
      for (const buffer of buffersOf(moved.data)) expect(own.has(buffer)).toBe(false);
    }),
    { numRuns: lawRuns(300, 5000) },
  );
});

test('only the buffers that are named are moved, each once, whoever else lies in them', () => {
  const values = [new Int32Array(4).map((_, at) => at), new Int32Array(4).map((_, at) => 10 * at)];
  const column = (own: Int32Array): Data => new Data(new Int32(), 0, 4, 0, [undefined, own, undefined] as never);
  const [first, second] = values.map(column) as [Data, Data];
  const schema = new Schema(['a', 'b', 'c'].map((name) => new Field(name, new Int32(), true)));
  const batch = recordBatch(schema, [first, second, first], 4);
  const expected = batchRows(batch);
  expect(movedBatch(batch, [])).toBe(batch);
  const stranger = new ArrayBuffer(8);
  expect(movedBatch(batch, [stranger])).toBe(batch);
  const moved = movedBatch(batch, [stranger, values[0]!.buffer as ArrayBuffer]);
  expect(batchRows(moved)).toEqual(expected);
  expect(values.map(({ length }) => length)).toEqual([0, 4]);
  expect(stranger.byteLength).toBe(8);
  const [a, b, c] = moved.data.children;
  expect(b!.values).toBe(values[1]);
  expect(c!.values.buffer).toBe(a!.values.buffer);
});

test('a dictionary, which other batches share, stays where it is, and with it the buffer it lies in', () => {
  const words = vectorFromArray(['x', 'y'], new Utf8());
  const type = new Dictionary(new Utf8(), new Int32(), 1);
  const indices = Int32Array.of(1, 0, 1);
  const data = new Data(type, 0, 3, 0, [undefined, indices, undefined] as never, [], words);
  const batch = recordBatch(new Schema([new Field('a', type, true)]), [data], 3);
  const dictionary = [...buffersOf(words.data[0]!)];
  const moved = movedBatch(batch, [indices.buffer, ...dictionary]);
  expect(batchRows(moved)).toEqual([{ a: 'y' }, { a: 'x' }, { a: 'y' }]);
  expect(words.toArray()).toEqual(['x', 'y']);
  expect(indices.length).toBe(0);
  expect(moved.data.children[0]!.dictionary).toBe(words);
});

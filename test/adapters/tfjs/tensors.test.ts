import * as tf from '@tensorflow/tfjs';
import {
  Binary,
  Bool,
  type DataType,
  Dictionary,
  Field,
  FixedSizeBinary,
  FixedSizeList,
  Float16,
  Float32,
  Float64,
  Int32,
  Int64,
  List,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  TimestampMicrosecond,
  Uint8,
  Uint32,
  Uint64,
  Utf8,
  vectorFromArray,
} from 'apache-arrow';
import fc from 'fast-check';
import { toTensors } from 'spiral-loader/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { isSpiralError, type SpiralError } from '../../../src/core/errors.js';
import { lawRuns } from '../../laws.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

function batchOf(columns: Record<string, readonly [DataType, readonly unknown[]]>): RecordBatch {
  const names = Object.keys(columns);
  const vectors = names.map((name) => vectorFromArray([...columns[name]![1]], columns[name]![0]).data[0]!);
  const type = new Struct(names.map((name, at) => new Field(name, vectors[at]!.type, true)));
  const length = vectors[0]!.length;
  return new RecordBatch(new Schema(type.children), makeData({ type, length, nullCount: 0, children: vectors }));
}

const listOf = (type: DataType): List => new List(new Field('item', type, true));
const fixedListOf = (length: number, type: DataType): FixedSizeList =>
  new FixedSizeList(length, new Field('item', type, true));

function failure(make: () => unknown): SpiralError {
  try {
    make();
  } catch (error) {
    if (isSpiralError(error)) return error;
    throw error;
  }
  throw new Error('Expected a SpiralError, nothing was thrown.');
}

describe('the type of a tensor', () => {
  const samples: readonly (readonly [string, DataType, readonly unknown[], string, readonly number[]])[] = [
    ['float32', new Float32(), [0.5, -1, 2], 'float32', [0.5, -1, 2]],
    ['float64', new Float64(), [0.1, -1, 2], 'float32', [Math.fround(0.1), -1, 2]],
    ['float16', new Float16(), [0.5, -1, 65504], 'float32', [0.5, -1, 65504]],
    ['uint8', new Uint8(), [0, 255, 7], 'int32', [0, 255, 7]],
    ['int32', new Int32(), [-5, 2147483647, 7], 'int32', [-5, 2147483647, 7]],
    ['uint32', new Uint32(), [5, 2147483647, 7], 'int32', [5, 2147483647, 7]],
    ['int64', new Int64(), [-5n, 2147483647n, -2147483648n], 'int32', [-5, 2147483647, -2147483648]],
    ['uint64', new Uint64(), [5n, 2147483647n, 7n], 'int32', [5, 2147483647, 7]],
    ['bool', new Bool(), [true, false, true], 'bool', [1, 0, 1]],
  ];

  it.each(samples)('of a %s column is what TensorFlow.js trains on', (_, type, values, dtype, expected) => {
    const { xs } = toTensors(batchOf({ a: [type, values] }), { xs: 'a', tf });
    expect([xs.dtype, xs.shape, [...xs.dataSync()]]).toEqual([dtype, [3], expected]);
  });

  it('follows dtype, and scale and offset make it float32', () => {
    const batch = batchOf({
      a: [new Uint8(), [0, 51, 255]],
      b: [new Float32(), [0, 1, 1]],
      c: [new Bool(), [true, false, true]],
    });
    const { xs } = toTensors(batch, {
      xs: {
        plain: { column: 'a', dtype: 'float32' },
        scaled: { column: 'a', scale: 1 / 255, offset: -0.5 },
        whole: { column: 'b', dtype: 'int32' },
        flag: { column: 'b', dtype: 'bool' },
        number: { column: 'c', dtype: 'float32' },
      },
    });
    expect(Object.values(xs).map((one) => one.dtype)).toEqual(['float32', 'float32', 'int32', 'bool', 'float32']);
    expect([...xs['plain']!.dataSync()]).toEqual([0, 51, 255]);
    expect([...xs['scaled']!.dataSync()]).toEqual([-0.5, 51 / 255 - 0.5, 0.5].map(Math.fround));
    expect([...xs['number']!.dataSync()]).toEqual([1, 0, 1]);
  });

  it('is string only where it is asked for', () => {
    const batch = batchOf({ a: [new Utf8(), ['x', 'yy']], d: [new Dictionary(new Utf8(), new Int32()), ['p', 'q']] });
    const { xs } = toTensors(batch, { xs: { a: { dtype: 'string' }, d: { dtype: 'string' } }, tf });
    expect([xs['a']!.dataSync(), xs['d']!.dataSync()]).toEqual([
      ['x', 'yy'],
      ['p', 'q'],
    ]);
    expect(failure(() => toTensors(batch, { xs: 'a', tf }))).toMatchObject({ code: 'invalid_tensor' });
  });

  it('is refused for types that have none', () => {
    const batch = batchOf({ t: [new TimestampMicrosecond(), [1, 2]] });
    const error = failure(() => toTensors(batch, { xs: 't', tf }));
    expect(error).toMatchObject({ code: 'invalid_tensor', details: { column: 't' } });
    expect(error.message).toContain('Timestamp');
  });
});

describe('the shape of a tensor', () => {
  it('is [rows] for one value a row and [rows, n, m] for lists of lists', () => {
    const nested = fixedListOf(2, fixedListOf(3, new Float32()));
    const batch = batchOf({
      one: [new Float32(), [1, 2]],
      list: [
        listOf(new Int32()),
        [
          [1, 2, 3],
          [4, 5, 6],
        ],
      ],
      nested: [
        nested,
        [
          [
            [1, 2, 3],
            [4, 5, 6],
          ],
          [
            [7, 8, 9],
            [10, 11, 12],
          ],
        ],
      ],
      bytes: [new FixedSizeBinary(2), [Uint8Array.of(1, 2), Uint8Array.of(3, 4)]],
      blob: [new Binary(), [Uint8Array.of(1, 2), Uint8Array.of(3, 4)]],
    });
    const { xs } = toTensors(batch, { xs: ['one', 'list', 'nested', 'bytes', 'blob'], tf });
    expect(Object.values(xs).map((one) => one.shape)).toEqual([[2], [2, 3], [2, 2, 3], [2, 2], [2, 2]]);
    expect([...xs['nested']!.dataSync()]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect([...xs['blob']!.dataSync()]).toEqual([1, 2, 3, 4]);
  });

  it('is what the spec says where the elements suffice', () => {
    const batch = batchOf({
      image: [
        fixedListOf(4, new Uint8()),
        [
          [1, 2, 3, 4],
          [5, 6, 7, 8],
        ],
      ],
      y: [new Int32(), [1, 2]],
    });
    const { xs, ys } = toTensors(batch, { xs: { image: { shape: [2, 2, 1] } }, ys: { y: { shape: [1] } }, tf });
    expect([xs['image']!.shape, ys['y']!.shape]).toEqual([
      [2, 2, 2, 1],
      [2, 1],
    ]);
    const error = failure(() => toTensors(batch, { xs: { image: { shape: [28, 28] } }, tf }));
    expect(error).toMatchObject({ code: 'invalid_tensor', details: { column: 'image', expected: 4, found: 784 } });
  });

  it('holds the rows of a slice, whatever is around it', () => {
    const whole = batchOf({
      list: [
        listOf(new Int32()),
        [
          [9, 9],
          [1, 2],
          [3, 4],
          [9, 9],
        ],
      ],
      fixed: [
        fixedListOf(2, new Float32()),
        [
          [9, 9],
          [1, 2],
          [3, 4],
          [9, 9],
        ],
      ],
      flag: [new Bool(), [true, false, true, true]],
      blob: [new Binary(), [Uint8Array.of(9), Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(9)]],
    });
    const { xs } = toTensors(whole.slice(1, 3), { xs: ['list', 'fixed', 'flag', 'blob'], tf });
    expect(Object.values(xs).map((one) => [...one.dataSync()])).toEqual([
      [1, 2, 3, 4],
      [1, 2, 3, 4],
      [0, 1],
      [1, 2],
    ]);
  });

  it('finds a field of a struct by its dotted name', () => {
    const struct = new Struct([new Field('b', new Float32(), true)]);
    const batch = batchOf({ a: [struct, [{ b: 1 }, { b: 2 }]] });
    expect([...toTensors(batch, { xs: 'a.b', tf }).xs.dataSync()]).toEqual([1, 2]);
  });
});

describe('one-hot rows', () => {
  it('hold a single 1 at the class', () => {
    const { xs } = toTensors(batchOf({ y: [new Uint8(), [2, 0]] }), { xs: { y: { oneHot: 3 } }, tf });
    expect([xs['y']!.shape, xs['y']!.dtype, [...xs['y']!.dataSync()]]).toEqual([[2, 3], 'float32', [0, 0, 1, 1, 0, 0]]);
  });

  it.each([
    [new Int32(), -1],
    [new Int32(), 3],
    [new Float32(), 0.5],
    [new Int64(), 3n],
  ] as const)('refuse what is no class, naming its row (%s: %s)', (type, value) => {
    const batch = batchOf({ y: [type, [value === 3n ? 1n : 1, value]] });
    const error = failure(() => toTensors(batch, { xs: { y: { oneHot: 3 } }, tf }));
    expect(error).toMatchObject({ code: 'invalid_tensor', details: { column: 'y', row: 1 } });
  });
});

describe('what would silently become a wrong tensor', () => {
  const samples: readonly (readonly [string, DataType, readonly unknown[], number])[] = [
    ['a null', new Float32(), [1, 2, null], 2],
    [
      'a null inside a list',
      listOf(new Int32()),
      [
        [1, 2],
        [3, null],
      ],
      1,
    ],
    ['a null list', fixedListOf(2, new Int32()), [null, [1, 2]], 0],
    ['lists of several lengths', listOf(new Int32()), [[1, 2], [3, 4], [5]], 2],
    ['an int64 beyond int32', new Int64(), [1n, 2147483648n], 1],
    ['a uint32 beyond int32', new Uint32(), [4294967295], 0],
    ['a float64 beyond float32', new Float64(), [0, Number.POSITIVE_INFINITY, 1e300], 2],
    ['a null in a column of nulls', new Utf8(), [null, null], 0],
  ];

  it.each(samples)('%s is refused, naming column and row', (_, type, values, row) => {
    const error = failure(() => toTensors(batchOf({ column: [type, values] }), { xs: 'column', tf }));
    expect(error).toMatchObject({ code: 'invalid_tensor', details: { column: 'column', row } });
    expect(error.message).toContain(`row ${row}`);
  });

  it('a column that does not exist is refused, naming near ones, and leaves no tensor behind', () => {
    const batch = batchOf({ image: [new Float32(), [1]], label: [new Int32(), [1]] });
    const before = tf.memory().numTensors;
    const error = failure(() => toTensors(batch, { xs: ['image', 'lable'], tf }));
    expect(error).toMatchObject({ code: 'unknown_column', details: { near: ['label'] } });
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each([
    ['a misspelt key', { a: { scael: 2 } }],
    ['a wrong dtype', { a: { dtype: 'int8' } }],
    ['scale with int32', { a: { scale: 2, dtype: 'int32' } }],
    ['a shape of no elements', { a: { shape: [0] } }],
    ['nothing selected', {}],
  ])('a spec with %s is refused', (_, xs) => {
    const batch = batchOf({ a: [new Int32(), [1]] });
    expect(failure(() => toTensors(batch, { xs: xs as Record<string, string>, tf })).kind).toBe('invalid_argument');
  });

  it('anything but a batch is refused', () => {
    expect(failure(() => toTensors({ xs: 1 } as unknown as RecordBatch, { xs: 'a', tf })).code).toBe('invalid_tensor');
  });
});

describe('memory', () => {
  it('of a float32 column is handed over without a copy, and only once', () => {
    const batch = batchOf({
      a: [
        fixedListOf(2, new Float32()),
        [
          [1, 2],
          [3, 4],
        ],
      ],
    });
    const own = batch.data.children[0]!.children[0]!.values as Float32Array;
    const first = toTensors(batch, { xs: 'a', tf }).xs.dataSync() as Float32Array;
    const second = toTensors(batch, { xs: 'a', ys: { again: 'a' }, tf });
    expect(first.buffer).toBe(own.buffer);
    for (const tensor of [second.xs, second.ys['again']!]) {
      expect((tensor.dataSync() as Float32Array).buffer).not.toBe(own.buffer);
      expect([...tensor.dataSync()]).toEqual([1, 2, 3, 4]);
    }
  });
});

describe('law: a tensor holds the values of its column', () => {
  it('for any whole numbers of 64 bits, all in int32 or one of them refused by name', () => {
    const numbers = fc.array(
      fc.oneof(fc.bigInt(-(2n ** 31n), 2n ** 31n - 1n), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)),
      {
        minLength: 1,
        maxLength: 20,
      },
    );
    fc.assert(
      fc.property(numbers, (values) => {
        const batch = batchOf({ a: [new Int64(), values] });
        const bad = values.findIndex((value) => BigInt.asIntN(32, value) !== value);
        if (bad < 0) expect([...toTensors(batch, { xs: 'a', tf }).xs.dataSync()]).toEqual(values.map(Number));
        else expect(failure(() => toTensors(batch, { xs: 'a', tf })).details).toMatchObject({ row: bad });
      }),
      { numRuns: lawRuns(50, 1000) },
    );
  });

  it('for any slice of any list of floats', () => {
    const shape = fc.record({ rows: fc.integer({ min: 1, max: 12 }), width: fc.integer({ min: 1, max: 5 }) });
    fc.assert(
      fc.property(shape, fc.nat(), fc.nat(), fc.boolean(), ({ rows, width }, from, to, fixed) => {
        const lists = Array.from({ length: rows }, (_, row) => Array.from({ length: width }, (_, at) => row * 8 + at));
        const type = fixed ? fixedListOf(width, new Float32()) : listOf(new Float32());
        const begin = from % rows;
        const end = begin + 1 + (to % (rows - begin));
        const { xs } = toTensors(batchOf({ a: [type, lists] }).slice(begin, end), { xs: 'a', tf });
        expect([xs.shape, [...xs.dataSync()]]).toEqual([[end - begin, width], lists.slice(begin, end).flat()]);
      }),
      { numRuns: lawRuns(50, 1000) },
    );
  });
});

import { Dictionary, Int32, RecordBatch, Table, tableFromArrays, Utf8, Vector, vectorFromArray } from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loosePartBytesMin } from '../../src/core/limits.js';
import { resultBuffers, resultBytes } from '../../src/loader/map-result.js';
import { openResult, packResult } from '../../src/loader/packed-result.js';
import { lawRuns } from '../laws.js';

/** `value` as it comes out of another thread. */
function crossed(value: unknown): unknown {
  const packed = packResult(value);
  return openResult(structuredClone(packed, { transfer: resultBuffers(packed) }));
}

const large = loosePartBytesMin / 8;

/** Plain data of every kind that a transform may return; numbers and texts are those that msgpack keeps exactly. */
const plainData = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof(
      fc.double().map((number) => (Object.is(number, -0) ? 0 : number)),
      fc.maxSafeInteger(),
      fc.bigInt(),
      fc.string({ unit: 'grapheme' }),
      fc.boolean(),
      fc.constantFrom(null, undefined),
      fc.date({ noInvalidDate: true }),
      fc.float32Array({ maxLength: 5, noNaN: true }),
      fc.bigInt64Array({ maxLength: 3 }),
      fc.uint8Array({ maxLength: 9 }),
      fc.nat(3).map((at) => Float64Array.from({ length: large + at }, (_, row) => row * at)),
      fc.nat(3).map((at) => Uint16Array.from({ length: large * 4 + at }, (_, row) => row).subarray(at)),
    ),
    fc.array(tie('any'), { maxLength: 5 }),
    fc.dictionary(
      fc.string({ unit: 'grapheme' }).filter((key) => key !== '__proto__'),
      tie('any'),
      { maxKeys: 5, noNullPrototype: true },
    ),
    fc
      .array(fc.tuple(fc.oneof(fc.integer(), fc.string({ unit: 'grapheme' })), tie('any')), { maxLength: 4 })
      .map((entries) => new Map(entries)),
    fc.uniqueArray(fc.integer(), { maxLength: 4 }).map((items) => new Set<unknown>(items)),
  ),
})).any;

describe('a result', () => {
  test('arrives as it was, whatever plain data it is', () => {
    fc.assert(
      fc.property(plainData, (value) => {
        expect(crossed(value)).toStrictEqual(value);
      }),
      { numRuns: lawRuns(100, 10_000) },
    );
  });

  test('takes large arrays along as buffers of their own, and leaves the original whole', () => {
    const whole = Float32Array.from({ length: 10_000 }, (_, at) => at);
    const value = {
      xs: whole,
      part: whole.subarray(10, 6000),
      small: whole.subarray(0, 4),
      map: new Map([['k', [whole]]]),
    };
    const packed = packResult(value);
    expect(packed.parts.map(({ kind, buffer }) => [kind, buffer.byteLength])).toEqual([
      ['Float32Array', 40_000],
      ['Float32Array', 5990 * 4],
    ]);
    expect(packed.bytes.byteLength).toBeLessThan(300);
    expect(resultBytes(packed)).toBe(packed.bytes.byteLength + 40_000 + 5990 * 4);
    const opened = crossed(value) as typeof value;
    expect(opened).toStrictEqual(value);
    expect(opened.xs).toBe(opened.map.get('k')![0]);
    expect(whole.length).toBe(10_000);
  });

  test('may hold itself, the same object twice, and nothing at all', () => {
    const shared = { big: new Uint8Array(loosePartBytesMin) };
    const value: Record<string, unknown> = { first: shared, second: shared };
    value['self'] = value;
    const opened = crossed(value) as typeof value;
    expect(opened['self']).toBe(opened);
    expect(opened['first']).toBe(opened['second']);
    expect(opened['first']).toStrictEqual(shared);
    expect(crossed(undefined)).toBe(undefined);
    expect(crossed(0)).toBe(0);
  });

  test('gives a Buffer as the Uint8Array that it is, and buffers and views as they are', () => {
    expect(crossed(Buffer.from('abc'))).toStrictEqual(Uint8Array.of(97, 98, 99));
    expect(crossed(Buffer.alloc(20_000, 7))).toStrictEqual(new Uint8Array(20_000).fill(7));
    expect(crossed(new ArrayBuffer(20_000))).toStrictEqual(new ArrayBuffer(20_000));
    const view = new DataView(new ArrayBuffer(20_004), 4);
    view.setFloat32(0, 1.5);
    expect((crossed(view) as DataView).getFloat32(0)).toBe(1.5);
  });

  test('keeps a key of a Map whatever it is called', () => {
    const value = new Map([['__proto__', { constructor: 1, toString: 2 }]]);
    expect(crossed(value)).toStrictEqual(value);
  });

  test('keeps Arrow batches, tables and vectors, at any depth', () => {
    const words = vectorFromArray(['a', 'b', null, 'a'], new Dictionary(new Utf8(), new Int32()));
    const table = new Table({ number: vectorFromArray([1, 2, 3, null], new Int32()), words });
    const [batch] = table.batches;
    const rows = (of: Table | RecordBatch) => of.toArray().map((row) => row.toJSON());
    const opened = crossed({ deep: [table, batch], column: words, empty: table.slice(0, 0) }) as {
      deep: [Table, RecordBatch];
      column: Vector;
      empty: Table;
    };
    expect(opened.deep[0]).toBeInstanceOf(Table);
    expect(opened.deep[1]).toBeInstanceOf(RecordBatch);
    expect(opened.column).toBeInstanceOf(Vector);
    expect(rows(opened.deep[0])).toEqual(rows(table));
    expect(rows(opened.deep[1])).toEqual(rows(table));
    expect(opened.column.toArray()).toEqual(words.toArray());
    expect(opened.empty.numRows).toBe(0);
    expect(opened.empty.schema.names).toEqual(['number', 'words']);
    const none = crossed(new RecordBatch(table.schema, undefined)) as RecordBatch;
    expect([none.numRows, none.schema.names]).toEqual([0, ['number', 'words']]);
    expect((crossed(tableFromArrays({ a: [1.5, 2.5] })) as Table).getChild('a')!.toArray()).toEqual(
      Float64Array.of(1.5, 2.5),
    );
  });

  class Tokens {
    readonly ids = [1, 2];
  }

  test.each([
    ['a function', () => 1, 'the result.'],
    ['a function, deep', { a: [1, { f: () => 1 }] }, `["a"][1]["f"]`],
    ['a symbol', [Symbol('s')], '[0]'],
    ['a promise', { x: Promise.resolve(1) }, '["x"]'],
    ['an instance of a class', new Map([['t', new Tokens()]]), 'a Tokens'],
    [
      'a key that gets another name',
      { a: [JSON.parse('{"b": 1, "__proto__": 2}')] },
      `'__proto__' as one of the result's ["a"][0]`,
    ],
    ['a class in a Set', new Set([new Tokens()]), 'a Tokens'],
    ['a table in a Set', new Set([tableFromArrays({ a: [1] })]), 'a Table'],
  ])('is refused with its place where it holds %s', (_, value, place) => {
    expect(() => packResult(value)).toThrowError(
      expect.objectContaining({ code: 'invalid_transform', message: expect.stringContaining(place) }),
    );
  });
});

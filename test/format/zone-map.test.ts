import { type Data, DataType, Dictionary, Int8, makeData, Utf8, Vector } from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildColumn } from '../../src/arrow/build.js';
import { parseDecimal } from '../../src/arrow/decimal.js';
import { toSchema } from '../../src/arrow/schema.js';
import { parseType } from '../../src/arrow/words.js';
import { type Bound, boundBytes, type Zone, zoneOf } from '../../src/format/zone-map.js';
import { lawRuns } from '../laws.js';
import { arbSource, batchOf, openedFile, valuesOf } from './stored-file.js';

const dayMs = 86_400_000;

/** A value as its zone orders it; undefined for types without an order. */
function ordered(type: DataType, value: unknown): number | bigint | Buffer | boolean | undefined {
  if (DataType.isDictionary(type)) return ordered(type.dictionary, value);
  if (DataType.isFloat(type)) return type.precision === 0 ? undefined : (value as number);
  if (DataType.isBool(type)) return value as boolean;
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type)) return Buffer.from(value as string);
  if (DataType.isDecimal(type)) return parseDecimal(value as string, type.scale) as bigint;
  if (value instanceof Uint8Array) return Buffer.from(value);
  if (DataType.isDate(type)) return (value as Date).getTime() / (type.unit === 0 ? dayMs : 1);
  if (value instanceof Date) return value.getTime() / ((type as DataType & { unit: number }).unit === 0 ? 1000 : 1);
  return typeof value === 'number' || typeof value === 'bigint' ? value : undefined;
}

/** Whether `a` is at most `b`. */
function atMost(a: NonNullable<Bound> | Buffer, b: NonNullable<Bound> | Buffer): boolean {
  return a instanceof Uint8Array ? Buffer.compare(a, b as Uint8Array) <= 0 : (a as number) <= (b as number);
}

/** What breaks `zone` among `values`. */
function breaches(type: DataType, zone: Zone, values: readonly unknown[]): string[] {
  const found: string[] = [];
  const sound = values.filter((value) => value !== null);
  if (zone.nulls !== values.length - sound.length) found.push(`${zone.nulls} nulls`);
  for (const value of sound) {
    const key = ordered(type, value);
    if (key === undefined) {
      if (zone.min !== null || zone.max !== null) found.push('bounds without an order');
    } else if (Number.isNaN(key)) {
      if (zone.nan !== true && !DataType.isDictionary(type)) found.push('an unmarked NaN');
    } else if (zone.min !== null && !atMost(zone.min, key)) found.push(`${String(value)} below ${String(zone.min)}`);
    else if (zone.max !== null && !atMost(key, zone.max)) found.push(`${String(value)} above ${String(zone.max)}`);
  }
  return found;
}

const column = (words: string, values: readonly unknown[]): Data =>
  buildColumn('c', parseType(words), values, values.length, 'the test');

describe('the zone map of a file', () => {
  test('bounds every value and counts every null, of every type, after being stored', async () => {
    await fc.assert(
      fc.asyncProperty(arbSource(), async ({ schema, batches, values }) => {
        const file = await openedFile(schema, batches);
        const found = schema.fields.flatMap(({ type }, at) =>
          batches.flatMap((_, batch) => breaches(type, file.index.zones[at]![batch]!, values[at]![batch]!)),
        );
        expect(found).toEqual([]);
      }),
      { numRuns: lawRuns(300, 10_000) },
    );
  });

  test('survives being stored, bit for bit', async () => {
    await fc.assert(
      fc.asyncProperty(arbSource(), async ({ schema, batches }) => {
        const file = await openedFile(schema, batches);
        const zones = schema.fields.map((_, at) => batches.map((batch) => zoneOf(batch.data.children[at]!)));
        expect(file.index.zones).toEqual(zones);
      }),
      { numRuns: lawRuns(100, 3000) },
    );
  });
});

describe('zoneOf', () => {
  test.each([
    ['int32', [3, null, -7, 5], { nulls: 1, min: -7, max: 5 }],
    ['int64', [2n ** 62n, -(2n ** 63n), null], { nulls: 1, min: -(2n ** 63n), max: 2n ** 62n }],
    ['uint64', [2n ** 64n - 1n, 2n ** 63n, 1n], { nulls: 0, min: 1n, max: 2n ** 64n - 1n }],
    ['bool', [true, null, true], { nulls: 1, min: true, max: true }],
    ['float64', [Number.NaN, 1, -2], { nulls: 0, min: -2, max: 1, nan: true }],
    ['float64', [Number.NaN], { nulls: 0, min: null, max: null, nan: true }],
    ['float16', [1, 2], { nulls: 0, min: null, max: null }],
    ['utf8', [null, null], { nulls: 2, min: null, max: null }],
    ['utf8', [], { nulls: 0, min: null, max: null }],
    [
      'decimal256(76, 1)',
      ['12345678901234567890123.4', '-0.1'],
      { nulls: 0, min: -1n, max: 123456789012345678901234n },
    ],
    ['utf8', ['b', 'é', 'ab'], { nulls: 0, min: bytes('ab'), max: bytes('é') }],
    ['dictionary<int8, utf8>', ['b', null, 'a'], { nulls: 1, min: bytes('a'), max: bytes('b') }],
    ['list<int32>', [[1], null], { nulls: 1, min: null, max: null }],
  ] as const)('of %s %o', (words, values, expected) => {
    expect(zoneOf(column(words, values))).toEqual(expected);
  });

  test('cuts long text to 32 bytes that still bound it', () => {
    const zone = zoneOf(column('utf8', ['m'.repeat(100), 'z'.repeat(33)]));
    expect(zone.min).toEqual(bytes('m'.repeat(boundBytes)));
    expect(zone.max).toEqual(bytes(`${'z'.repeat(boundBytes - 1)}{`));
  });

  test('has no upper bound where 32 bytes cannot give one', () => {
    const highest = new Uint8Array(40).fill(0xff);
    expect(zoneOf(column('binary', [highest])).max).toBe(null);
    const carried = Uint8Array.of(7, ...highest);
    expect(zoneOf(column('binary', [carried])).max).toEqual(Uint8Array.of(8));
    expect(zoneOf(column('binary', [highest.slice(0, 32)])).max).toEqual(highest.slice(0, 32));
  });

  test('counts the rows that point at a null of their dictionary', () => {
    const words = column('utf8', ['a', null]);
    const type = new Dictionary(new Utf8(), new Int8());
    const data = makeData({ type, data: Int8Array.of(1, 0, 1), dictionary: new Vector<Utf8>([words as Data<Utf8>]) });
    expect(valuesOf(data)).toEqual([null, 'a', null]);
    expect(zoneOf(data)).toEqual({ nulls: 2, min: bytes('a'), max: bytes('a') });
  });

  test('of a slice tells of the slice alone', () => {
    const schema = toSchema({ n: 'int64', b: 'bool', t: 'utf8' }, 'the test');
    const batch = batchOf(schema, [
      [100n, 2n, 1n, null, -5n],
      [true, false, false, null, true],
      ['z', 'c', 'b', null, 'a'],
    ]).slice(1, 4);
    expect(batch.data.children.map(zoneOf)).toEqual([
      { nulls: 1, min: 1n, max: 2n },
      { nulls: 1, min: false, max: false },
      { nulls: 1, min: bytes('b'), max: bytes('c') },
    ]);
  });
});

function bytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text));
}

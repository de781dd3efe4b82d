import { deepStrictEqual } from 'node:assert/strict';
import { DataType, type RecordBatch } from 'apache-arrow';
import fc from 'fast-check';
import { buildColumn, columnsToBatch } from '../../src/arrow/build.js';
import { formatDecimal, parseDecimal } from '../../src/arrow/decimal.js';
import { elementType } from '../../src/arrow/infer.js';
import { toSchema } from '../../src/arrow/schema.js';
import { parseType } from '../../src/arrow/words.js';

/** A column of values that `buildColumn` takes; `canonical` says what reading gives back. */
export interface ArbitraryColumn {
  readonly name: string;
  readonly type: DataType;
  readonly values: readonly unknown[];
}

const intWords = ['int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64'];
const plainWords = [
  ...intWords,
  ...['bool', 'float16', 'float32', 'float64', 'utf8', 'large_utf8', 'binary', 'large_binary', 'date32', 'date64'],
  ...['time32[s]', 'time32[ms]', 'time64[us]', 'time64[ns]'],
  ...['s', 'ms', 'us', 'ns'].flatMap((unit) => [`timestamp[${unit}]`, `timestamp[${unit}, UTC]`, `duration[${unit}]`]),
];
const maxMs = 8_640_000_000_000_000;
const dayMs = 86_400_000;

/** Words of any type without children, dictionaries aside. */
export const arbPlainWords: fc.Arbitrary<string> = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...plainWords) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 20 }).map((size) => `fixed_size_binary[${size}]`) },
  { weight: 2, arbitrary: arbDecimalWords() },
);

/** Words of any supported type, nested at most `depth` levels. */
export function arbWords(depth = 2): fc.Arbitrary<string> {
  return wordsWithin(depth, intWords);
}

/** `indices`: of dictionaries. Within lists there are more values than eight bits can count. */
function wordsWithin(depth: number, indices: readonly string[]): fc.Arbitrary<string> {
  const dictionary = fc
    .tuple(fc.constantFrom(...indices), arbPlainWords)
    .map(([index, value]) => `dictionary<${index}, ${value}>`);
  if (depth === 0) return fc.oneof({ weight: 5, arbitrary: arbPlainWords }, { weight: 1, arbitrary: dictionary });
  const wide = indices.filter((index) => !index.endsWith('int8'));
  const inner = wordsWithin(depth - 1, wide);
  const field = fc.tuple(fc.constantFrom('a', 'b', 'c', '"a b"', '__proto__', 'constructor', 'é'), inner);
  return fc.oneof(
    { weight: 4, arbitrary: wordsWithin(0, indices) },
    { weight: 1, arbitrary: inner.map((words) => `list<${words}>`) },
    {
      weight: 1,
      arbitrary: fc.tuple(inner, fc.integer({ min: 1, max: 4 })).map(([w, n]) => `fixed_size_list<${w}>[${n}]`),
    },
    {
      weight: 1,
      arbitrary: fc
        .uniqueArray(field, { minLength: 1, maxLength: 3, selector: ([name]) => name })
        .map((fields) => `struct<{${fields.map(([name, words]) => `${name}: ${words}`).join(', ')}}>`),
    },
  );
}

/** Any supported type, nested at most `depth` levels. */
export function arbType(depth = 2): fc.Arbitrary<DataType> {
  return arbWords(depth).map((words) => parseType(words));
}

/** A value that a column of `type` takes, in any of its forms, null included (also inside). */
export function arbValue(type: DataType): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 1, arbitrary: fc.constantFrom(null, undefined) }, { weight: 6, arbitrary: arbSound(type) });
}

/** A column of any type with up to `rowsMax` rows. */
export function arbColumn(options: { depth?: number; rowsMax?: number } = {}): fc.Arbitrary<ArbitraryColumn> {
  return arbType(options.depth).chain((type) =>
    arbValues(type, options.rowsMax).map((values) => ({ name: 'x', type, values })),
  );
}

/** Rows for a column of `type`: some columns without any null, as most are in life; those of dictionaries repeat. */
export function arbValues(type: DataType, rowsMax = 20): fc.Arbitrary<readonly unknown[]> {
  if (DataType.isDictionary(type)) {
    return fc
      .array(arbValue(type), { minLength: 1, maxLength: 4 })
      .chain((few) => fc.array(fc.constantFrom(...few), { maxLength: rowsMax }));
  }
  return fc.oneof(fc.array(arbValue(type), { maxLength: rowsMax }), fc.array(arbSound(type), { maxLength: rowsMax }));
}

/** A record batch of one to four columns, `c0` to `c3`, and the rows it holds. */
export function arbBatch(options: { depth?: number; rowsMax?: number } = {}): fc.Arbitrary<{
  batch: RecordBatch;
  rows: Record<string, unknown>[];
}> {
  const { depth = 1, rowsMax = 20 } = options;
  return fc
    .tuple(fc.array(arbWords(depth), { minLength: 1, maxLength: 4 }), fc.nat(rowsMax))
    .chain(([words, length]) => {
      const schema = toSchema(
        words.map((type, column) => [`c${column}`, type] as const),
        'an arbitrary batch',
      );
      const columns = schema.fields.map(({ type }) =>
        fc.array(arbValue(type), { minLength: length, maxLength: length }),
      );
      return fc.tuple(...columns).map((values) => {
        const built = schema.fields.map((field, at) => [
          field.name,
          buildColumn(field.name, field.type, values[at]!, length, 'an arbitrary batch'),
        ]);
        const batch = columnsToBatch(Object.fromEntries(built), schema);
        const rows = Array.from({ length }, (_, row) =>
          Object.fromEntries(schema.fields.map(({ name, type }, at) => [name, canonical(type, values[at]![row])])),
        );
        return { batch, rows };
      });
    });
}

/** What reading gives back for a `value` that was built into a column of `type`. */
export function canonical(type: DataType, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (DataType.isDictionary(type)) return canonical(type.dictionary, value);
  if (DataType.isDuration(type)) return BigInt(value as number);
  if (DataType.isInt(type) || DataType.isTime(type))
    return type.bitWidth === 64 ? BigInt(value as number) : Number(value) + 0;
  if (DataType.isFloat(type)) return type.precision === 1 ? Math.fround(value as number) : value;
  if (DataType.isDate(type))
    return new Date(typeof value === 'bigint' && type.unit === 0 ? Number(value) * dayMs : Number(value));
  if (DataType.isTimestamp(type)) return canonicalTimestamp(type.unit, value);
  if (DataType.isDecimal(type)) return formatDecimal(parseDecimal(String(value), type.scale) as bigint, type.scale);
  if (DataType.isFixedSizeBinary(type) || DataType.isBinary(type) || DataType.isLargeBinary(type)) {
    return Uint8Array.from(value as Uint8Array);
  }
  if (DataType.isStruct(type)) {
    const struct = new Map(Object.entries(value as object));
    return Object.fromEntries(type.children.map(({ name, type }) => [name, canonical(type, struct.get(name))]));
  }
  if (!DataType.isList(type) && !DataType.isFixedSizeList(type)) return value;
  const element = type.valueType as DataType;
  const list = Array.from(value as ArrayLike<unknown>, (inner) => canonical(element, inner));
  if ((!DataType.isInt(element) && !DataType.isFloat(element)) || list.includes(null)) return list;
  const array = DataType.isFloat(element) && element.precision === 0 ? Float32Array : element.ArrayType;
  return (array as { from(values: unknown[]): unknown }).from(list);
}

/** That values are the same to the last bit: -0 is not 0, NaN is NaN, arrays and typed arrays differ. */
export function expectSameValues(actual: unknown, expected: unknown): void {
  // Not vitest's toStrictEqual, which takes a field named `constructor` for the class.
  deepStrictEqual(actual, expected);
}

function canonicalTimestamp(unit: number, value: unknown): unknown {
  if (unit > 1) return typeof value === 'bigint' ? value : BigInt(Number(value)) * 1000n ** BigInt(unit - 1);
  return new Date(typeof value === 'bigint' ? Number(value) * (unit === 0 ? 1000 : 1) : Number(value));
}

function arbDecimalWords(): fc.Arbitrary<string> {
  return fc
    .constantFrom([128, 38] as const, [256, 76] as const)
    .chain(([bits, most]) => fc.tuple(fc.constant(bits), fc.integer({ min: 1, max: most })))
    .chain(([bits, precision]) =>
      fc.integer({ min: -3, max: precision }).map((scale) => `decimal${bits}(${precision}, ${scale})`),
    );
}

function arbSound(type: DataType): fc.Arbitrary<unknown> {
  if (DataType.isDictionary(type)) return arbSound(type.dictionary);
  if (DataType.isList(type)) return arbList(type.valueType, { maxLength: 5 });
  if (DataType.isFixedSizeList(type)) {
    return arbList(type.valueType, { minLength: type.listSize, maxLength: type.listSize });
  }
  if (DataType.isStruct(type)) return arbStruct(type.children);
  if (DataType.isBool(type)) return fc.boolean();
  if (DataType.isInt(type)) return arbInt(type.bitWidth, type.isSigned);
  if (DataType.isDuration(type)) return arbInt(64, true);
  if (DataType.isTime(type)) return arbTime(type.unit);
  if (DataType.isFloat(type)) return arbFloat(type.precision);
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type)) return arbText;
  if (DataType.isFixedSizeBinary(type)) return arbBytes(type.byteWidth, type.byteWidth);
  if (DataType.isDecimal(type)) return arbDecimal(type.precision, type.scale);
  if (DataType.isDate(type)) return type.unit === 0 ? arbDay : arbMs;
  if (DataType.isTimestamp(type)) return arbTimestamp(type.unit);
  return arbBytes(0, 12);
}

const arbText: fc.Arbitrary<string> = fc.oneof(
  fc.string({ maxLength: 12, unit: 'binary' }).filter((text) => !/\p{Surrogate}/u.test(text)),
  fc.constantFrom(
    '',
    'a',
    'née',
    '\u{1f600}',
    '\u{10ffff}',
    '\ufeffbom',
    '\0',
    '漢字',
    'x'.repeat(300),
    '\u{1f600}'.repeat(40),
  ),
);
const arbMs: fc.Arbitrary<unknown> = fc
  .oneof(fc.integer({ min: -maxMs, max: maxMs }), fc.constantFrom(0, -1, 1, maxMs, -maxMs))
  .chain((ms) => fc.constantFrom<unknown>(new Date(ms), ms, BigInt(ms)));
const arbDay: fc.Arbitrary<unknown> = fc
  .oneof(fc.integer({ min: -100_000_000, max: 100_000_000 }), fc.constantFrom(0, -1, 19_000))
  .chain((day) => fc.constantFrom<unknown>(new Date(day * dayMs), day * dayMs, BigInt(day)));

function arbInt(bits: number, isSigned: boolean): fc.Arbitrary<unknown> {
  const min = isSigned ? -(2n ** BigInt(bits - 1)) : 0n;
  const max = 2n ** BigInt(isSigned ? bits - 1 : bits) - 1n;
  return fc
    .oneof(fc.bigInt({ min, max }), fc.constantFrom(min, max, 0n, 1n, isSigned ? -1n : 2n))
    .chain((value) =>
      Number.isSafeInteger(Number(value)) ? fc.constantFrom<unknown>(value, Number(value)) : fc.constant(value),
    );
}

function arbTime(unit: number): fc.Arbitrary<unknown> {
  const max = 86_400 * 1000 ** unit - 1;
  const time = fc.oneof(fc.integer({ min: 0, max }), fc.constantFrom(0, max));
  return time.chain((value) => fc.constantFrom<unknown>(value, BigInt(value)));
}

function arbTimestamp(unit: number): fc.Arbitrary<unknown> {
  if (unit === 1) return arbMs;
  if (unit > 1) {
    const most = unit === 2 ? maxMs : 9_000_000_000_000; // a Date is exact in ns until 2255
    const dates = fc.integer({ min: -most, max: most }).chain((ms) => fc.constantFrom<unknown>(new Date(ms), ms));
    return fc.oneof(dates, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));
  }
  return fc
    .integer({ min: -maxMs / 1000, max: maxMs / 1000 })
    .chain((s) => fc.constantFrom<unknown>(new Date(s * 1000), s * 1000, BigInt(s)));
}

function arbFloat(precision: number): fc.Arbitrary<number> {
  const edges = fc.constantFrom(0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1, -1.5);
  if (precision === 2) return fc.oneof(fc.double(), edges);
  if (precision === 1) return fc.oneof(fc.float(), fc.double({ min: -1e38, max: 1e38 }), edges);
  return fc.oneof(fc.integer({ min: 0, max: 0xffff }).map(halfOf), edges);
}

/** The half-precision number with these bits, worked out apart from the code under test. */
function halfOf(bits: number): number {
  const view = new DataView(new ArrayBuffer(4));
  const exponent = (bits >> 10) & 0x1f;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 0) return sign * (bits & 0x3ff) * 2 ** -24;
  // One NaN for all: the comparison of typed arrays is by bits.
  if (exponent === 0x1f) return (bits & 0x3ff) === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  view.setUint32(0, ((bits & 0x8000) << 16) | ((exponent + 112) << 23) | ((bits & 0x3ff) << 13));
  return view.getFloat32(0);
}

function arbBytes(minLength: number, maxLength: number): fc.Arbitrary<Uint8Array> {
  const bytes = fc.uint8Array({ minLength, maxLength });
  return fc.oneof(
    bytes,
    bytes.map((array) => Buffer.from(array)),
  );
}

function arbDecimal(precision: number, scale: number): fc.Arbitrary<unknown> {
  const most = 10n ** BigInt(precision) - 1n;
  const unscaled = fc.oneof(fc.bigInt({ min: -most, max: most }), fc.constantFrom(0n, most, -most, 1n, -1n));
  const text = unscaled.map((value) => formatDecimal(value, scale));
  return text.chain((value) =>
    value.includes('.') ? fc.constant(value) : fc.constantFrom<unknown>(value, BigInt(value)),
  );
}

function arbList(element: DataType, lengths: { minLength?: number; maxLength: number }): fc.Arbitrary<unknown> {
  const lists = fc.array(arbValue(element), lengths);
  const sound = fc.array(arbSound(element), lengths);
  const array = DataType.isInt(element) || DataType.isFloat(element) ? element.ArrayType : undefined;
  if (array === undefined || elementType(new array(0))?.typeId !== element.typeId) return fc.oneof(lists, sound);
  const typed = sound.map((list) => canonicalArray(element, list));
  return fc.oneof(lists, sound, typed);
}

function canonicalArray(element: DataType, list: readonly unknown[]): unknown {
  const values = list.map((value) => canonical(element, value));
  if (DataType.isFloat(element) && element.precision === 0) return Float32Array.from(values as number[]);
  return (element.ArrayType as { from(values: unknown[]): unknown }).from(values);
}

function arbStruct(fields: readonly { name: string; type: DataType }[]): fc.Arbitrary<unknown> {
  return fc.tuple(...fields.map((field) => fc.option(arbValue(field.type), { freq: 6, nil: 'absent' }))).map((values) =>
    Object.fromEntries(
      // Keys that are absent read as null; entries rather than assignment, for __proto__.
      fields.map((field, at) => [field.name, values[at]] as const).filter(([, value]) => value !== 'absent'),
    ),
  );
}

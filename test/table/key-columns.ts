import {
  Binary,
  Bool,
  Data,
  type DataType,
  DateDay,
  DateMillisecond,
  Decimal,
  DurationMicrosecond,
  FixedSizeBinary,
  Float16,
  Float32,
  Float64,
  Int8,
  Int16,
  Int32,
  Int64,
  LargeBinary,
  LargeUtf8,
  TimeMicrosecond,
  TimeMillisecond,
  TimeNanosecond,
  TimeSecond,
  TimestampMicrosecond,
  TimestampMillisecond,
  TimestampNanosecond,
  TimestampSecond,
  Uint8,
  Uint16,
  Uint32,
  Uint64,
  Utf8,
  Vector,
} from 'apache-arrow';
import fc from 'fast-check';
import { type EncodedKeys, encodeKeys } from '../../src/table/key-codec.js';

/** A key type, values as they are stored, and what a reader thinks of them. */
export interface Column<V> {
  readonly name: string;
  readonly type: DataType;
  readonly arb: fc.Arbitrary<V>;
  readonly build: (values: readonly V[]) => Data;
  readonly compare: (a: V, b: V) => number;
  /** The JS value that a key decodes to. */
  readonly decoded: (stored: V) => unknown;
}

/** A {@link Column} of whatever values. */
export type AnyColumn = Column<unknown>;

const column = <V>(spec: Omit<Column<V>, 'name'>): AnyColumn =>
  ({ name: String(spec.type), ...spec }) as unknown as AnyColumn;
const same = <V>(value: V): V => value;
const order = <V extends number | bigint | boolean>(a: V, b: V): number => (a < b ? -1 : a > b ? 1 : 0);
/** NaN above all and equal to itself. */
const floatOrder = (a: number, b: number): number =>
  Number.isNaN(a) || Number.isNaN(b) ? Number(Number.isNaN(a)) - Number(Number.isNaN(b)) : order(a, b);
const byteOrder = (a: Uint8Array, b: Uint8Array): number => Buffer.compare(a, b);
const codePointOrder = (a: string, b: string): number => {
  const left = Array.from(a, (char) => char.codePointAt(0)!);
  const right = Array.from(b, (char) => char.codePointAt(0)!);
  for (let at = 0; at < Math.min(left.length, right.length); at++) {
    if (left[at] !== right[at]) return left[at]! - right[at]!;
  }
  return left.length - right.length;
};

type Stored = ArrayLike<number> | ArrayLike<bigint>;
/** A column of `length` rows without nulls. */
export function plain(type: DataType, length: number, values: Stored, offsets?: Stored): Data {
  return new Data(type, 0, length, 0, [offsets as never, values]);
}

function ofInts(type: DataType, make: (values: readonly number[]) => Stored, arb: fc.Arbitrary<number>): AnyColumn {
  return column<number>({
    type,
    arb,
    build: (values) => plain(type, values.length, make(values)),
    compare: order,
    decoded: same,
  });
}

function ofBigInts(type: DataType, decoded: (stored: bigint) => unknown = same, signed = true): AnyColumn {
  const limits = signed ? { min: -(2n ** 63n), max: 2n ** 63n - 1n } : { min: 0n, max: 2n ** 64n - 1n };
  const near = [
    limits.min,
    limits.max,
    0n,
    1n,
    2n ** 32n,
    2n ** 32n - 1n,
    ...(signed ? [-1n, -(2n ** 32n)] : [2n ** 63n]),
  ];
  return column<bigint>({
    type,
    arb: fc.oneof(fc.bigInt(limits), fc.constantFrom(...near), fc.bigInt({ min: 0n, max: 3n })),
    build: (values) => plain(type, values.length, signed ? BigInt64Array.from(values) : BigUint64Array.from(values)),
    compare: order,
    decoded,
  });
}

const asDate = (ms: bigint, unit: bigint): Date | bigint =>
  ms >= -8_640_000_000_000_000n && ms <= 8_640_000_000_000_000n ? new Date(Number(ms)) : unit;

function ofDecimals(scale: number, precision: number, bits: number): AnyColumn {
  const type = new Decimal(scale, precision, bits);
  const max = 10n ** BigInt(precision) - 1n;
  return column<bigint>({
    type,
    arb: fc.oneof(fc.bigInt({ min: -max, max }), fc.bigInt({ min: -12n, max: 12n })),
    build: (values) => {
      const words = values.flatMap((value) =>
        Array.from({ length: bits / 32 }, (_, word) => Number(BigInt.asUintN(32, value >> BigInt(32 * word)))),
      );
      return plain(type, values.length, Uint32Array.from(words));
    },
    compare: order,
    decoded: (value) => {
      const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0');
      const point = digits.length - scale;
      return `${value < 0n ? '-' : ''}${digits.slice(0, point)}${scale > 0 ? `.${digits.slice(point)}` : ''}`;
    },
  });
}

function ofBytes<V>(
  type: DataType,
  arb: fc.Arbitrary<V>,
  raw: (value: V) => Uint8Array,
  compare: (a: V, b: V) => number,
  large: boolean,
): AnyColumn {
  return column<V>({
    type,
    arb,
    compare,
    decoded: same,
    build: (values) => {
      const parts = values.map(raw);
      const offsets = [0];
      for (const part of parts) offsets.push(offsets.at(-1)! + part.length);
      const starts = large ? BigInt64Array.from(offsets, BigInt) : Int32Array.from(offsets);
      return plain(type, values.length, Uint8Array.from(Buffer.concat(parts)), starts);
    },
  });
}

const floats = (arb: fc.Arbitrary<number>): fc.Arbitrary<number> =>
  fc.oneof(arb, fc.constantFrom(0, -0, Number.NaN, Infinity, -Infinity, 1, -1), fc.integer({ min: -3, max: 3 }));
const canonical = (value: number): number => (value === 0 ? 0 : value);
/** The half whose bits are `bits`, by apache-arrow. */
const half = (bits: number): number => new Vector([plain(new Float16(), 1, Uint16Array.of(bits))]).get(0) as number;
const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({ unit: fc.constantFrom('\0', '\u0001', 'a', 'ÿ', '\uFEFF', '\uFFFD', '😀'), maxLength: 4 }),
  fc.string({ unit: 'grapheme', minLength: 20, maxLength: 90 }).map((text) => `a common prefix ${text}`),
);
const blobs = fc.oneof(
  fc.uint8Array({ maxLength: 12 }),
  fc.array(fc.constantFrom(0, 1, 254, 255), { maxLength: 5 }).map((bytes) => Uint8Array.from(bytes)),
  fc.uint8Array({ minLength: 60, maxLength: 140 }),
);
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const fixed: FixedSizeBinary = new FixedSizeBinary(5);

/** Every key type, with values near its edges. */
export const columns: readonly AnyColumn[] = [
  column<boolean>({
    type: new Bool(),
    arb: fc.boolean(),
    build: (values) => {
      const bits = new Uint8Array(Math.ceil(values.length / 8));
      values.forEach((value, at) => {
        if (value) bits[at >> 3]! |= 1 << (at & 7);
      });
      return plain(new Bool(), values.length, bits);
    },
    compare: order,
    decoded: same,
  }),
  ofInts(new Int8(), (v) => Int8Array.from(v), fc.integer({ min: -128, max: 127 })),
  ofInts(new Int16(), (v) => Int16Array.from(v), fc.integer({ min: -32768, max: 32767 })),
  ofInts(new Int32(), (v) => Int32Array.from(v), fc.integer()),
  ofInts(new Uint8(), (v) => Uint8Array.from(v), fc.integer({ min: 0, max: 255 })),
  ofInts(new Uint16(), (v) => Uint16Array.from(v), fc.integer({ min: 0, max: 65535 })),
  ofInts(new Uint32(), (v) => Uint32Array.from(v), fc.integer({ min: 0, max: 2 ** 32 - 1 })),
  ofBigInts(new Int64()),
  ofBigInts(new Uint64(), same, false),
  column<number>({
    type: new Float16(),
    arb: fc.integer({ min: 0, max: 65535 }),
    build: (values) => plain(new Float16(), values.length, Uint16Array.from(values)),
    compare: (a, b) => floatOrder(half(a), half(b)),
    decoded: (bits) => canonical(half(bits)),
  }),
  column<number>({
    type: new Float32(),
    arb: floats(fc.float()),
    build: (values) => plain(new Float32(), values.length, Float32Array.from(values)),
    compare: floatOrder,
    decoded: canonical,
  }),
  column<number>({
    type: new Float64(),
    arb: floats(fc.double()),
    build: (values) => plain(new Float64(), values.length, Float64Array.from(values)),
    compare: floatOrder,
    decoded: canonical,
  }),
  ofBytes(new Utf8(), texts, utf8, codePointOrder, false),
  ofBytes(new LargeUtf8(), texts, utf8, codePointOrder, true),
  ofBytes(new Binary(), blobs, same, byteOrder, false),
  ofBytes(new LargeBinary(), blobs, same, byteOrder, true),
  column<Uint8Array>({
    type: fixed,
    arb: fc.uint8Array({ minLength: 5, maxLength: 5 }),
    build: (values) => plain(fixed, values.length, Uint8Array.from(Buffer.concat(values))),
    compare: byteOrder,
    decoded: same,
  }),
  column<number>({
    type: new DateDay(),
    arb: fc.oneof(fc.integer(), fc.integer({ min: -30000, max: 30000 })),
    build: (values) => plain(new DateDay(), values.length, Int32Array.from(values)),
    compare: order,
    decoded: (days) => asDate(BigInt(days) * 86_400_000n, BigInt(days)),
  }),
  ofBigInts(new DateMillisecond(), (ms) => asDate(ms, ms)),
  ofInts(new TimeSecond(), (v) => Int32Array.from(v), fc.integer({ min: 0, max: 86_399 })),
  ofInts(new TimeMillisecond(), (v) => Int32Array.from(v), fc.integer({ min: 0, max: 86_399_999 })),
  ofBigInts(new TimeMicrosecond()),
  ofBigInts(new TimeNanosecond()),
  ofBigInts(new TimestampSecond(), (s) => asDate(s * 1000n, s)),
  ofBigInts(new TimestampMillisecond('UTC'), (ms) => asDate(ms, ms)),
  ofBigInts(new TimestampMicrosecond('UTC')),
  ofBigInts(new TimestampNanosecond()),
  ofBigInts(new DurationMicrosecond()),
  ofDecimals(2, 38, 128),
  ofDecimals(0, 12, 128),
  ofDecimals(10, 76, 256),
];

export const sign: (value: number) => number = Math.sign;

/** Rows of 1 to 3 columns, drawn from few values each, so that ties and duplicates are common. */
export const arbRows: fc.Arbitrary<{ chosen: AnyColumn[]; rows: unknown[][] }> = fc
  .array(fc.constantFrom(...columns), { minLength: 1, maxLength: 3 })
  .chain((chosen) =>
    fc.record({
      chosen: fc.constant(chosen),
      pools: fc.tuple(...chosen.map((each) => fc.array(each.arb, { minLength: 1, maxLength: 6 }))),
      picks: fc.array(fc.array(fc.nat({ max: 60 }), { minLength: 3, maxLength: 3 }), { minLength: 1, maxLength: 90 }),
    }),
  )
  .map(({ chosen, pools, picks }) => ({
    chosen,
    rows: picks.map((pick) => chosen.map((_, at) => pools[at]![pick[at]! % pools[at]!.length])),
  }));

export const namesOf: (chosen: readonly AnyColumn[]) => string[] = (chosen: readonly AnyColumn[]): string[] =>
  chosen.map((_, at) => `k${at}`);
export const typesOf: (chosen: readonly AnyColumn[]) => DataType[] = (chosen: readonly AnyColumn[]): DataType[] =>
  chosen.map((each) => each.type);

export function encoded(chosen: readonly AnyColumn[], rows: readonly (readonly unknown[])[]): EncodedKeys {
  return encodeKeys(
    chosen.map((each, at) => each.build(rows.map((row) => row[at]))),
    namesOf(chosen),
  );
}

export function compareRows(chosen: readonly AnyColumn[], a: readonly unknown[], b: readonly unknown[]): number {
  for (let at = 0; at < chosen.length; at++) {
    const difference = chosen[at]!.compare(a[at], b[at]);
    if (difference !== 0) return sign(difference);
  }
  return 0;
}

/** The order that `Array.prototype.sort` gives, which is stable. */
export function plainOrder(chosen: readonly AnyColumn[], rows: readonly (readonly unknown[])[]): number[] {
  return rows.map((_, row) => row).sort((a, b) => compareRows(chosen, rows[a]!, rows[b]!));
}

/** A column of int64. */
export function int64(values: readonly bigint[]): Data {
  return plain(new Int64(), values.length, BigInt64Array.from(values));
}

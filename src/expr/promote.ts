import {
  DataType,
  type Decimal,
  type Dictionary,
  Duration,
  Float16,
  Float32,
  Float64,
  Int8,
  Int16,
  Int32,
  Int64,
  LargeBinary,
  LargeUtf8,
  Time,
  Timestamp,
  type TimeUnit,
  Type,
  Uint8,
  Uint16,
  Uint32,
  Uint64,
} from 'apache-arrow';
import { sameType } from '../arrow/schema.js';
import { parseType } from '../arrow/words.js';

/** What kind of values a type holds, whatever their width. */
export type TypeClass =
  | 'null'
  | 'bool'
  | 'int'
  | 'float'
  | 'decimal'
  | 'text'
  | 'binary'
  | 'date'
  | 'time'
  | 'timestamp'
  | 'duration'
  | 'list'
  | 'struct'
  | 'other';

/** The class of `type`, for a dictionary that of its values. */
export function classOf(type: DataType): TypeClass {
  switch (type.typeId) {
    case Type.Null:
      return 'null';
    case Type.Bool:
      return 'bool';
    case Type.Int:
      return 'int';
    case Type.Float:
      return 'float';
    case Type.Decimal:
      return 'decimal';
    case Type.Utf8:
    case Type.LargeUtf8:
      return 'text';
    case Type.Binary:
    case Type.LargeBinary:
    case Type.FixedSizeBinary:
      return 'binary';
    case Type.Date:
      return 'date';
    case Type.Time:
      return 'time';
    case Type.Timestamp:
      return 'timestamp';
    case Type.Duration:
      return 'duration';
    case Type.List:
    case Type.FixedSizeList:
      return 'list';
    case Type.Struct:
      return 'struct';
    case Type.Dictionary:
      return classOf((type as Dictionary).dictionary);
    default:
      return 'other';
  }
}

/** The type of the values of a dictionary; any other type as it is. */
export function plainType(type: DataType): DataType {
  return DataType.isDictionary(type) ? plainType(type.dictionary) : type;
}

interface IntLike {
  readonly bitWidth: number;
  readonly isSigned: boolean;
}

/**
 * The type that values of `a` and of `b` share; undefined where there is none. No digit of either is lost, but for integers
 * of 64 bits and decimals that meet floats.
 *
 * | with | gives |
 * | --- | --- |
 * | integers, both signed or both not | the wider |
 * | a signed and an unsigned integer | the least signed one that holds both; none for uint64 |
 * | integers up to 16 bits and float16, float32 | float32 |
 * | other integers and floats, floats and decimals | float64 |
 * | floats | the wider |
 * | decimals, decimals and integers | a decimal that holds both, of 256 bits where 38 digits are too few; none beyond 76 |
 * | text, binary | the large form where one is; fixed_size_binary of one width stays |
 * | timestamps | the finer unit; none for one with a time zone and one without |
 * | times, durations | the finer unit |
 * | dates | date64 where one is |
 * | a date and a timestamp without a zone | the timestamp, at least of milliseconds for date64 |
 */
export function commonType(left: DataType, right: DataType): DataType | undefined {
  const [a, b] = [plainType(left), plainType(right)];
  if (DataType.isNull(a)) return b;
  if (DataType.isNull(b) || sameType(a, b)) return a;
  const [of, and] = [classOf(a), classOf(b)];
  if (of !== and) return mixedType(a, of, b, and) ?? mixedType(b, and, a, of);
  switch (of) {
    case 'int':
      return commonInt(a as DataType & IntLike, b as DataType & IntLike);
    case 'float':
      return floatRank(a) > floatRank(b) ? a : b;
    case 'decimal':
      return commonDecimal(a as Decimal, b as Decimal);
    case 'text':
      return new LargeUtf8();
    case 'binary':
      return DataType.isLargeBinary(a) || DataType.isLargeBinary(b) ? new LargeBinary() : parseType('binary');
    case 'timestamp':
      return commonTimestamp(a as Timestamp, b as Timestamp);
    case 'time':
      return timeType(Math.max((a as Time).unit, (b as Time).unit));
    case 'duration':
      return new Duration(Math.max((a as Duration).unit, (b as Duration).unit) as TimeUnit);
    case 'date':
      return parseType('date64');
    default:
      return undefined;
  }
}

/** Numbers whose every value a double holds: they are compared as doubles. */
export function isNarrow(type: DataType): boolean {
  return DataType.isFloat(type) || (DataType.isInt(type) && type.bitWidth < 64);
}

/** Where a float stands among floats: 0 is float16, 2 float64. */
export function floatRank(type: DataType): number {
  return (type as DataType & { precision: number }).precision;
}

/** The integer type of `bits` bits. */
export function intType(bits: number, isSigned: boolean): DataType {
  if (bits <= 8) return isSigned ? new Int8() : new Uint8();
  if (bits <= 16) return isSigned ? new Int16() : new Uint16();
  if (bits <= 32) return isSigned ? new Int32() : new Uint32();
  return isSigned ? new Int64() : new Uint64();
}

function commonInt(a: DataType & IntLike, b: DataType & IntLike): DataType | undefined {
  if (a.isSigned === b.isSigned) return a.bitWidth > b.bitWidth ? a : b;
  const [signed, unsigned] = a.isSigned ? [a, b] : [b, a];
  const bits = Math.max(signed.bitWidth, unsigned.bitWidth * 2);
  return bits > 64 ? undefined : intType(bits, true);
}

function mixedType(a: DataType, of: TypeClass, b: DataType, and: TypeClass): DataType | undefined {
  if (of === 'int' && and === 'float') {
    if ((a as DataType & IntLike).bitWidth > 16 || floatRank(b) === 2) return new Float64();
    return new Float32();
  }
  if (of === 'decimal' && and === 'float') return new Float64();
  if (of === 'int' && and === 'decimal') {
    return commonDecimal({ scale: 0, precision: intDigits(a as DataType & IntLike) }, b as Decimal);
  }
  if (of === 'date' && and === 'timestamp' && !(b as Timestamp).timezone) {
    return new Timestamp(Math.max((b as Timestamp).unit, (a as DataType & { unit: number }).unit) as TimeUnit);
  }
  return undefined;
}

/** Digits of the largest value of an integer type. */
export function intDigits({ bitWidth, isSigned }: IntLike): number {
  return String(2n ** BigInt(isSigned ? bitWidth - 1 : bitWidth)).length;
}

function commonDecimal(
  a: { readonly scale: number; readonly precision: number },
  b: { readonly scale: number; readonly precision: number },
): DataType | undefined {
  const scale = Math.max(a.scale, b.scale);
  return decimalType(Math.max(a.precision - a.scale, b.precision - b.scale) + scale, scale);
}

/** The decimal of so many digits, of 128 bits where they suffice; undefined beyond 76. */
export function decimalType(precision: number, scale: number): DataType | undefined {
  if (precision > 76 || scale > 76) return undefined;
  const digits = Math.max(precision, scale, 1);
  return parseType(`decimal${digits > 38 ? 256 : 128}(${digits}, ${scale})`);
}

function commonTimestamp(a: Timestamp, b: Timestamp): DataType | undefined {
  if (!a.timezone !== !b.timezone) return undefined;
  return new Timestamp(
    Math.max(a.unit, b.unit) as TimeUnit,
    a.timezone === b.timezone || b.timezone === null ? a.timezone : 'UTC',
  );
}

function timeType(unit: number): DataType {
  return new Time(unit as TimeUnit, (unit < 2 ? 32 : 64) as never) as DataType;
}

/** The float that a number of `type` is computed in: float32 for float16. */
export function computedFloat(type: DataType): DataType {
  return DataType.isFloat(type) && type instanceof Float16 ? new Float32() : type;
}

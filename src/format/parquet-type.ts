import {
  Binary,
  Bool,
  type DataType,
  DateDay,
  Decimal,
  FixedSizeBinary,
  Float16,
  Float32,
  Float64,
  Int8,
  Int16,
  Int32,
  Int64,
  Time,
  Timestamp,
  TimeUnit,
  Uint8,
  Uint16,
  Uint32,
  Uint64,
  Utf8,
} from 'apache-arrow';
import type { SchemaElement } from 'hyparquet';
import { SpiralError } from '../core/errors.js';

/** Digits of the widest decimal. */
const precisionMax = 76;

const units = { MILLIS: TimeUnit.MILLISECOND, MICROS: TimeUnit.MICROSECOND, NANOS: TimeUnit.NANOSECOND };
const signed: ReadonlyMap<number, () => DataType> = new Map<number, () => DataType>([
  [8, () => new Int8()],
  [16, () => new Int16()],
  [32, () => new Int32()],
  [64, () => new Int64()],
]);
const unsigned: ReadonlyMap<number, () => DataType> = new Map<number, () => DataType>([
  [8, () => new Uint8()],
  [16, () => new Uint16()],
  [32, () => new Uint32()],
  [64, () => new Uint64()],
]);

/**
 * The Arrow type of a Parquet leaf. What Arrow has no type for has that of its bytes: JSON and enums are text; BSON, variants
 * and geometries (WKB) binary; UUIDs and intervals fixed-size binary. INT96 is a time in microseconds, as engines read it.
 *
 * @throws SpiralError `unsupported_type` for decimals of more than 76 digits and for fixed-size binary of no bytes.
 */
export function parquetType(element: SchemaElement, column: string, where: string): DataType {
  const refuse = (what: string): SpiralError =>
    new SpiralError(
      'unsupported_type',
      `Column '${column}' of ${where} is ${what}, which is not supported. Leave it out.`,
      {
        details: { file: where, column, type: what },
      },
    );
  if (isDecimal(element)) return decimalType(element, refuse);
  switch (element.type) {
    case 'BOOLEAN':
      return new Bool();
    case 'INT32':
      return int32Type(element);
    case 'INT64':
      return int64Type(element);
    case 'INT96':
      return new Timestamp(TimeUnit.MICROSECOND, null);
    case 'FLOAT':
      return new Float32();
    case 'DOUBLE':
      return new Float64();
    case 'BYTE_ARRAY':
      return isText(element) ? new Utf8() : new Binary();
    case 'FIXED_LEN_BYTE_ARRAY': {
      const width = element.type_length ?? 0;
      if (width < 1) throw refuse(`fixed-size binary of ${width} bytes`);
      return element.logical_type?.type === 'FLOAT16' && width === 2 ? new Float16() : new FixedSizeBinary(width);
    }
    default:
      throw refuse(`of the physical type ${element.type}`);
  }
}

export function isDecimal({ converted_type: converted, logical_type: logical }: SchemaElement): boolean {
  return converted === 'DECIMAL' || logical?.type === 'DECIMAL';
}

function decimalType(element: SchemaElement, refuse: (what: string) => SpiralError): DataType {
  const logical = element.logical_type;
  const [precision, scale] =
    logical?.type === 'DECIMAL' ? [logical.precision, logical.scale] : [element.precision, element.scale];
  const digits = precision ?? 0;
  if (!(digits >= 1 && digits <= precisionMax)) throw refuse(`a decimal of ${digits} digits`);
  return new Decimal(scale ?? 0, digits, digits <= 38 ? 128 : 256);
}

function isText({ converted_type: converted, logical_type: logical }: SchemaElement): boolean {
  if (converted === 'UTF8' || converted === 'ENUM' || converted === 'JSON') return true;
  return logical?.type === 'STRING' || logical?.type === 'ENUM' || logical?.type === 'JSON';
}

function int32Type({ converted_type: converted, logical_type: logical }: SchemaElement): DataType {
  if (converted === 'DATE' || logical?.type === 'DATE') return new DateDay();
  if (converted === 'TIME_MILLIS' || (logical?.type === 'TIME' && logical.unit === 'MILLIS')) {
    return new Time(TimeUnit.MILLISECOND, 32);
  }
  const [bits, isSigned] = integerOf(converted, logical);
  return ((isSigned ? signed : unsigned).get(Math.min(bits, 32)) ?? signed.get(32)!)();
}

function int64Type({ converted_type: converted, logical_type: logical }: SchemaElement): DataType {
  if (logical?.type === 'TIMESTAMP') return new Timestamp(units[logical.unit], logical.isAdjustedToUTC ? 'UTC' : null);
  // The older annotations always mean UTC.
  if (converted === 'TIMESTAMP_MILLIS') return new Timestamp(TimeUnit.MILLISECOND, 'UTC');
  if (converted === 'TIMESTAMP_MICROS') return new Timestamp(TimeUnit.MICROSECOND, 'UTC');
  if (logical?.type === 'TIME' && logical.unit !== 'MILLIS') return new Time(units[logical.unit], 64);
  if (converted === 'TIME_MICROS') return new Time(TimeUnit.MICROSECOND, 64);
  const [, isSigned] = integerOf(converted, logical);
  return (isSigned ? signed : unsigned).get(64)!();
}

function integerOf(
  converted: SchemaElement['converted_type'],
  logical: SchemaElement['logical_type'],
): [bits: number, signed: boolean] {
  if (logical?.type === 'INTEGER') return [logical.bitWidth, logical.isSigned];
  const found = /^(U?)INT_(\d+)$/.exec(converted ?? '');
  return found === null ? [64, true] : [Number(found[2]), found[1] === ''];
}

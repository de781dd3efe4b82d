import { DataType, type Field, type Schema, type Struct, TimeUnit, Type } from 'apache-arrow';
import type { SchemaElement } from 'hyparquet';
import { typeWords } from '../arrow/words.js';
import { SpiralError } from '../core/errors.js';

/**
 * The Parquet schema of Arrow columns: the root, then every field in depth-first order. Each may be null.
 *
 * @throws SpiralError `unsupported_type` for a type that Parquet has no counterpart of (durations, structs without fields);
 * `invalid_schema` where there is no column.
 */
export function parquetSchema({ fields }: Schema): SchemaElement[] {
  if (fields.length === 0) {
    throw new SpiralError('invalid_schema', 'Expected columns to write as Parquet, got none. Project at least one.');
  }
  return [{ name: 'root', num_children: fields.length }, ...fields.flatMap((field) => elements(field, field.name))];
}

function elements({ name, type }: Pick<Field, 'name' | 'type'>, path: string): SchemaElement[] {
  const base = { name, repetition_type: 'OPTIONAL' } as const;
  const valueType = DataType.isDictionary(type) ? type.dictionary : type;
  if (DataType.isList(valueType) || DataType.isFixedSizeList(valueType)) {
    const [child] = valueType.children as [Field];
    return [
      { ...base, converted_type: 'LIST', logical_type: { type: 'LIST' }, num_children: 1 },
      { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
      ...elements({ name: 'element', type: child.type }, `${path}[]`),
    ];
  }
  if (DataType.isStruct(valueType)) {
    const { children } = valueType as Struct;
    if (children.length === 0) throw unsupported(path, type, 'a struct with fields');
    return [
      { ...base, num_children: children.length },
      ...children.flatMap((child) => elements(child, `${path}.${child.name}`)),
    ];
  }
  return [{ ...base, ...leafElement(valueType, path) }];
}

type Leaf = Omit<SchemaElement, 'name' | 'repetition_type'>;

const integerNames = ['INT_8', 'INT_16', 'INT_32', 'INT_64'] as const;
const unitNames = {
  [TimeUnit.MILLISECOND]: 'MILLIS',
  [TimeUnit.MICROSECOND]: 'MICROS',
  [TimeUnit.NANOSECOND]: 'NANOS',
} as const;

function leafElement(type: DataType, path: string): Leaf {
  switch (type.typeId) {
    case Type.Bool:
      return { type: 'BOOLEAN' };
    case Type.Int:
      return integerElement(type as DataType & { bitWidth: 8 | 16 | 32 | 64; isSigned: boolean });
    case Type.Float: {
      const { precision } = type as DataType & { precision: number };
      if (precision === 0) return { type: 'FIXED_LEN_BYTE_ARRAY', type_length: 2, logical_type: { type: 'FLOAT16' } };
      return { type: precision === 1 ? 'FLOAT' : 'DOUBLE' };
    }
    case Type.Utf8:
    case Type.LargeUtf8:
      return { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } };
    case Type.Binary:
    case Type.LargeBinary:
      return { type: 'BYTE_ARRAY' };
    case Type.FixedSizeBinary:
      return { type: 'FIXED_LEN_BYTE_ARRAY', type_length: (type as DataType & { byteWidth: number }).byteWidth };
    case Type.Decimal: {
      const { precision, scale } = type as DataType & { precision: number; scale: number };
      if (scale < 0 || scale > precision)
        throw unsupported(path, type, 'a decimal with a scale from 0 to its precision');
      const logical_type = { type: 'DECIMAL', precision, scale } as const;
      const type_length = decimalBytes(precision);
      return { type: 'FIXED_LEN_BYTE_ARRAY', type_length, converted_type: 'DECIMAL', precision, scale, logical_type };
    }
    case Type.Date:
      if ((type as DataType & { unit: number }).unit === 0) {
        return { type: 'INT32', converted_type: 'DATE', logical_type: { type: 'DATE' } };
      }
      return timeElement('TIMESTAMP', TimeUnit.MILLISECOND, false);
    case Type.Time:
      return timeElement('TIME', (type as DataType & { unit: TimeUnit }).unit, false);
    case Type.Timestamp: {
      const { unit, timezone } = type as DataType & { unit: TimeUnit; timezone?: string | null };
      return timeElement('TIMESTAMP', unit, Boolean(timezone));
    }
    default:
      throw unsupported(path, type, 'a type that Parquet has');
  }
}

function integerElement({ bitWidth, isSigned }: { bitWidth: 8 | 16 | 32 | 64; isSigned: boolean }): Leaf {
  const type = bitWidth === 64 ? 'INT64' : 'INT32';
  if (isSigned && bitWidth >= 32) return { type };
  const name = integerNames[Math.log2(bitWidth) - 3]!;
  // The newer word for it has a byte in it, which hyparquet-writer writes as an integer that DuckDB refuses.
  return { type, converted_type: isSigned ? name : `U${name}` };
}

/** Seconds, which Parquet lacks, are stored as milliseconds. */
function timeElement(kind: 'TIME' | 'TIMESTAMP', unit: TimeUnit, isAdjustedToUTC: boolean): Leaf {
  const name = unitNames[unit === TimeUnit.SECOND ? TimeUnit.MILLISECOND : unit];
  const type = kind === 'TIME' && name === 'MILLIS' ? 'INT32' : 'INT64';
  // The older word means a moment in UTC, and knows no nanoseconds.
  const converted = isAdjustedToUTC && name !== 'NANOS' ? { converted_type: `${kind}_${name}` as const } : {};
  return { type, ...converted, logical_type: { type: kind, isAdjustedToUTC, unit: name } };
}

/** Bytes that hold every decimal of `precision` digits, with its sign. */
function decimalBytes(precision: number): number {
  return Math.ceil((Math.log2(10) * precision + 1) / 8);
}

function unsupported(path: string, type: DataType, expected: string): SpiralError {
  return new SpiralError(
    'unsupported_type',
    `Expected column '${path}' to be ${expected}, got ${typeWords(type)}, which Parquet cannot hold. Leave it out, cast it, ` +
      'or write an Arrow file.',
    { details: { column: path, type: typeWords(type) } },
  );
}

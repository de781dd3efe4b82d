import {
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBIntervalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimeNSValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
  DuckDBUUIDValue,
} from '@duckdb/node-api';
import { DataType, type List, type Struct } from 'apache-arrow';

/**
 * Values of two readers in one form, so that they can be compared: whole numbers as text, floats as numbers, times as
 * nanoseconds, bytes (UUIDs and intervals too) as hexadecimal digits, maps as lists of keys and values.
 */
export type Plain = string | number | boolean | null | readonly Plain[] | { readonly [name: string]: Plain };

const hex = (bytes: Uint8Array): string => `0x${Buffer.from(bytes).toString('hex')}`;
const nanosPer = [1_000_000_000n, 1_000_000n, 1000n, 1n];

/** A value of `toRows()`, of a column of `type`. */
export function plainRow(value: unknown, type: DataType): Plain {
  if (value === null) return null;
  if (DataType.isTimestamp(type)) {
    if (value instanceof Date) return plainDate(value);
    return `t${(value as bigint) * nanosPer[type.unit]!}`;
  }
  if (DataType.isTime(type)) return `t${BigInt(value as number | bigint) * nanosPer[type.unit]!}`;
  if (value instanceof Date) return plainDate(value);
  if (DataType.isInt(type)) return String(value);
  if (DataType.isFloat(type)) return plainFloat(value as number);
  if (DataType.isList(type)) {
    return Array.from(value as Iterable<unknown>, (element) => plainRow(element, (type as List).children[0]!.type));
  }
  if (DataType.isStruct(type)) {
    const row = value as Record<string, unknown>;
    return Object.fromEntries(
      (type as Struct).children.map((field) => [field.name, plainRow(row[field.name], field.type)]),
    );
  }
  if (value instanceof Uint8Array) return hex(value);
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  throw new Error(`a value of type ${type}`);
}

/** Damaged days and milliseconds may be beyond what a Date holds. */
function plainDate(date: Date): string {
  const ms = date.getTime();
  return Number.isNaN(ms) ? 'an invalid date' : `t${BigInt(ms) * 1_000_000n}`;
}

/** A value as DuckDB's client gives it. */
export function plainDuck(value: unknown): Plain {
  if (value === null || value === undefined) return null;
  switch (typeof value) {
    case 'bigint':
      return String(value);
    case 'number':
      return plainFloat(value);
    case 'string':
    case 'boolean':
      return value;
  }
  if (value instanceof DuckDBDateValue) return `t${BigInt(value.days) * 86_400_000_000_000n}`;
  if (value instanceof DuckDBTimestampValue || value instanceof DuckDBTimestampTZValue)
    return `t${value.micros * 1000n}`;
  if (value instanceof DuckDBTimestampMillisecondsValue) return `t${value.millis * 1_000_000n}`;
  if (value instanceof DuckDBTimestampSecondsValue) return `t${value.seconds * 1_000_000_000n}`;
  if (value instanceof DuckDBTimestampNanosecondsValue) return `t${value.nanos}`;
  if (value instanceof DuckDBTimeValue) return `t${value.micros * 1000n}`;
  if (value instanceof DuckDBTimeNSValue) return `t${value.nanos}`;
  if (value instanceof DuckDBDecimalValue) return value.toString();
  if (value instanceof DuckDBBlobValue) return hex(value.bytes);
  if (value instanceof DuckDBUUIDValue) return `0x${value.toString().replaceAll('-', '')}`;
  if (value instanceof DuckDBIntervalValue) {
    const bytes = Buffer.alloc(12);
    bytes.writeUInt32LE(value.months, 0);
    bytes.writeUInt32LE(value.days, 4);
    bytes.writeUInt32LE(Number(value.micros / 1000n), 8);
    return hex(bytes);
  }
  if (value instanceof DuckDBListValue) return value.items.map(plainDuck);
  if (value instanceof DuckDBMapValue) {
    return value.entries.map(({ key, value: mapped }) => ({ key: plainDuck(key), value: plainDuck(mapped) }));
  }
  if (value instanceof DuckDBStructValue) {
    return Object.fromEntries(Object.entries(value.entries).map(([name, field]) => [name, plainDuck(field)]));
  }
  throw new Error(`a ${(value as object).constructor.name} of DuckDB`);
}

/** Small integers of DuckDB are numbers as floats are, so both are compared as text. */
function plainFloat(value: number): string {
  return Object.is(value, -0) ? '0' : String(value);
}

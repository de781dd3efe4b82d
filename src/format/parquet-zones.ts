import { DataType } from 'apache-arrow';
import type { ParquetParsers, RowGroup, Statistics } from 'hyparquet';
import type { ParquetNode } from './parquet-tree.js';
import { isDecimal } from './parquet-type.js';
import type { Bound, Zone } from './zone-map.js';

/** Leaves statistics as they are stored: whole numbers, and bytes. */
export const plainParsers: ParquetParsers = {
  timestampFromMilliseconds: (millis) => millis,
  timestampFromMicroseconds: (micros) => micros,
  timestampFromNanoseconds: (nanos) => nanos,
  dateFromDays: (days) => days,
  stringFromBytes: (bytes) => bytes,
  jsonFromBytes: (bytes) => bytes,
  geometryFromBytes: (bytes) => bytes,
  geographyFromBytes: (bytes) => bytes,
  uuidFromBytes: (bytes) => bytes,
};

/** The zones of a row group's columns, as far as its statistics tell them; of nested columns they tell nothing. */
export function parquetZones(
  group: RowGroup,
  columns: readonly ParquetNode[],
  chunks: readonly number[],
): (Zone | undefined)[] {
  return columns.map((node, at) => {
    if (node.kind !== 'leaf') return undefined;
    const statistics = group.columns[chunks[at]!]?.meta_data?.statistics;
    return statistics === undefined ? undefined : zoneOfStatistics(statistics, node, Number(group.num_rows));
  });
}

function zoneOfStatistics(
  statistics: Statistics,
  node: ParquetNode & { kind: 'leaf' },
  rows: number,
): Zone | undefined {
  const { type } = node;
  const nulls = node.leaf.maxDef === 0 ? 0 : Number(statistics.null_count ?? Number.NaN);
  if (!(nulls >= 0 && nulls <= rows)) return undefined;
  const none = { nulls, min: null, max: null };
  // hyparquet gives decimals and INT96 rounded, and half floats decoded.
  if (isDecimal(node.leaf.element) || node.leaf.element.type === 'INT96') return none;
  // The older fields compare bytes as signed, and unsigned numbers too (parquet.thrift, Statistics).
  const plain = DataType.isBool(type) || DataType.isFloat(type) || isSigned(type);
  const min = bound(statistics.min_value ?? (plain ? statistics.min : undefined));
  const max = bound(statistics.max_value ?? (plain ? statistics.max : undefined));
  if (DataType.isFloat(type)) {
    // Writers leave NaN out of their bounds, or give up on them; whether there is one they do not tell.
    const known = typeof min === 'number' && typeof max === 'number' && type.precision !== 0;
    return known ? { nulls, min: min + 0, max: max + 0, nan: true } : { ...none, nan: true };
  }
  return min === null || max === null ? none : { nulls, min, max };
}

function isSigned(type: DataType): boolean {
  if (DataType.isInt(type)) return type.isSigned;
  return DataType.isDate(type) || DataType.isTime(type) || DataType.isTimestamp(type);
}

function bound(value: Statistics['min']): Bound {
  if (typeof value === 'number') return Number.isNaN(value) ? null : value;
  if (typeof value === 'bigint' || typeof value === 'boolean') return value;
  // Copied, as what hyparquet gives is a view of the whole footer.
  return value instanceof Uint8Array ? Uint8Array.from(value) : null;
}

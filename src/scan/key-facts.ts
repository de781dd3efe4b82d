import { DataType, type TimeUnit, Type } from 'apache-arrow';
import { isSpiralError } from '../core/errors.js';
import type { ZoneFacts } from '../expr/may-match.js';
import type { Column } from '../table/column.js';
import { decodeKey } from '../table/key-values.js';

/** What is known of a column of which nothing is known but that it has no null. */
const noNulls: ZoneFacts = { nulls: 0, min: null, max: null };

/**
 * What the key columns of rows hold whose keys lie from `low` to `high`, both inclusive and encoded: the first column lies
 * between its values in both, a later one where all before it are the same in both. By column number.
 */
export function keyFacts(keys: readonly Column[], low: Uint8Array, high: Uint8Array): Map<number, ZoneFacts> {
  const facts = new Map(keys.map(({ id }) => [id, noNulls]));
  const types = keys.map(({ type }) => type);
  let [from, to]: [unknown[], unknown[]] = [[], []];
  try {
    [from, to] = [decodeKey(low, types), decodeKey(high, types)];
  } catch (error) {
    // What a damaged log says of keys rules out nothing; reading finds it out.
    if (!isSpiralError(error, 'invalid_key')) throw error;
    return facts;
  }
  for (const [at, { id, type }] of keys.entries()) {
    const [min, max] = [boundOf(from[at], type), boundOf(to[at], type)];
    if (Number.isNaN(to[at]))
      facts.set(id, { nulls: 0, min: Number.isNaN(from[at]) ? null : min, max: null, nan: true });
    else facts.set(id, { nulls: 0, min, max });
    if (!sameValue(min, max)) break;
  }
  return facts;
}

/** A value of `decodeKey` as zone maps hold it; null for a type that they give no bounds of. */
function boundOf(value: unknown, type: DataType): ZoneFacts['min'] {
  if (typeof value === 'string') return DataType.isDecimal(type) ? null : Buffer.from(value);
  if (value instanceof Date) return timeBound(BigInt(value.getTime()), type);
  if (DataType.isFloat(type) && type.precision === 0) return null;
  return value as ZoneFacts['min'];
}

/** A moment in milliseconds, in the unit of a column. */
function timeBound(ms: bigint, type: DataType): number | bigint {
  if (type.typeId === Type.Date)
    return (type as DataType & { unit: number }).unit === 0 ? Number(ms / 86_400_000n) : ms;
  // Of timestamps only those in seconds and milliseconds are given as dates.
  const second: TimeUnit = 0;
  return (type as DataType & { unit: TimeUnit }).unit === second ? ms / 1000n : ms;
}

function sameValue(a: ZoneFacts['min'], b: ZoneFacts['min']): boolean {
  if (a === null || b === null) return false;
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0;
  return a === b;
}

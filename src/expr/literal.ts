import { DataType, type Struct, type Timestamp, Type } from 'apache-arrow';
import { isStructLike } from '../arrow/infer.js';
import { parseType, typeWords } from '../arrow/words.js';
import { SpiralError, shown } from '../core/errors.js';
import type { LiteralJson, LiteralNode } from './node.js';

/** A constant: null, boolean, number, bigint, string, Date, bytes, and arrays of them. */
export type Scalar = null | boolean | number | bigint | string | Date | Uint8Array | readonly Scalar[];

/** Whether `value` is a constant rather than an expression or a dict of them. */
export function isScalar(value: unknown): value is Scalar {
  if (value === null || value instanceof Date || value instanceof Uint8Array || Array.isArray(value)) return true;
  return ['boolean', 'number', 'bigint', 'string'].includes(typeof value);
}

/**
 * The literal that `value` stands for: of `words`' type where they are given, else weakly typed.
 *
 * @throws SpiralError `invalid_expression` for what is no constant; `invalid_schema` for words that name no type.
 */
export function literalNode(value: unknown, words?: string): LiteralNode {
  if (words !== undefined) {
    const type = parseType(words, 'a scalar');
    return { kind: 'literal', type: typeWords(type), value: toJson(type, value) };
  }
  if (value === null || value === undefined) return { kind: 'literal', type: 'null', value: null, weak: true };
  const inferred = inferredWords(value);
  if (inferred === undefined) {
    throw new SpiralError(
      'invalid_expression',
      `Expected a constant (boolean, number, bigint, string, Date, bytes, an array of one kind of them, null), got ${shown(value)}. ` +
        'Give its type where it cannot be told: se.scalar([], "list<int32>").',
      { details: { found: shown(value) } },
    );
  }
  return { kind: 'literal', type: inferred, value: toJson(parseType(inferred), value), weak: true };
}

function inferredWords(value: unknown): string | undefined {
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'number':
      return 'float64';
    case 'bigint':
      return BigInt.asIntN(64, value) === value ? 'int64' : 'uint64';
    case 'string':
      return 'utf8';
  }
  if (value instanceof Date) return 'timestamp[ms, UTC]';
  if (value instanceof Uint8Array) return 'binary';
  if (!Array.isArray(value)) return undefined;
  const kinds = new Set(value.filter((item) => item !== null).map(inferredWords));
  const [kind] = kinds;
  return kinds.size === 1 && kind !== undefined ? `list<${kind}>` : undefined;
}

/** `value`, plain JavaScript, as a literal of `type` writes it in JSON. */
function toJson(type: DataType, value: unknown): LiteralJson {
  if (value === null || value === undefined) return null;
  if (DataType.isList(type) || DataType.isFixedSizeList(type)) {
    if (!Array.isArray(value) && !ArrayBuffer.isView(value)) throw unfit(type, value);
    return Array.from(value as ArrayLike<unknown>, (item) => toJson(type.children[0]!.type, item));
  }
  if (DataType.isStruct(type)) {
    if (!isStructLike(value)) throw unfit(type, value);
    const known = (type as Struct).children.map((field) => field.name);
    const stray = Object.keys(value).find((key) => !known.includes(key));
    if (stray !== undefined) throw unfit(type, value);
    return Object.fromEntries(
      (type as Struct).children.map((field) => [field.name, toJson(field.type, value[field.name])]),
    );
  }
  if (typeof value === 'boolean' && DataType.isBool(type)) return value;
  if (typeof value === 'string' && !isBytes(type)) return value;
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (value instanceof Date) return timeJson(type, value);
  if (typeof value !== 'number') throw unfit(type, value);
  if (DataType.isFloat(type)) {
    return Number.isFinite(value) && !Object.is(value, -0) ? value : Object.is(value, -0) ? '-0' : String(value);
  }
  // As in rows: a number for a time is milliseconds since the epoch.
  if (DataType.isTimestamp(type) || DataType.isDate(type)) return timeJson(type, new Date(value));
  return DataType.isDecimal(type) || !Number.isSafeInteger(value) || isWide(type) ? String(value) : value;
}

const isBytes = (type: DataType): boolean =>
  DataType.isBinary(type) || DataType.isLargeBinary(type) || DataType.isFixedSizeBinary(type);

const isWide = (type: DataType): boolean =>
  type.typeId === Type.Duration || (type as DataType & { bitWidth?: number }).bitWidth === 64;

function timeJson(type: DataType, value: Date): LiteralJson {
  const ms = value.getTime();
  if (!Number.isInteger(ms)) throw unfit(type, value);
  if (DataType.isDate(type)) return String(type.unit === 0 ? Math.floor(ms / 86_400_000) : ms);
  if (!DataType.isTimestamp(type)) throw unfit(type, value);
  const { unit } = type as Timestamp;
  return unit === 0 ? String(Math.floor(ms / 1000)) : String(BigInt(ms) * 1000n ** BigInt(unit - 1));
}

/**
 * The value of a literal: number, bigint (what has 64 bits, dates; in their unit), boolean, string (text
 * and decimals), Uint8Array, array, object, or null.
 *
 * @throws SpiralError `invalid_expression` for JSON that is no value of `type`.
 */
export function literalValue(type: DataType, json: LiteralJson): unknown {
  if (json === null) return null;
  if (DataType.isList(type) || DataType.isFixedSizeList(type)) {
    if (!Array.isArray(json)) throw unfit(type, json);
    return json.map((item) => literalValue(type.children[0]!.type, item));
  }
  if (DataType.isStruct(type)) {
    if (!isStructLike(json)) throw unfit(type, json);
    const from = json as Readonly<Record<string, LiteralJson>>;
    return Object.fromEntries(
      (type as Struct).children.map((field) => [field.name, literalValue(field.type, from[field.name] ?? null)]),
    );
  }
  switch (type.typeId) {
    case Type.Bool:
      return typeof json === 'boolean' ? json : fail(type, json);
    case Type.Utf8:
    case Type.LargeUtf8:
    case Type.Decimal:
      return typeof json === 'string' ? json : fail(type, json);
    case Type.Binary:
    case Type.LargeBinary:
    case Type.FixedSizeBinary:
      return typeof json === 'string' ? new Uint8Array(Buffer.from(json, 'base64')) : fail(type, json);
    case Type.Float:
      return floatValue(type, json);
    case Type.Dictionary:
      return literalValue((type as DataType & { dictionary: DataType }).dictionary, json);
  }
  if (typeof json !== 'string' && typeof json !== 'number') throw unfit(type, json);
  if (!/^-?\d{1,30}$/.test(String(json))) throw unfit(type, json);
  return isWide(type) || DataType.isTimestamp(type) || DataType.isDate(type) ? BigInt(json) : Number(json);
}

function floatValue(type: DataType, json: LiteralJson): number {
  if (typeof json === 'number') return json;
  if (json === '-0' || json === 'NaN' || json === 'Infinity' || json === '-Infinity') return Number(json);
  throw unfit(type, json);
}

function fail(type: DataType, json: LiteralJson): never {
  throw unfit(type, json);
}

function unfit(type: DataType, value: unknown): SpiralError {
  const words = typeWords(type);
  return new SpiralError('invalid_expression', `Expected a constant of type ${words}, got ${shown(value)}.`, {
    details: { expected: words, found: shown(value) },
  });
}

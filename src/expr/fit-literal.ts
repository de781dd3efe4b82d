import { DataType, type Decimal, type Time, Timestamp } from 'apache-arrow';
import { parseDecimal } from '../arrow/decimal.js';
import type { BoundLiteral } from './bound.js';
import { timeText } from './cast-text.js';
import { classOf, decimalType, floatRank, intType } from './promote.js';

/**
 * The literal as a value of `type`; undefined where the type does not hold it exactly. A number that stands against a float
 * takes the float's type and is rounded to the nearest, as people expect of `weight.eq(0.1)`; text that stands against a time
 * is read by ISO 8601.
 */
export function fitLiteral(literal: BoundLiteral, type: DataType): BoundLiteral | undefined {
  const value = fitValue(literal.type, literal.value, type);
  return value === undefined ? undefined : { ...literal, type, value };
}

/**
 * A literal as it stands against values of another type: as one of them where that holds it; else a whole number as the least
 * integer that does, a number against decimals as one, and an instant in its own unit. A literal with a type of its own stays.
 */
export function settledLiteral(literal: BoundLiteral, against: DataType): BoundLiteral {
  if (!literal.weak) return literal;
  const fitted = fitLiteral(literal, against);
  if (fitted !== undefined) return fitted;
  const { value } = literal;
  if (classOf(against) === 'int' && typeof value === 'number' && Number.isSafeInteger(value)) {
    for (const bits of [8, 16, 32, 64]) {
      const wider = fitLiteral(literal, intType(bits, true));
      if (wider !== undefined) return wider;
    }
  }
  if (classOf(against) === 'decimal' && typeof value === 'number' && Number.isFinite(value)) {
    const scale = decimalPlaces(value);
    const type = decimalType(Math.max(1, String(Math.trunc(Math.abs(value))).length) + scale, scale);
    return (type && fitLiteral(literal, type)) ?? literal;
  }
  if (DataType.isTimestamp(literal.type) && (DataType.isTimestamp(against) || DataType.isDate(against))) {
    // A Date is an instant: beside a column without a zone it is read as UTC, as that column's own values are.
    const zone = DataType.isTimestamp(against) ? against.timezone : null;
    return { ...literal, type: new Timestamp(literal.type.unit, zone ?? null) };
  }
  return literal;
}

function decimalPlaces(value: number): number {
  const [digits, exponent] = String(value).split('e') as [string, string | undefined];
  return Math.max(0, (digits.split('.')[1]?.length ?? 0) - Number(exponent ?? 0));
}

function fitValue(from: DataType, value: unknown, to: DataType): unknown {
  if (value === null) return null;
  switch (classOf(to)) {
    case 'int':
      return fitInt(value, to as DataType & { bitWidth: number; isSigned: boolean });
    case 'float':
      return fitFloat(value, to);
    case 'decimal':
      return fitDecimal(from, value, to as Decimal);
    case 'bool':
      return typeof value === 'boolean' ? value : undefined;
    case 'text':
      return typeof value === 'string' && classOf(from) === 'text' ? value : undefined;
    case 'binary':
      if (!(value instanceof Uint8Array)) return undefined;
      return DataType.isFixedSizeBinary(to) && value.length !== to.byteWidth ? undefined : value;
    case 'timestamp':
    case 'date':
      return typeof value === 'string' ? timeText(to)(value) : fitTime(from, value, to);
    case 'time': {
      const units = typeof value === 'string' ? timeText(to)(value) : undefined;
      return units === undefined || (to as Time).bitWidth === 64 ? units : Number(units);
    }
    case 'list': {
      if (!Array.isArray(value) || classOf(from) !== 'list') return undefined;
      const [source, target] = [from.children[0]!.type, to.children[0]!.type];
      const items = value.map((item) => fitValue(source, item, target));
      return items.includes(undefined) ? undefined : items;
    }
    default:
      return undefined;
  }
}

function fitInt(value: unknown, { bitWidth, isSigned }: { bitWidth: number; isSigned: boolean }): unknown {
  if (typeof value !== 'bigint' && !(typeof value === 'number' && Number.isInteger(value))) return undefined;
  const whole = BigInt(value);
  const held = isSigned ? BigInt.asIntN(bitWidth, whole) : BigInt.asUintN(bitWidth, whole);
  if (held !== whole) return undefined;
  return bitWidth === 64 ? whole : Number(whole);
}

function fitFloat(value: unknown, to: DataType): unknown {
  if (typeof value === 'bigint') return BigInt(Number(value)) === value ? fitFloat(Number(value), to) : undefined;
  if (typeof value !== 'number' || floatRank(to) === 2 || !Number.isFinite(value)) {
    return typeof value === 'number' ? value : undefined;
  }
  const most = floatRank(to) === 1 ? 3.4028234663852886e38 : 65504;
  return Math.abs(value) > most ? undefined : value;
}

function fitDecimal(from: DataType, value: unknown, to: Decimal): unknown {
  if (typeof value !== 'bigint' && typeof value !== 'number' && classOf(from) !== 'decimal') return undefined;
  const unscaled = parseDecimal(String(value), to.scale);
  if (typeof unscaled !== 'bigint') return undefined;
  return String(unscaled).replace('-', '').length > to.precision ? undefined : String(value);
}

const unitsPerSecond = [1n, 1000n, 1_000_000n, 1_000_000_000n];

/** A time, held as whole units, in the unit of `to`, where it is whole there too. */
function fitTime(from: DataType, value: unknown, to: DataType): unknown {
  if (typeof value !== 'bigint') return undefined;
  const own = unitRatio(from);
  const wanted = unitRatio(to);
  if (own === undefined || wanted === undefined) return undefined;
  const scaled = value * wanted[0] * own[1];
  const divisor = own[0] * wanted[1];
  if (scaled % divisor !== 0n) return undefined;
  const whole = scaled / divisor;
  return BigInt.asIntN(64, whole) === whole ? whole : undefined;
}

/** Units per second of a timestamp or a date, as a fraction. */
function unitRatio(type: DataType): readonly [bigint, bigint] | undefined {
  if (DataType.isTimestamp(type)) return [unitsPerSecond[type.unit]!, 1n];
  if (DataType.isDate(type)) return type.unit === 0 ? [1n, 86_400n] : [1000n, 1n];
  return undefined;
}

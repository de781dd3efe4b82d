import { float16Bits } from '../arrow/float16.js';
import { shown } from '../core/errors.js';
import type { GrowingBytes } from './growing-bytes.js';
import type { MdsNumber } from './mds-encoding.js';
import { RefusedValue } from './refused-value.js';

/** Appends a value to `into`. @throws RefusedValue; what was appended by then is for the caller to take back. */
export type ValueEncoder = (value: unknown, into: GrowingBytes) => void;

/**
 * Appends numbers of `number`'s type: whole ones as numbers or bigints that fit, floats rounded to the nearest. Or the
 * number's bytes as they are stored.
 */
export function numberEncoder(number: MdsNumber): ValueEncoder {
  const { name, bytes } = number;
  const encode = name.startsWith('float') ? floatEncoder(name) : wholeEncoder(number);
  return (value, into) => {
    if (typeof value === 'number' || typeof value === 'bigint') encode(value, into);
    else if (!(value instanceof Uint8Array)) throw new RefusedValue(`a number (${name})`, shown(value));
    else if (value.length === bytes) into.add(value);
    else throw new RefusedValue(`a number, or its ${bytes} bytes (${name})`, shown(value));
  };
}

/** The range of the whole numbers of `name`'s type (`int8`, `uint64`). */
function rangeOf(name: string, bytes: number): readonly [bigint, bigint] {
  const bits = BigInt(8 * bytes);
  return name.startsWith('u') ? [0n, (1n << bits) - 1n] : [-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n];
}

function wholeEncoder({ name, bytes }: MdsNumber): ValueEncoder {
  const [low, high] = rangeOf(name, bytes);
  const [lowNumber, highNumber] = [Number(low), Number(high)];
  const refused = (value: unknown): RefusedValue => {
    const remedy =
      bytes === 8 && typeof value === 'number' && Number.isInteger(value) ? ' (beyond 2 ** 53: give a bigint)' : '';
    const outside = typeof value === 'bigint' || Number.isInteger(value);
    const code = outside ? 'value_out_of_range' : 'type_mismatch';
    return new RefusedValue(`a whole number from ${low} to ${high} (${name})`, `${shown(value)}${remedy}`, code);
  };
  const put = wholeWriter(name, bytes);
  return (value, into) => {
    if (typeof value === 'number') {
      const fits = Number.isSafeInteger(value) && value >= lowNumber && value <= highNumber;
      if (!fits) throw refused(value);
      const at = into.append(bytes);
      put(into, at, value);
      return;
    }
    const whole = value as bigint;
    if (whole < low || whole > high) throw refused(whole);
    const at = into.append(bytes);
    if (bytes < 8) put(into, at, Number(whole));
    else into.view.setBigUint64(at, BigInt.asUintN(64, whole), true);
  };
}

type NumberWriter = (into: GrowingBytes, at: number, value: number) => void;

/** Writes numbers that fit; those of 64 bits in two halves, which spares a bigint. */
function wholeWriter(name: string, bytes: number): NumberWriter {
  switch (bytes) {
    case 1:
      return ({ bytes: into }, at, value) => {
        into[at] = value;
      };
    case 2:
      return ({ view }, at, value) => view.setUint16(at, value, true);
    case 4:
      return ({ view }, at, value) => view.setUint32(at, value, true);
    case 8:
      return ({ view }, at, value) => {
        view.setUint32(at, value, true);
        view.setInt32(at + 4, Math.floor(value / 2 ** 32), true);
      };
  }
  throw new RangeError(name);
}

function floatEncoder(name: string): ValueEncoder {
  const put: NumberWriter =
    name === 'float64'
      ? ({ view }, at, value) => view.setFloat64(at, value, true)
      : name === 'float32'
        ? ({ view }, at, value) => view.setFloat32(at, value, true)
        : ({ view }, at, value) => view.setUint16(at, float16Bits(value), true);
  const bytes = name === 'float64' ? 8 : name === 'float32' ? 4 : 2;
  // The least that is rounded to infinity.
  const bound = name === 'float64' ? Number.POSITIVE_INFINITY : name === 'float32' ? (2 - 2 ** -24) * 2 ** 127 : 65520;
  return (value, into) => {
    if (typeof value !== 'number') throw new RefusedValue(`a number, no bigint (${name})`, shown(value));
    if (Math.abs(value) >= bound && Math.abs(value) !== Number.POSITIVE_INFINITY) {
      throw new RefusedValue(`a number that ${name} does not round to infinity`, shown(value), 'value_out_of_range');
    }
    // First the room: it may be in memory of its own.
    const at = into.append(bytes);
    put(into, at, value);
  };
}

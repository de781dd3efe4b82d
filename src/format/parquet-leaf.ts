import { Data, type DataType, type Decimal, Type } from 'apache-arrow';
import type { SchemaElement } from 'hyparquet';
import { bitBytes } from '../arrow/bits.js';
import { layoutOf, type ValueArray } from '../arrow/layout.js';
import { ByteValues, checkRoom, type DenseValues, type FixedValues } from './parquet-dense.js';
import { isDecimal } from './parquet-type.js';

/** Which of the slots of a column are there: one byte each, 1 or 0; undefined: all are. */
export type Validity = Uint8Array | undefined;

/**
 * The leaf column of `type` with `slots` slots, of which those that `valid` names have the values in turn.
 *
 * @throws Error for values that the type cannot hold.
 */
export function leafData(
  type: DataType,
  element: SchemaElement,
  dense: DenseValues,
  slots: number,
  valid: Validity,
): Data {
  const [bitmap, nulls] = bitmapOf(valid, slots);
  if (dense.length !== slots - nulls) throw new Error(`${dense.length} values for ${slots - nulls} slots`);
  const make = (offsets: unknown, values: unknown): Data =>
    new Data(type, 0, slots, nulls, [offsets, values, bitmap] as never);
  if (isDecimal(element)) return make(undefined, decimals(type as Decimal, element, dense, slots, valid));
  if (dense instanceof ByteValues) {
    const text = dense.bytes.subarray(0, dense.offsets[dense.length]!);
    return make(spacedOffsets(dense, slots, nulls === 0 ? undefined : valid), text);
  }
  const bytes = nulls === 0 ? dense.bytes.subarray(0, slots * dense.width) : spaced(dense, slots, valid!);
  return make(undefined, fixedValues(type, element, bytes, slots));
}

/** The bitmap of `valid` and its number of nulls. */
export function bitmapOf(valid: Validity, slots: number): [bitmap: Uint8Array | undefined, nulls: number] {
  if (valid === undefined) return [undefined, 0];
  const bits = new Uint8Array(bitBytes(slots));
  let there = 0;
  for (let at = 0; at < slots; at++) {
    if (valid[at] === 0) continue;
    bits[at >> 3]! |= 1 << (at & 7);
    there++;
  }
  return there === slots ? [undefined, 0] : [bits, slots - there];
}

function spacedOffsets({ offsets, length }: ByteValues, slots: number, valid: Validity): Int32Array {
  if (valid === undefined) return offsets.subarray(0, length + 1);
  const out = new Int32Array(slots + 1);
  for (let at = 0, from = 0; at < slots; at++) {
    if (valid[at] !== 0) from++;
    out[at + 1] = offsets[from]!;
  }
  return out;
}

/** The values at their slots, zeros at the others. */
function spaced({ bytes, width, length }: FixedValues, slots: number, valid: Uint8Array): Uint8Array {
  const out = new Uint8Array(slots * width);
  if (width % 4 !== 0) spread(bytes, out, width, slots, valid);
  else {
    const from = new Int32Array(bytes.buffer, 0, (length * width) / 4);
    spread(from, new Int32Array(out.buffer), width / 4, slots, valid);
  }
  return out;
}

function spread<T extends Uint8Array | Int32Array>(
  from: T,
  to: T,
  units: number,
  slots: number,
  valid: Uint8Array,
): void {
  let next = 0;
  for (let at = 0; at < slots; at++) {
    if (valid[at] === 0) continue;
    const place = at * units;
    for (let unit = 0; unit < units; unit++) to[place + unit] = from[next++]!;
  }
}

/** The values of a type that is no decimal, over bytes that begin a buffer. */
function fixedValues(type: DataType, { type: physical }: SchemaElement, bytes: Uint8Array, slots: number): unknown {
  if (type.typeId === Type.Bool) {
    const bits = new Uint8Array(bitBytes(slots));
    for (let at = 0; at < slots; at++) bits[at >> 3]! |= bytes[at]! << (at & 7);
    return bits;
  }
  if (physical === 'INT96') return times(bytes, slots);
  const layout = layoutOf(type);
  if (layout.kind !== 'fixed') throw new Error(`values of type ${type}`);
  const { array, stride } = layout;
  if (physical !== 'INT32' || array.BYTES_PER_ELEMENT === 4) {
    return new array(bytes.buffer, bytes.byteOffset, slots * stride);
  }
  // Narrow integers are stored as wide ones.
  const narrow = new array(new ArrayBuffer(slots * array.BYTES_PER_ELEMENT), 0, slots) as Exclude<
    ValueArray,
    BigInt64Array | BigUint64Array
  >;
  narrow.set(new Int32Array(bytes.buffer, bytes.byteOffset, slots));
  return narrow;
}

const julianEpoch = 2_440_588;
const dayMicros = 86_400_000_000n;

/** INT96: nanoseconds of the day, then the Julian day. Microseconds since the epoch, rounded down. */
function times(bytes: Uint8Array, slots: number): BigInt64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const micros = new BigInt64Array(slots);
  for (let at = 0; at < slots; at++) {
    const days = view.getInt32(at * 12 + 8, true);
    // Where a null stands all is zero.
    if (days === 0) continue;
    micros[at] = BigInt(days - julianEpoch) * dayMicros + view.getBigInt64(at * 12, true) / 1000n;
  }
  return micros;
}

/** Decimals as Arrow has them, little-endian words, from the integers or big-endian bytes that Parquet has. */
function decimals(
  type: Decimal,
  element: SchemaElement,
  dense: DenseValues,
  slots: number,
  valid: Validity,
): Uint32Array {
  const words = type.bitWidth / 32;
  checkRoom(4 * slots * words);
  const out = new Uint32Array(slots * words);
  const size = words * 4;
  const bytes = new Uint8Array(out.buffer);
  const little = element.type === 'INT32' || element.type === 'INT64';
  for (let at = 0, next = 0; at < slots; at++) {
    if (valid !== undefined && valid[at] === 0) continue;
    const [from, to] =
      dense instanceof ByteValues
        ? [dense.offsets[next]!, dense.offsets[next + 1]!]
        : [next * dense.width, (next + 1) * dense.width];
    next++;
    placeInteger(dense.bytes, from, to, little, bytes.subarray(at * size, (at + 1) * size));
  }
  return out;
}

/** Writes the two's complement integer in `bytes[from … to]` to `out`, little-endian. @throws Error where it does not fit. */
function placeInteger(bytes: Uint8Array, from: number, to: number, little: boolean, out: Uint8Array): void {
  const length = to - from;
  if (length === 0) return;
  const top = bytes[little ? to - 1 : from]!;
  const fill = top & 0x80 ? 0xff : 0;
  for (let at = 0; at < length; at++) {
    const byte = bytes[little ? from + at : to - 1 - at]!;
    if (at < out.length) out[at] = byte;
    else if (byte !== fill) throw new Error(`a decimal of ${length} bytes for a column of ${out.length}`);
  }
  if (length < out.length) out.fill(fill, length);
  else if (((out[out.length - 1]! & 0x80) !== 0) !== (fill !== 0)) throw new Error('a decimal beyond its column');
}

import { type Data, DataType, type Dictionary, Type } from 'apache-arrow';
import { bitAt } from '../arrow/bits.js';

/**
 * A bound in a zone map: a number for what fits a double exactly, `bigint` for 64-bit values and for decimals (without
 * their scale), bytes for text and binary, which order byte by byte.
 */
export type Bound = number | bigint | Uint8Array | boolean | null;

/**
 * What is known of the values of one column in one batch. Bounds are inclusive and `null` where the type has no order,
 * or no value is there. Text and binary bounds are cut to {@link boundBytes} bytes, the upper one rounded up, so that
 * they still bound. `nan`: some value is NaN; bounds of floats never count those.
 */
export interface Zone {
  /** Rows that are null, those of a dictionary column that point at a null included. */
  readonly nulls: number;
  readonly min: Bound;
  readonly max: Bound;
  readonly nan?: boolean;
}

/** Bytes kept of a text or binary bound. */
export const boundBytes = 32;

/** The zone of `data`. */
export function zoneOf(data: Data): Zone {
  const nulls = data.nullCount;
  if (nulls >= data.length) return { nulls, min: null, max: null };
  const { type } = data;
  if (DataType.isDictionary(type)) return dictionaryZone(data);
  switch (type.typeId) {
    case Type.Bool:
      return { nulls, ...boolBounds(data) };
    case Type.Int:
    case Type.Date:
    case Type.Time:
    case Type.Timestamp:
    case Type.Duration:
      return { nulls, ...(wide(data) ? wideBounds(data) : numberBounds(data)) };
    case Type.Float:
      return (type as DataType & { precision: number }).precision === 0
        ? { nulls, min: null, max: null }
        : { nulls, ...numberBounds(data) };
    case Type.Decimal:
      return { nulls, ...decimalBounds(data) };
    case Type.Utf8:
    case Type.LargeUtf8:
    case Type.Binary:
    case Type.LargeBinary:
    case Type.FixedSizeBinary:
      return { nulls, ...byteBounds(data) };
    default:
      return { nulls, min: null, max: null };
  }
}

type Bounds = Omit<Zone, 'nulls'>;

const isValid = (data: Data, row: number): boolean =>
  data.nullCount === 0 || bitAt(data.nullBitmap!, data.offset + row);

const wide = (data: Data): boolean => data.values instanceof BigInt64Array || data.values instanceof BigUint64Array;

function numberBounds(data: Data): Bounds {
  const values = data.values as Int32Array | Float64Array;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let nan = false;
  const full = data.nullCount === 0;
  for (let row = 0; row < data.length; row++) {
    if (!full && !isValid(data, row)) continue;
    const value = values[row]!;
    if (value < min) min = value;
    if (value > max) max = value;
    if (Number.isNaN(value)) nan = true;
  }
  // Adding 0 makes 0 of -0, which bounds the same and is the same before and after storing.
  const bounds = min > max ? { min: null, max: null } : { min: min + 0, max: max + 0 };
  return nan ? { ...bounds, nan } : bounds;
}

/** 64-bit bounds by comparing halves: no BigInt a row. */
function wideBounds(data: Data): Bounds {
  const values = data.values as BigInt64Array | BigUint64Array;
  const low = new Uint32Array(values.buffer, values.byteOffset, data.length * 2);
  const signed = values instanceof BigInt64Array;
  const high = signed ? new Int32Array(values.buffer, values.byteOffset, data.length * 2) : low;
  const full = data.nullCount === 0;
  let min = -1;
  let max = -1;
  for (let row = 0; row < data.length; row++) {
    if (!full && !isValid(data, row)) continue;
    if (min < 0) {
      min = max = row;
      continue;
    }
    const top = high[2 * row + 1]!;
    const bottom = low[2 * row]!;
    if (top < high[2 * min + 1]! || (top === high[2 * min + 1] && bottom < low[2 * min]!)) min = row;
    if (top > high[2 * max + 1]! || (top === high[2 * max + 1] && bottom > low[2 * max]!)) max = row;
  }
  return { min: values[min]!, max: values[max]! };
}

function boolBounds(data: Data): Bounds {
  let some = false;
  let every = true;
  for (let row = 0; row < data.length; row++) {
    if (!isValid(data, row)) continue;
    if (bitAt(data.values as Uint8Array, data.offset + row)) some = true;
    else every = false;
  }
  return { min: every, max: some };
}

function decimalBounds(data: Data): Bounds {
  const words = data.values as Uint32Array;
  const stride = data.stride;
  let min: bigint | undefined;
  let max: bigint | undefined;
  for (let row = 0; row < data.length; row++) {
    if (!isValid(data, row)) continue;
    let value = 0n;
    for (let word = stride - 1; word >= 0; word--) value = (value << 32n) | BigInt(words[row * stride + word]!);
    value = BigInt.asIntN(stride * 32, value);
    if (min === undefined || value < min) min = value;
    if (max === undefined || value > max) max = value;
  }
  return { min: min!, max: max! };
}

function byteBounds(data: Data): Bounds {
  const bytes = data.values as Uint8Array;
  const offsets = data.valueOffsets as Int32Array | BigInt64Array | undefined;
  const stride = data.stride;
  let min: Uint8Array | undefined;
  let max: Uint8Array | undefined;
  // First bytes of the bounds: most values lie between them, and are seen to do so by their own first byte.
  let [first, last] = [256, -1];
  for (let row = 0; row < data.length; row++) {
    if (!isValid(data, row)) continue;
    const from = offsets === undefined ? row * stride : Number(offsets[row]);
    const to = offsets === undefined ? from + stride : Number(offsets[row + 1]);
    const lead = from < to ? bytes[from]! : -1;
    if (lead > first && lead < last) continue;
    if (min === undefined || below(bytes, from, to, min)) {
      min = bytes.subarray(from, to);
      first = lead;
    }
    if (max === undefined || above(bytes, from, to, max)) {
      max = bytes.subarray(from, to);
      last = lead;
    }
  }
  return { min: min!.slice(0, boundBytes), max: roundedUp(max!) };
}

/** Whether bytes `from … to` order before `other`. */
function below(bytes: Uint8Array, from: number, to: number, other: Uint8Array): boolean {
  const length = Math.min(to - from, other.length);
  for (let at = 0; at < length; at++) {
    const difference = bytes[from + at]! - other[at]!;
    if (difference !== 0) return difference < 0;
  }
  return to - from < other.length;
}

function above(bytes: Uint8Array, from: number, to: number, other: Uint8Array): boolean {
  const length = Math.min(to - from, other.length);
  for (let at = 0; at < length; at++) {
    const difference = bytes[from + at]! - other[at]!;
    if (difference !== 0) return difference > 0;
  }
  return to - from > other.length;
}

/** The least cut value that is not below `bytes`; null where there is none. */
function roundedUp(bytes: Uint8Array): Uint8Array | null {
  if (bytes.length <= boundBytes) return bytes.slice();
  const cut = bytes.slice(0, boundBytes);
  for (let at = boundBytes - 1; at >= 0; at--) {
    if (cut[at]! < 0xff) {
      cut[at]!++;
      return cut.slice(0, at + 1);
    }
  }
  return null;
}

/**
 * The zone of the values that the indices point at. Bounds are given where every value of the dictionary is used, which
 * is when the dictionary was made for this batch.
 */
function dictionaryZone(data: Data): Zone {
  const type = data.type as Dictionary;
  const chunks = data.dictionary?.data ?? [];
  const indices = data.values as ArrayLike<number | bigint>;
  const used = new Set<number>();
  let nulls = data.nullCount;
  const isNull = nullIn(chunks);
  for (let row = 0; row < data.length; row++) {
    if (!isValid(data, row)) continue;
    const at = Number(indices[row]);
    used.add(at);
    if (isNull?.(at)) nulls++;
  }
  const [chunk] = chunks;
  const whole = chunks.length === 1 && used.size === chunk!.length && !DataType.isDictionary(type.dictionary);
  if (!whole) return { nulls, min: null, max: null };
  return { ...zoneOf(chunk!), nulls };
}

/** Whether a value of a dictionary is null; undefined where none is. */
function nullIn(chunks: readonly Data[]): ((at: number) => boolean) | undefined {
  if (chunks.every((chunk) => chunk.nullCount === 0)) return undefined;
  const nulls: boolean[] = [];
  for (const chunk of chunks) for (let row = 0; row < chunk.length; row++) nulls.push(!isValid(chunk, row));
  return (at) => nulls[at] === true;
}

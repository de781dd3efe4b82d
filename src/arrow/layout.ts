import { DataType, type Dictionary, type FixedSizeList, Type } from 'apache-arrow';
import { SpiralError } from '../core/errors.js';

/** A typed array that holds the values of a fixed-width column. */
export type ValueArray =
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Float32Array
  | Float64Array;

/** The constructor of a {@link ValueArray} as a view of bytes that are there. */
export interface ValueArrayConstructor {
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): ValueArray;
  readonly BYTES_PER_ELEMENT: number;
}

/**
 * How the buffers of a column of one type lie in memory (Arrow columnar format 1.5, "Physical memory layout"). Each has
 * a validity bitmap first; then `fixed`: `stride` elements of `array` a row; `bits`: one bit a row; `bytes`: offsets and
 * bytes; `list`: offsets and a child; `fixedList`: a child of `size` rows a row; `struct`: a child a field.
 */
export type Layout =
  | { readonly kind: 'fixed'; readonly array: ValueArrayConstructor; readonly stride: number }
  | { readonly kind: 'bits' }
  | { readonly kind: 'bytes'; readonly wide: boolean }
  | { readonly kind: 'list'; readonly wide: boolean }
  | { readonly kind: 'fixedList'; readonly size: number }
  | { readonly kind: 'struct' };

/**
 * The layout of `type`; a dictionary column has the layout of its indices.
 *
 * @throws SpiralError `unsupported_type` for unions, maps, views, intervals and null columns, and for decimals of other widths
 * than 128 and 256 bits or of more digits than these hold.
 */
export function layoutOf(type: DataType): Layout {
  switch (type.typeId) {
    case Type.Bool:
      return { kind: 'bits' };
    case Type.Utf8:
    case Type.Binary:
      return { kind: 'bytes', wide: false };
    case Type.LargeUtf8:
    case Type.LargeBinary:
      return { kind: 'bytes', wide: true };
    case Type.List:
      return { kind: 'list', wide: false };
    case Type.LargeList:
      return { kind: 'list', wide: true };
    case Type.FixedSizeList:
      return { kind: 'fixedList', size: (type as FixedSizeList).listSize };
    case Type.Struct:
      return { kind: 'struct' };
    case Type.Dictionary:
      return layoutOf((type as Dictionary).indices);
  }
  const stride = fixedStride(type);
  if (stride === 0 || !isSoundDecimal(type)) {
    throw new SpiralError('unsupported_type', `Columns of the Arrow type ${type} are not supported.`, {
      details: { type: String(type) },
    });
  }
  return { kind: 'fixed', array: type.ArrayType as ValueArrayConstructor, stride };
}

/** Digits that 256 bits hold. */
const digitsMax = 76;

/** Whether `type`, where it is a decimal, has as many bits and digits as there are decimals of: each becomes text of so many. */
function isSoundDecimal(type: DataType): boolean {
  if (!DataType.isDecimal(type)) return true;
  const { bitWidth, precision, scale } = type;
  return (bitWidth === 128 || bitWidth === 256) && precision <= digitsMax && Math.abs(scale) <= digitsMax;
}

/** Bytes of one row of a `fixed` layout. */
export function fixedWidth(layout: { array: ValueArrayConstructor; stride: number }): number {
  return layout.array.BYTES_PER_ELEMENT * layout.stride;
}

/** Whether rows of the type, children included, all take the same number of bytes. */
export function isFixedSize(type: DataType): boolean {
  const layout = layoutOf(type);
  if (layout.kind === 'fixedList' || layout.kind === 'struct') {
    return type.children.every((field) => isFixedSize(field.type));
  }
  return layout.kind === 'fixed' || layout.kind === 'bits';
}

/**
 * Bytes of a row of a column that is nothing but values of one width where none is null: numbers, times, fixed-size binary,
 * and fixed-size lists of these. Undefined for others.
 */
export function plainRowBytes(type: DataType): number | undefined {
  if (DataType.isDictionary(type)) return undefined;
  const layout = layoutOf(type);
  if (layout.kind === 'fixed') return fixedWidth(layout);
  if (layout.kind !== 'fixedList') return undefined;
  const item = type.children[0]!.type;
  return item.children?.length > 0 ? undefined : times(plainRowBytes(item), layout.size);
}

const times = (bytes: number | undefined, count: number): number | undefined => bytes && bytes * count;

/** What a column is made of, its children's included. */
export interface LayoutCounts {
  /** Field nodes of a record batch. */
  readonly nodes: number;
  readonly buffers: number;
}

/** How many nodes and buffers a column of `type` has. */
export function layoutCounts(type: DataType): LayoutCounts {
  const { kind } = layoutOf(type);
  const counts = { nodes: 1, buffers: kind === 'struct' || kind === 'fixedList' ? 1 : kind === 'bytes' ? 3 : 2 };
  if (DataType.isDictionary(type)) return counts;
  for (const field of type.children ?? []) {
    const inner = layoutCounts(field.type);
    counts.nodes += inner.nodes;
    counts.buffers += inner.buffers;
  }
  return counts;
}

/** Elements of its array that one row of a `fixed` layout takes; 0 for types that are none. */
export function fixedStride(type: DataType): number {
  switch (type.typeId) {
    case Type.Int:
    case Type.Float:
    case Type.Date:
    case Type.Time:
    case Type.Timestamp:
    case Type.Duration:
      return 1;
    case Type.Decimal:
      return (type as DataType & { bitWidth: number }).bitWidth / 32;
    case Type.FixedSizeBinary:
      return (type as DataType & { byteWidth: number }).byteWidth;
    default:
      return 0;
  }
}

import { Data, DataType, type Vector } from 'apache-arrow';
import { SpiralError } from '../core/errors.js';
import { bitBytes, copyBits } from './bits.js';
import { layoutOf } from './layout.js';

/**
 * A column as plain buffers, in the order of Arrow's record batch messages (a node's own buffers, then its children's),
 * each starting at row 0: what a file stores and what crosses to another thread.
 */
export interface FlatColumn {
  /** Length and null count of each node, one after the other. */
  readonly nodes: number[];
  readonly buffers: Uint8Array[];
}

const none = new Uint8Array(0);

/** Takes `data` apart. Buffers are views where they lie right and copies where bits or offsets have to be moved. */
export function flattenData(data: Data, into: FlatColumn = { nodes: [], buffers: [] }): FlatColumn {
  const { type, length } = data;
  const layout = layoutOf(type);
  const nullCount = data.nullCount;
  into.nodes.push(length, nullCount);
  into.buffers.push(nullCount === 0 ? none : bitsFrom(data.nullBitmap!, data.offset, length));
  switch (layout.kind) {
    case 'fixed':
      into.buffers.push(bytesOf(data.values as ArrayBufferView, length * layout.stride));
      break;
    case 'bits':
      into.buffers.push(bitsFrom(data.values as Uint8Array, data.offset, length));
      break;
    case 'bytes': {
      const { offsets, begin, end } = rebasedOffsets(data);
      into.buffers.push(offsets, (data.values as Uint8Array).subarray(begin, end));
      break;
    }
    case 'list': {
      const { offsets, begin, end } = rebasedOffsets(data);
      into.buffers.push(offsets);
      flattenData(sliced(data.children[0]!, begin, end - begin), into);
      break;
    }
    case 'fixedList':
      flattenData(sliced(data.children[0]!, 0, length * layout.size), into);
      break;
    case 'struct':
      for (const child of data.children) flattenData(sliced(child, 0, length), into);
      break;
  }
  return into;
}

/** Where {@link assembleData} is in the nodes and buffers it reads. */
export interface FlatCursor {
  readonly nodes: ArrayLike<number>;
  readonly buffers: readonly Uint8Array[];
  node: number;
  buffer: number;
  /** That offsets ascend is known from an earlier read of the same bytes: they are not gone through again. */
  readonly inOrder?: boolean;
}

/**
 * Builds a column of `type` over buffers, without a copy. The inverse of {@link flattenData}.
 *
 * Every size is checked against what the type and length need, so that a damaged file cannot make a column that reads
 * outside its buffers.
 *
 * @throws SpiralError `corrupt_file` (without a place: the caller knows the file) when a buffer is too small or an
 * offset out of order.
 */
export function assembleData(type: DataType, cursor: FlatCursor, dictionary?: Vector): Data {
  const layout = layoutOf(type);
  const length = cursor.nodes[cursor.node++]!;
  const nullCount = cursor.nodes[cursor.node++]!;
  const validity = nextBuffer(cursor, nullCount === 0 ? 0 : bitBytes(length));
  const bitmap = nullCount === 0 ? undefined : validity;
  const make = (offsets: unknown, values: unknown, children: Data[] = []): Data =>
    new Data(type, 0, length, nullCount, [offsets, values, bitmap] as never, children, dictionary);
  switch (layout.kind) {
    case 'fixed': {
      const bytes = nextBuffer(cursor, length * layout.stride * layout.array.BYTES_PER_ELEMENT);
      return make(undefined, new layout.array(bytes.buffer, bytes.byteOffset, length * layout.stride));
    }
    case 'bits':
      return make(undefined, nextBuffer(cursor, bitBytes(length)));
    case 'bytes': {
      const offsets = nextOffsets(cursor, layout.wide, length);
      const bytes = cursor.buffers[cursor.buffer++]!;
      if (Number(offsets[length]) > bytes.byteLength) throw damaged('offsets end behind their bytes');
      return make(offsets, bytes);
    }
    case 'list': {
      const offsets = nextOffsets(cursor, layout.wide, length);
      const child = assembleData(childType(type, 0), cursor);
      if (Number(offsets[length]) > child.length) throw damaged('offsets end behind their child');
      return make(offsets, undefined, [child]);
    }
    case 'fixedList': {
      const child = assembleData(childType(type, 0), cursor);
      if (child.length < length * layout.size) throw damaged('a fixed-size list is short of values');
      return make(undefined, undefined, [child]);
    }
    case 'struct': {
      const children = type.children.map((field) => assembleData(field.type, cursor));
      if (children.some((child) => child.length < length)) throw damaged('a child of a struct is short of values');
      return make(undefined, undefined, children);
    }
  }
}

/** The bytes of `count` elements from the start of `view`. */
function bytesOf(view: ArrayBufferView & { BYTES_PER_ELEMENT?: number }, count: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, count * (view.BYTES_PER_ELEMENT ?? 1));
}

function bitsFrom(bits: Uint8Array, offset: number, length: number): Uint8Array {
  if ((offset & 7) === 0 && (length & 7) === 0) return bits.subarray(offset >> 3, (offset >> 3) + bitBytes(length));
  const moved = new Uint8Array(bitBytes(length));
  copyBits(bits, offset, moved, 0, length);
  return moved;
}

function sliced(data: Data, offset: number, length: number): Data {
  return offset === 0 && length === data.length ? data : data.slice(offset, length);
}

function rebasedOffsets(data: Data): { offsets: Uint8Array; begin: number; end: number } {
  const { length } = data;
  const own = (data.valueOffsets as Int32Array | BigInt64Array).subarray(0, length + 1);
  if (own.length === 0) return { offsets: new Uint8Array(layoutWidth(own)), begin: 0, end: 0 };
  const begin = Number(own[0]);
  const end = Number(own[length]);
  if (begin === 0) return { offsets: bytesOf(own, length + 1), begin, end };
  const moved = own.slice();
  if (moved instanceof BigInt64Array) for (let at = 0; at <= length; at++) moved[at]! -= BigInt(begin);
  else for (let at = 0; at <= length; at++) moved[at]! -= begin;
  return { offsets: bytesOf(moved, length + 1), begin, end };
}

const layoutWidth = (offsets: Int32Array | BigInt64Array): number => offsets.BYTES_PER_ELEMENT;

function nextBuffer(cursor: FlatCursor, bytes: number): Uint8Array {
  const buffer = cursor.buffers[cursor.buffer++];
  if (buffer === undefined || buffer.byteLength < bytes) {
    throw damaged(`a buffer holds ${buffer?.byteLength ?? 0} bytes where ${bytes} are needed`);
  }
  return buffer;
}

function nextOffsets(cursor: FlatCursor, wide: boolean, length: number): Int32Array | BigInt64Array {
  const stored = cursor.buffers[cursor.buffer];
  if (length === 0 && stored !== undefined && stored.byteLength === 0) {
    cursor.buffer++;
    return wide ? new BigInt64Array(1) : new Int32Array(1);
  }
  const bytes = nextBuffer(cursor, (length + 1) * (wide ? 8 : 4));
  const offsets = wide
    ? new BigInt64Array(bytes.buffer, bytes.byteOffset, length + 1)
    : new Int32Array(bytes.buffer, bytes.byteOffset, length + 1);
  if (cursor.inOrder !== true && !ascending(offsets)) throw damaged('offsets are not in order');
  return offsets;
}

function ascending(offsets: Int32Array | BigInt64Array): boolean {
  return offsets instanceof Int32Array ? ascending4(offsets) : ascending8(offsets);
}

function ascending4(offsets: Int32Array): boolean {
  let before = 0;
  for (let at = 0; at < offsets.length; at++) {
    const offset = offsets[at]!;
    if (offset < before) return false;
    before = offset;
  }
  return true;
}

function ascending8(offsets: BigInt64Array): boolean {
  let before = 0n;
  for (let at = 0; at < offsets.length; at++) {
    const offset = offsets[at]!;
    if (offset < before) return false;
    before = offset;
  }
  return true;
}

function childType(type: DataType, index: number): DataType {
  return type.children[index]!.type;
}

function damaged(what: string): SpiralError {
  return new SpiralError('corrupt_file', `Expected a whole column, but ${what}.`, { details: { what } });
}

/** Whether `type` or a type inside it is dictionary-encoded below the top, which this package does not store. */
export function hasInnerDictionary(type: DataType): boolean {
  if (DataType.isDictionary(type)) return hasInnerDictionary(type.dictionary) || DataType.isDictionary(type.dictionary);
  return (type.children ?? []).some((field) => DataType.isDictionary(field.type) || hasInnerDictionary(field.type));
}

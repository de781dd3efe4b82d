import { DataType } from 'apache-arrow';
import { bitBytes } from '../arrow/bits.js';
import { fixedWidth, layoutOf } from '../arrow/layout.js';

/**
 * What one stored buffer holds: bits or `width` bytes for each row of node number `node`; offsets, of which there is one
 * more than rows; or the bytes that the offsets in the buffer before point at.
 */
export interface BufferRole {
  readonly kind: 'validity' | 'bits' | 'values' | 'offsets' | 'bytes';
  readonly node: number;
  /** Bytes of a value; of an offset for `offsets` and `bytes`; 0 for bits. */
  readonly width: number;
}

/** The roles of all buffers of columns of `types`, in the order in which they are stored. */
export function bufferRoles(types: readonly DataType[]): BufferRole[] {
  const roles: BufferRole[] = [];
  let node = 0;
  for (const type of types) node = addRoles(type, node, roles);
  return roles;
}

/**
 * Bytes that buffer `at` must hold. `nodes` are lengths and null counts in turn; the offsets before a `bytes` buffer must
 * be in `buffers`.
 */
export function neededBytes(
  roles: readonly BufferRole[],
  at: number,
  nodes: ArrayLike<number>,
  buffers: readonly Uint8Array[],
): number {
  const { kind, node, width } = roles[at]!;
  const length = nodes[2 * node]!;
  if (kind === 'values') return length * width;
  if (kind === 'offsets') return (length + 1) * width;
  if (kind === 'bits') return bitBytes(length);
  if (kind === 'validity') return nodes[2 * node + 1] === 0 ? 0 : bitBytes(length);
  const { buffer, byteOffset, byteLength } = buffers[at - 1]!;
  if (byteLength < (length + 1) * width) return 0;
  const view = new DataView(buffer, byteOffset, byteLength);
  return width === 8 ? Number(view.getBigInt64(length * 8, true)) : view.getInt32(length * 4, true);
}

/** Adds the roles of one column whose first node has number `node`; returns the number of the next column's. */
function addRoles(type: DataType, node: number, roles: BufferRole[]): number {
  const layout = layoutOf(type);
  roles.push({ kind: 'validity', node, width: 0 });
  switch (layout.kind) {
    case 'fixed':
      roles.push({ kind: 'values', node, width: fixedWidth(layout) });
      break;
    case 'bits':
      roles.push({ kind: 'bits', node, width: 0 });
      break;
    case 'bytes':
      roles.push({ kind: 'offsets', node, width: layout.wide ? 8 : 4 });
      roles.push({ kind: 'bytes', node, width: layout.wide ? 8 : 4 });
      break;
    case 'list':
      roles.push({ kind: 'offsets', node, width: layout.wide ? 8 : 4 });
      break;
  }
  let next = node + 1;
  if (DataType.isDictionary(type)) return next;
  for (const field of type.children ?? []) next = addRoles(field.type, next, roles);
  return next;
}

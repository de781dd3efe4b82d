import type { Data } from 'apache-arrow';
import type { Lease } from '../core/memory-pool.js';

/** Bytes of `data` that are no memory of `lease`. */
export function bytesBeside(data: Data, lease: Lease): number {
  let bytes = data.children.reduce((sum, child) => sum + bytesBeside(child, lease), 0);
  for (const buffer of [data.valueOffsets, data.values, data.nullBitmap] as (ArrayBufferView | undefined | null)[]) {
    if (buffer !== undefined && buffer !== null && !lease.owns(buffer)) bytes += buffer.byteLength;
  }
  return bytes;
}

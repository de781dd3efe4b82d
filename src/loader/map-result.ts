import type { BadRow } from './bad-row.js';

/**
 * What a transform returned, as it leaves the thread: packed by msgpackr, but for large typed arrays and Arrow data, which
 * lie beside it, each as a buffer of its own that is transferred and never copied again. Opaque on its way.
 */
export interface PackedResult {
  readonly bytes: ArrayBuffer;
  readonly parts: readonly LoosePart[];
  /** Which part belongs where. */
  readonly places: readonly { readonly path: Path; readonly part: number }[];
}

/** A packed result; null drops the batch. */
export type MapResult = PackedResult | null;

/** A packed result, the rows that had to be skipped for it, and the milliseconds that it took to make. */
export interface TimedResult {
  readonly mapped: MapResult;
  readonly bad: readonly BadRow[];
  readonly mapMs: number;
}

/** Keys and indices from the root on, an entry of a Map by its number. */
export type Path = readonly (string | number)[];

/** Data that lies beside the packed rest. Arrow data as an IPC stream, a vector as a table of one column. */
export interface LoosePart {
  readonly kind: ArrayKind | 'ArrayBuffer' | 'DataView' | 'RecordBatch' | 'Table' | 'Vector';
  readonly buffer: ArrayBuffer;
}

export type ArrayKind =
  | 'Int8Array'
  | 'Uint8Array'
  | 'Uint8ClampedArray'
  | 'Int16Array'
  | 'Uint16Array'
  | 'Int32Array'
  | 'Uint32Array'
  | 'Float32Array'
  | 'Float64Array'
  | 'BigInt64Array'
  | 'BigUint64Array';

/** Bytes that a result takes on its way. */
export function resultBytes(result: MapResult): number {
  return result === null
    ? 0
    : result.parts.reduce((sum, { buffer }) => sum + buffer.byteLength, result.bytes.byteLength);
}

/** The buffers of a result, for handing them over. */
export function resultBuffers(result: MapResult): ArrayBuffer[] {
  return result === null ? [] : [result.bytes, ...result.parts.map(({ buffer }) => buffer)];
}

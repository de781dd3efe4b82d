import { type Data, DataType } from 'apache-arrow';
import { type FlatColumn, flattenData } from '../arrow/flat.js';
import { gatherColumn } from '../arrow/gather.js';
import { layoutOf } from '../arrow/layout.js';
import { allRanges } from '../arrow/ranges.js';
import { columnSources } from '../arrow/sources.js';
import { boundBytes, type Zone, zoneOf } from './zone-map.js';

/** As {@link FlatColumn}, each buffer in the chunks that follow one another in it. */
export interface ChunkedColumn {
  readonly nodes: number[];
  readonly buffers: Uint8Array[][];
}

/**
 * One column of a record batch from `parts` of it, in order, without copying what is large: vectors, text and binary stay
 * where they are. Other columns, and those with nulls, are copied into one part.
 *
 * @throws SpiralError `limit_exceeded` for text and binary too long for their offsets, and for too many dictionary values.
 */
export function joinParts(type: DataType, parts: readonly Data[]): readonly Data[] {
  if (parts.length === 1 || (canStay(type) && parts.every(isFull) && fits(type, parts))) return parts;
  return [gatherColumn(columnSources(type, parts), allRanges(parts.map((part) => part.length)))];
}

/** Appends the nodes and buffers of the column that `parts`, as {@link joinParts} gave them, make. */
export function flattenParts(parts: readonly Data[], into: ChunkedColumn): void {
  const flat = parts.map((part) => flattenData(part));
  const [first] = flat;
  if (flat.length === 1) {
    append(first!, into);
    return;
  }
  for (let at = 0; at < first!.nodes.length; at++) {
    into.nodes.push(flat.reduce((sum, part) => sum + part.nodes[at]!, 0));
  }
  const withOffsets = layoutOf(parts[0]!.type).kind === 'bytes';
  for (let at = 0; at < first!.buffers.length; at++) {
    const chunks = flat.map((part) => part.buffers[at]!);
    into.buffers.push(withOffsets && at === 1 ? [joinedOffsets(parts, chunks)] : chunks);
  }
}

/** The zone of the column that `parts` make. */
export function zoneOfParts(parts: readonly Data[]): Zone {
  const zones = parts.map(zoneOf);
  if (zones.length === 1) return zones[0]!;
  const [first] = zones;
  if (!(first!.min instanceof Uint8Array)) return first!;
  const mins = zones.map(({ min }) => min as Uint8Array).sort(Buffer.compare);
  const maxs = zones.map(({ max }) => max as Uint8Array | null);
  // A bound that could not be rounded up bounds nothing, and so for all.
  const max = maxs.includes(null) ? null : (maxs as Uint8Array[]).sort(Buffer.compare).at(-1)!;
  return { nulls: 0, min: mins[0]!.subarray(0, boundBytes), max };
}

/** Takes over a column of one part. */
function append(flat: FlatColumn, into: ChunkedColumn): void {
  for (const node of flat.nodes) into.nodes.push(node);
  for (const buffer of flat.buffers) into.buffers.push([buffer]);
}

/** Whether the large buffers of columns of `type` follow one another as they are. */
function canStay(type: DataType): boolean {
  const { kind } = layoutOf(type);
  if (kind === 'bytes') return true;
  return kind === 'fixedList' && layoutOf(type.children[0]!.type).kind === 'fixed' && !isCoded(type.children[0]!.type);
}

const isCoded = (type: DataType): boolean => DataType.isDictionary(type);

/** Whether offsets of the type reach over the bytes of all parts; gathering refuses those that they do not. */
function fits(type: DataType, parts: readonly Data[]): boolean {
  const layout = layoutOf(type);
  if (layout.kind !== 'bytes' || layout.wide) return true;
  const bytesOf = ({ valueOffsets, length }: Data): number => valueOffsets[length]! - valueOffsets[0]!;
  return parts.reduce((sum, part) => sum + bytesOf(part), 0) <= 0x7fff_ffff;
}

/** Whether a column has rows, and a value in each of them and of their elements. */
function isFull(part: Data): boolean {
  return part.length > 0 && part.nullCount === 0 && part.children.every((child) => child.nullCount === 0);
}

/** Offsets of all parts, each of which begins with 0, as those of one column. */
function joinedOffsets(parts: readonly Data[], chunks: readonly Uint8Array[]): Uint8Array {
  const rows = parts.reduce((sum, part) => sum + part.length, 0);
  const wide = (layoutOf(parts[0]!.type) as { wide: boolean }).wide;
  return wide ? wideOffsets(chunks, rows) : narrowOffsets(chunks, rows);
}

function narrowOffsets(chunks: readonly Uint8Array[], rows: number): Uint8Array {
  const joined = new Int32Array(rows + 1);
  let [at, base] = [0, 0];
  for (const { buffer, byteOffset, byteLength } of chunks) {
    const own = new Int32Array(buffer, byteOffset, byteLength / 4);
    for (let row = 1; row < own.length; row++) joined[at + row] = own[row]! + base;
    at += own.length - 1;
    base = joined[at]!;
  }
  return new Uint8Array(joined.buffer);
}

function wideOffsets(chunks: readonly Uint8Array[], rows: number): Uint8Array {
  const joined = new BigInt64Array(rows + 1);
  let [at, base] = [0, 0n];
  for (const { buffer, byteOffset, byteLength } of chunks) {
    const own = new BigInt64Array(buffer, byteOffset, byteLength / 8);
    for (let row = 1; row < own.length; row++) joined[at + row] = own[row]! + base;
    at += own.length - 1;
    base = joined[at]!;
  }
  return new Uint8Array(joined.buffer);
}

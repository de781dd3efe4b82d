// Without its native part, which takes a thread ten milliseconds to load, more than what is packed here.
import { Packr } from 'msgpackr/pack';
import { isSpiralError, SpiralError } from '../core/errors.js';
import type { Compression } from './codec.js';
import { corrupt } from './corrupt.js';
import type { Bound, Zone } from './zone-map.js';

/** Where the stored buffers of one record batch or dictionary are, and what they must sum to. */
export interface StoredBatch {
  readonly rows: number;
  /** Place in the file of the first stored buffer's body. */
  readonly bodyOffset: number;
  /** Length and null count of every node, columns in order. */
  readonly nodes: Float64Array;
  /** Offsets of the buffers in the body, stored lengths in bytes, and CRC-32 of the stored bytes. */
  readonly offsets: Float64Array;
  readonly lengths: Float64Array;
  readonly checksums: Uint32Array;
}

/**
 * What a data file knows of itself beyond Arrow's footer, which holds this in its schema's metadata under
 * {@link indexKey}: with it one read of the file's end opens the file, and no record batch message is ever read.
 */
export interface FileIndex {
  readonly compression: Compression;
  readonly batches: readonly StoredBatch[];
  /** The dictionary of each dictionary-encoded column, by column number. */
  readonly dictionaries: ReadonlyMap<number, StoredBatch>;
  /** Zone maps: `zones[column][batch]`. */
  readonly zones: readonly (readonly Zone[])[];
}

/** The metadata key of the index, base64 of msgpack. */
export const indexKey = 'spiral.index';
/** The metadata key of the footer's own CRC-32. */
export const footerChecksumKey = 'spiral.footer';
/** What stands before its eight hexadecimal digits, which count as zeros when it is computed. */
export const footerChecksumMark = 'spiral.footer:crc32=';
/** The version of the index's layout, raised when older readers could not read it. */
const indexVersion = 1;

const packr = new Packr({ useRecords: false });

/** Where the digits of the checksum stand in `footer`; -1 where there is none, or more than one. */
export function footerChecksumPlace(footer: Uint8Array): number {
  const view = Buffer.from(footer.buffer, footer.byteOffset, footer.byteLength);
  const at = view.indexOf(footerChecksumMark, 0, 'latin1');
  return at < 0 || view.indexOf(footerChecksumMark, at + 1, 'latin1') >= 0 ? -1 : at + footerChecksumMark.length;
}

/** The index as text for the footer. */
export function encodeIndex(index: FileIndex): string {
  const packed = packr.pack({
    v: indexVersion,
    c: index.compression,
    b: index.batches.map(packBatch),
    d: [...index.dictionaries].map(([column, batch]) => [column, packBatch(batch)]),
    z: index.zones.map((column) =>
      column.map((zone) => [zone.nulls, packBound(zone.min), packBound(zone.max), zone.nan === true]),
    ),
  });
  return Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength).toString('base64');
}

/**
 * The index of a footer whose checksum held. Its numbers are still to be checked, by `checkIndex`.
 *
 * @throws SpiralError `unsupported` for an index of a newer version, `corrupt_file` for one that cannot be read.
 */
export function decodeIndex(text: string, file: string): FileIndex {
  try {
    const raw = packr.unpack(Buffer.from(text, 'base64')) as RawIndex;
    checkVersion(raw.v, file);
    return {
      compression: raw.c,
      batches: unpackBatches(raw.b),
      dictionaries: unpackDictionaries(raw.d),
      zones: raw.z.map((column) => column.map(unpackZone)),
    };
  } catch (error) {
    if (isSpiralError(error)) throw error;
    throw corrupt(file, 'a readable index in its footer', 'damaged metadata', error);
  }
}

function checkVersion(version: number, file: string): void {
  if (version === indexVersion) return;
  throw new SpiralError(
    'unsupported',
    `Expected ${file} to have a file index of version ${indexVersion}, found version ${version}. ` +
      'It was written by a newer spiral-loader: update this one.',
    { details: { file, expected: indexVersion, found: version } },
  );
}

interface RawIndex {
  v: number;
  c: Compression;
  b: RawBatch[];
  d: [number, RawBatch][];
  z: RawZone[][];
}

/** A bound as it is packed: `bigint` as decimal text, as msgpack has 64 bits and decimals have up to 256. */
type RawBound = Exclude<Bound, bigint> | string;
type RawZone = [nulls: number, min: RawBound, max: RawBound, nan: boolean];

type RawBatch = [
  rows: number,
  body: number,
  nodes: Uint8Array,
  offsets: Uint8Array,
  lengths: Uint8Array,
  sums: Uint8Array,
];

function packBatch(batch: StoredBatch): RawBatch {
  const { rows, bodyOffset, nodes, offsets, lengths, checksums } = batch;
  return [rows, bodyOffset, bytes(nodes), bytes(offsets), bytes(lengths), bytes(checksums)];
}

function unpackDictionaries(raw: RawIndex['d']): Map<number, StoredBatch> {
  const batches = unpackBatches(raw.map(([, batch]) => batch));
  return new Map(raw.map(([column], at) => [column, batches[at]!]));
}

/** All numbers are in one memory: with some for each batch, a file of 100,000 takes half a second to open. */
function unpackBatches(raw: readonly RawBatch[]): StoredBatch[] {
  let size = 0;
  for (const [, , ...parts] of raw) for (const part of parts) size += aligned(part.byteLength);
  const memory = new Uint8Array(size);
  let end = 0;
  const placed = (part: Uint8Array): number => {
    const at = end;
    memory.set(part, at);
    end += aligned(part.byteLength);
    return at;
  };
  const floats = (part: Uint8Array): Float64Array =>
    new Float64Array(memory.buffer, placed(part), countOf(part, Float64Array.BYTES_PER_ELEMENT));
  return raw.map(([rows, bodyOffset, nodes, offsets, lengths, sums]) => ({
    rows,
    bodyOffset,
    nodes: floats(nodes),
    offsets: floats(offsets),
    lengths: floats(lengths),
    checksums: new Uint32Array(memory.buffer, placed(sums), countOf(sums, Uint32Array.BYTES_PER_ELEMENT)),
  }));
}

/** Numbers of `width` bytes in `part`. @throws RangeError where they are not whole: the index is damaged. */
function countOf(part: Uint8Array, width: number): number {
  if (part.byteLength % width === 0) return part.byteLength / width;
  throw new RangeError(`${part.byteLength} bytes are no numbers of ${width}.`);
}

/** Bytes that `bytes` take where each array begins at a place that any number may be at. */
function aligned(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

function packBound(bound: Bound): RawBound {
  return typeof bound === 'bigint' ? String(bound) : bound;
}

function unpackBound(bound: RawBound): Bound {
  if (typeof bound === 'string') return BigInt(bound);
  // Copied, as what msgpackr gives is a view that keeps the whole index in memory.
  return bound instanceof Uint8Array ? new Uint8Array(bound) : bound;
}

function unpackZone([nulls, packedMin, packedMax, nan]: RawZone): Zone {
  const min = unpackBound(packedMin);
  const max = unpackBound(packedMax);
  return nan ? { nulls, min, max, nan } : { nulls, min, max };
}

function bytes(array: Float64Array | Uint32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

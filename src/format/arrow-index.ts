import { Packr } from 'msgpackr';
import { SpiralError } from '../core/errors.js';
import type { Compression } from './codec.js';
import type { Zone } from './zone-map.js';

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

const packr = new Packr({ useRecords: false, int64AsType: 'bigint' });

/** The index as text for the footer. */
export function encodeIndex(index: FileIndex): string {
  const packed = packr.pack({
    v: indexVersion,
    c: index.compression,
    b: index.batches.map(packBatch),
    d: [...index.dictionaries].map(([column, batch]) => [column, packBatch(batch)]),
    z: index.zones.map((column) => column.map((zone) => [zone.nulls, zone.min, zone.max, zone.nan === true])),
  });
  return Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength).toString('base64');
}

/**
 * The index of a footer whose checksum held.
 *
 * @throws SpiralError `unsupported` for an index of a newer version.
 */
export function decodeIndex(text: string, file: string): FileIndex {
  const raw = packr.unpack(Buffer.from(text, 'base64')) as RawIndex;
  if (raw.v !== indexVersion) {
    throw new SpiralError(
      'unsupported',
      `Expected ${file} to have a file index of version ${indexVersion}, found version ${raw.v}. ` +
        'It was written by a newer spiral-loader: update this one.',
      { details: { file, expected: indexVersion, found: raw.v } },
    );
  }
  return {
    compression: raw.c,
    batches: raw.b.map(unpackBatch),
    dictionaries: new Map(raw.d.map(([column, batch]) => [column, unpackBatch(batch)])),
    zones: raw.z.map((column) =>
      column.map(([nulls, min, max, nan]) => (nan ? { nulls, min, max, nan } : { nulls, min, max })),
    ),
  };
}

interface RawIndex {
  v: number;
  c: Compression;
  b: RawBatch[];
  d: [number, RawBatch][];
  z: [number, Zone['min'], Zone['max'], boolean][][];
}

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

function unpackBatch([rows, bodyOffset, nodes, offsets, lengths, sums]: RawBatch): StoredBatch {
  return {
    rows,
    bodyOffset,
    nodes: new Float64Array(aligned(nodes)),
    offsets: new Float64Array(aligned(offsets)),
    lengths: new Float64Array(aligned(lengths)),
    checksums: new Uint32Array(aligned(sums)),
  };
}

function bytes(array: Float64Array | Uint32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function aligned(packed: Uint8Array): ArrayBuffer {
  return Uint8Array.from(packed).buffer;
}

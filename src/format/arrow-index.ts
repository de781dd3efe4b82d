// Without its native part, which takes a thread ten milliseconds to load, more than what is packed here.
import { Packr } from 'msgpackr/pack';
import { isSpiralError, SpiralError } from '../core/errors.js';
import type { Compression } from './codec.js';
import { corrupt } from './corrupt.js';
import { type ListedZone, type PackedZones, packZones, unlistZones, unpackZones } from './packed-zones.js';
import {
  type ListedBatch,
  listBatch,
  type PackedBatches,
  packBatches,
  type StoredBatch,
  unlistBatches,
  unpackBatches,
} from './stored-batches.js';
import type { Zone } from './zone-map.js';

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
const indexVersion = 2;

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
    b: packBatches(index.batches),
    d: [...index.dictionaries].map(([column, batch]) => [column, listBatch(batch)]),
    z: index.zones.map(packZones),
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
    const raw = packr.unpack(Buffer.from(text, 'base64')) as RawIndex | ListedIndex;
    checkVersion(raw.v, file);
    const dictionaries = unlistBatches(raw.d.map(([, batch]) => batch));
    return {
      compression: raw.c,
      dictionaries: new Map(raw.d.map(([column], at) => [column, dictionaries[at]!])),
      batches: raw.v === 1 ? unlistBatches(raw.b) : unpackBatches(raw.b),
      zones: raw.v === 1 ? unlistZones(raw.z, raw.b.length) : unpackZones(raw.z, raw.b.n),
    };
  } catch (error) {
    if (isSpiralError(error)) throw error;
    throw corrupt(file, 'a readable index in its footer', 'damaged metadata', error);
  }
}

function checkVersion(version: number, file: string): void {
  if (version === 1 || version === indexVersion) return;
  throw new SpiralError(
    'unsupported',
    `Expected ${file} to have a file index of version ${indexVersion} at most, found version ${version}. ` +
      'It was written by a newer spiral-loader: update this one.',
    { details: { file, expected: indexVersion, found: version } },
  );
}

interface RawIndex {
  v: typeof indexVersion;
  c: Compression;
  b: PackedBatches;
  d: [number, ListedBatch][];
  z: PackedZones[];
}

/** Version 1: batch by batch. */
interface ListedIndex {
  v: 1;
  c: Compression;
  b: ListedBatch[];
  d: [number, ListedBatch][];
  z: ListedZone[][];
}

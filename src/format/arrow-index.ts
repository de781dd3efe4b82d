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

/** All numbers are in one memory each kind: a file may have 100,000 batches, of which few are ever read. */
function unpackBatches(raw: readonly RawBatch[]): StoredBatch[] {
  let [floatCount, sumCount] = [0, 0];
  for (const [, , nodes, offsets, lengths, sums] of raw) {
    floatCount += countOf(nodes, 8) + countOf(offsets, 8) + countOf(lengths, 8);
    sumCount += countOf(sums, 4);
  }
  const numbers: BatchNumbers = { floats: new Float64Array(floatCount), sums: new Uint32Array(sumCount) };
  const floatBytes = new Uint8Array(numbers.floats.buffer);
  const sumBytes = new Uint8Array(numbers.sums.buffer);
  let [floatsAt, sumsAt] = [0, 0];
  let counts: BatchCounts = { nodes: -1, offsets: -1, lengths: -1, sums: -1 };
  return raw.map(([rows, bodyOffset, nodes, offsets, lengths, sums]) => {
    counts = countsOf(nodes, offsets, lengths, sums, counts);
    const batch = new PackedBatch(rows, bodyOffset, numbers, floatsAt, sumsAt, counts);
    floatBytes.set(nodes, floatsAt * 8);
    floatBytes.set(offsets, (floatsAt + counts.nodes) * 8);
    floatBytes.set(lengths, (floatsAt + counts.nodes + counts.offsets) * 8);
    sumBytes.set(sums, sumsAt * 4);
    floatsAt += counts.nodes + counts.offsets + counts.lengths;
    sumsAt += counts.sums;
    return batch;
  });
}

/** The numbers of all batches of a file, one batch behind the other: of each its nodes, offsets and lengths; and its checksums. */
interface BatchNumbers {
  readonly floats: Float64Array;
  readonly sums: Uint32Array;
}

/** How many numbers a batch has. Those of one file have as many each, and share this. */
interface BatchCounts {
  readonly nodes: number;
  readonly offsets: number;
  readonly lengths: number;
  readonly sums: number;
}

/** A batch whose arrays are made once they are asked for: those of 100,000 batches take 36 MB, and time to make and collect. */
class PackedBatch implements StoredBatch {
  readonly rows: number;
  readonly bodyOffset: number;
  readonly #numbers: BatchNumbers;
  readonly #floatsAt: number;
  readonly #sumsAt: number;
  readonly #counts: BatchCounts;
  #made: StoredBatch | undefined;

  constructor(
    rows: number,
    bodyOffset: number,
    numbers: BatchNumbers,
    floatsAt: number,
    sumsAt: number,
    counts: BatchCounts,
  ) {
    this.rows = rows;
    this.bodyOffset = bodyOffset;
    this.#numbers = numbers;
    this.#floatsAt = floatsAt;
    this.#sumsAt = sumsAt;
    this.#counts = counts;
  }

  get nodes(): Float64Array {
    return (this.#made ??= this.unkept()).nodes;
  }

  get offsets(): Float64Array {
    return (this.#made ??= this.unkept()).offsets;
  }

  get lengths(): Float64Array {
    return (this.#made ??= this.unkept()).lengths;
  }

  get checksums(): Uint32Array {
    return (this.#made ??= this.unkept()).checksums;
  }

  unkept(): StoredBatch {
    const { rows, bodyOffset } = this;
    const { floats, sums } = this.#numbers;
    const { nodes, offsets, lengths, sums: sumCount } = this.#counts;
    const offsetsAt = this.#floatsAt + nodes;
    const lengthsAt = offsetsAt + offsets;
    return {
      rows,
      bodyOffset,
      nodes: floats.subarray(this.#floatsAt, offsetsAt),
      offsets: floats.subarray(offsetsAt, lengthsAt),
      lengths: floats.subarray(lengthsAt, lengthsAt + lengths),
      checksums: sums.subarray(this.#sumsAt, this.#sumsAt + sumCount),
    };
  }
}

/** The same batch for who looks at each of a file's once: its arrays are not kept. */
export function unkept(batch: StoredBatch): StoredBatch {
  return batch instanceof PackedBatch ? batch.unkept() : batch;
}

/** The counts of these parts: `before` where they are the same. */
function countsOf(
  nodes: Uint8Array,
  offsets: Uint8Array,
  lengths: Uint8Array,
  sums: Uint8Array,
  before: BatchCounts,
): BatchCounts {
  const isSame =
    before.nodes * 8 === nodes.byteLength &&
    before.offsets * 8 === offsets.byteLength &&
    before.lengths * 8 === lengths.byteLength &&
    before.sums * 4 === sums.byteLength;
  if (isSame) return before;
  return {
    nodes: nodes.byteLength / 8,
    offsets: offsets.byteLength / 8,
    lengths: lengths.byteLength / 8,
    sums: sums.byteLength / 4,
  };
}

/** Numbers of `width` bytes in `part`. @throws RangeError where they are not whole: the index is damaged. */
function countOf(part: Uint8Array, width: number): number {
  if (part.byteLength % width === 0) return part.byteLength / width;
  throw new RangeError(`${part.byteLength} bytes are no numbers of ${width}.`);
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

import type { Bound, Zone } from './zone-map.js';

/** The zone of one batch by itself, as version 1 of the index has it. */
export type ListedZone = [nulls: number, min: ListedBound, max: ListedBound, nan: boolean];

/** A bound as it is packed: `bigint` as decimal text, as msgpack has 64 bits and decimals have up to 256. */
type ListedBound = Exclude<Bound, bigint> | string;

/** The zones of a column, all batches of a file: what they say of one thing is one array. */
export interface PackedZones {
  /** Null rows, uint32: little-endian bytes. */
  u: Uint8Array;
  min: PackedBounds;
  max: PackedBounds;
  /** Batches with a NaN, ascending. */
  nan: number[];
}

/**
 * Bounds of all batches: `f` numbers as float64, NaN for none; `i` whole numbers as int64, with the batches that have none; `b`
 * bytes one after the other, with their lengths, {@link noLength} for none; `l` a list of anything.
 */
type PackedBounds =
  | [kind: 'f', numbers: Uint8Array]
  | [kind: 'i', numbers: Uint8Array, none: number[]]
  | [kind: 'b', bytes: Uint8Array, lengths: Uint8Array]
  | [kind: 'l', list: ListedBound[]];

/** The length, of eight bits, of bytes that are not there. */
const noLength = 255;

/** `zones` in one. */
export function packZones(zones: readonly Zone[]): PackedZones {
  const nan: number[] = [];
  for (const [batch, zone] of zones.entries()) if (zone.nan === true) nan.push(batch);
  return {
    u: bytesOf(Uint32Array.from(zones, ({ nulls }) => nulls)),
    min: packBounds(zones.map(({ min }) => min)),
    max: packBounds(zones.map(({ max }) => max)),
    nan,
  };
}

/**
 * The zones of all columns of a file of `count` batches, those of a column made when it is first asked for: a file may have
 * 100,000 batches, and few columns are ever filtered by.
 *
 * @throws RangeError, TypeError where they are not of so many batches.
 */
export function unpackZones(columns: readonly PackedZones[], count: number): (readonly Zone[])[] {
  const zones: (readonly Zone[])[] = [];
  for (const [column, packed] of columns.entries()) {
    const make = zonesMaker(packed, count);
    let made: readonly Zone[] | undefined;
    Object.defineProperty(zones, column, { get: () => (made ??= make()), enumerable: true });
  }
  return zones;
}

/** The zones of all columns, listed batch by batch. @throws RangeError, TypeError where they are not of `count` batches. */
export function unlistZones(columns: readonly (readonly ListedZone[])[], count: number): (readonly Zone[])[] {
  return columns.map((zones) => {
    if (zones.length !== count) throw new RangeError(`${zones.length} zones are not ${count}.`);
    return zones.map(([nulls, min, max, nan]) => {
      if (!Number.isInteger(nulls) || nulls < 0 || nulls > nullsMax) throw new RangeError(`${nulls} null rows.`);
      return zoneOf(nulls, unlistBound(min), unlistBound(max), nan);
    });
  });
}

function zonesMaker({ u, min, max, nan }: PackedZones, count: number): () => Zone[] {
  const nulls = new Uint32Array(aligned(u, 4 * count));
  if (nulls.some((value) => value > nullsMax)) throw new RangeError(`More null rows than a batch has.`);
  const [least, most] = [boundsReader(min, count), boundsReader(max, count)];
  const withNaN = new Set(nan);
  return () => Array.from(nulls, (value, batch) => zoneOf(value, least(batch), most(batch), withNaN.has(batch)));
}

/** Rows that a batch has at most. */
const nullsMax = 2 ** 31 - 1;

function zoneOf(nulls: number, min: Bound, max: Bound, nan: boolean): Zone {
  return nan ? { nulls, min, max, nan } : { nulls, min, max };
}

function packBounds(bounds: readonly Bound[]): PackedBounds {
  if (bounds.every((bound) => bound === null || typeof bound === 'number')) {
    return ['f', bytesOf(Float64Array.from(bounds, (bound) => (bound as number | null) ?? Number.NaN))];
  }
  if (bounds.every((bound) => bound === null || (typeof bound === 'bigint' && BigInt.asIntN(64, bound) === bound))) {
    const none = bounds.flatMap((bound, batch) => (bound === null ? [batch] : []));
    return ['i', bytesOf(BigInt64Array.from(bounds, (bound) => (bound as bigint | null) ?? 0n)), none];
  }
  if (bounds.every((bound) => bound === null || (bound instanceof Uint8Array && bound.length < noLength))) {
    const parts = bounds as readonly (Uint8Array | null)[];
    const lengths = Uint8Array.from(parts, (part) => part?.length ?? noLength);
    return ['b', new Uint8Array(Buffer.concat(parts.filter((part) => part !== null))), lengths];
  }
  return ['l', bounds.map((bound) => (typeof bound === 'bigint' ? String(bound) : bound))];
}

/** Gives the bound of a batch. What it keeps are copies, not views, which would keep the whole index in memory. */
function boundsReader(packed: PackedBounds, count: number): (batch: number) => Bound {
  switch (packed[0]) {
    case 'f': {
      const numbers = new Float64Array(aligned(packed[1], 8 * count));
      return (batch) => (Number.isNaN(numbers[batch]) ? null : numbers[batch]!);
    }
    case 'i': {
      const numbers = new BigInt64Array(aligned(packed[1], 8 * count));
      const none = new Set(packed[2]);
      return (batch) => (none.has(batch) ? null : numbers[batch]!);
    }
    case 'b': {
      const lengths = new Uint8Array(aligned(packed[2], count));
      const ends = new Uint32Array(count);
      let end = 0;
      for (const [batch, length] of lengths.entries()) ends[batch] = end += length === noLength ? 0 : length;
      const bytes = new Uint8Array(aligned(packed[1], end));
      const from = (batch: number): number => (batch === 0 ? 0 : ends[batch - 1]!);
      return (batch) => (lengths[batch] === noLength ? null : bytes.slice(from(batch), ends[batch]));
    }
    case 'l': {
      const list = packed[1].map(unlistBound);
      if (list.length !== count) throw new RangeError(`${list.length} bounds are not ${count}.`);
      return (batch) => list[batch]!;
    }
    default:
      throw new RangeError(`Bounds of kind ${String(packed[0])}.`);
  }
}

function unlistBound(bound: ListedBound): Bound {
  if (typeof bound === 'string') return BigInt(bound);
  return bound instanceof Uint8Array ? new Uint8Array(bound) : bound;
}

function bytesOf(array: Float64Array | BigInt64Array | Uint32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** A copy of `part`, which begins where any number may. @throws RangeError unless it has so many bytes. */
function aligned(part: Uint8Array, byteLength: number): ArrayBuffer {
  if (!(part instanceof Uint8Array) || part.byteLength !== byteLength) {
    throw new RangeError(`Not the ${byteLength} bytes that there should be.`);
  }
  return new Uint8Array(part).buffer;
}

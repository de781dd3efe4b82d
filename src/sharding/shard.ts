import { SpiralError, shown } from '../core/errors.js';

/**
 * A range of encoded keys, `begin` inclusive, `end` exclusive, compared byte by byte; null is unbounded. The bytes are
 * those of the table's key codec (`docs/format.md`).
 */
export interface KeyRange {
  readonly begin: Uint8Array | null;
  readonly end: Uint8Array | null;
}

/** Rows `from … to` of one part (a run of files that share their keys) of a pinned scan. */
export interface Segment {
  readonly part: number;
  readonly from: number;
  readonly to: number;
}

/** What a shard's rows were counted in: a table at one version, under one filter. */
export interface ShardOrigin {
  readonly table: string;
  readonly version: number;
  /** Tells the filter from others; null: none. */
  readonly filter: string | null;
}

/** A shard as JSON: key range in base64, cardinality, and segments as `[part, from, to]`. */
export interface ShardJson {
  readonly begin: string | null;
  readonly end: string | null;
  readonly cardinality: number | null;
  readonly segments: readonly (readonly [part: number, from: number, to: number])[];
}

/** A part of a scan that is read by one rank as a unit: a range of keys, and the rows that hold them. */
export class Shard {
  readonly keyRange: KeyRange;
  /** Rows the scan gives for this shard; null when unknown, as under a filter. */
  readonly cardinality: number | null;
  readonly segments: readonly Segment[];
  /** Rows stored for this shard, before any filter. */
  readonly physicalRows: number;
  /** Where it is known, as of the shards of an index, a scan of anything else refuses the shard. Not kept by its JSON. */
  readonly origin: ShardOrigin | undefined;

  constructor(
    keyRange: KeyRange,
    cardinality: number | null,
    segments: readonly Segment[],
    origin: ShardOrigin | undefined = undefined,
  ) {
    this.origin = origin;
    this.keyRange = keyRange;
    this.cardinality = cardinality;
    this.segments = segments;
    let rows = 0;
    for (const { from, to } of segments) rows += to - from;
    this.physicalRows = rows;
  }

  toJSON(): ShardJson {
    return {
      begin: base64(this.keyRange.begin),
      end: base64(this.keyRange.end),
      cardinality: this.cardinality,
      segments: this.segments.map(({ part, from, to }) => [part, from, to] as const),
    };
  }

  /**
   * The shard that `toJSON` described.
   *
   * @throws SpiralError `invalid_shards` for anything else.
   */
  static fromJSON(json: unknown): Shard {
    const raw = json as ShardJson;
    const whole = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
    const ok =
      typeof json === 'object' &&
      json !== null &&
      [raw.begin, raw.end].every((key) => key === null || typeof key === 'string') &&
      (raw.cardinality === null || whole(raw.cardinality)) &&
      Array.isArray(raw.segments) &&
      raw.segments.every((part) => Array.isArray(part) && part.length === 3 && part.every(whole) && part[1] <= part[2]);
    if (!ok) {
      throw new SpiralError(
        'invalid_shards',
        `Expected a shard as { begin, end, cardinality, segments }, got ${shown(json)}.`,
        { details: { found: json } },
      );
    }
    const segments = raw.segments.map(([part, from, to]) => ({ part, from, to }));
    return new Shard({ begin: bytes(raw.begin), end: bytes(raw.end) }, raw.cardinality, segments);
  }
}

const base64 = (key: Uint8Array | null): string | null => (key === null ? null : Buffer.from(key).toString('base64'));
const bytes = (text: string | null): Uint8Array | null =>
  text === null ? null : new Uint8Array(Buffer.from(text, 'base64'));

/** The rows of parts that physical rows `from … to` of `shard` are. */
export function segmentsWithin(shard: Shard, from: number, to: number): Segment[] {
  const within: Segment[] = [];
  let start = 0;
  for (const segment of shard.segments) {
    const end = start + segment.to - segment.from;
    const [first, last] = [Math.max(from, start), Math.min(to, end)];
    if (first < last) {
      within.push({ part: segment.part, from: segment.from + first - start, to: segment.from + last - start });
    }
    start = end;
  }
  return within;
}

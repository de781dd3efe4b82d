import { expandRanges, type Ranges, sliceRanges } from '../arrow/ranges.js';

/**
 * Which rows a batch is made of: row `i` is physical row `rows[i]` of shard number `shards[i]` of the loader's global
 * list. Equal wherever and however often the row is read, as long as the scan and the shards are.
 */
export interface RowIds {
  readonly length: number;
  readonly shards: Uint32Array;
  readonly rows: Float64Array;
}

/** Where a block stands. */
export interface BlockPlace {
  /** Number of its shard in the global list, and the physical row of that shard at which it begins. */
  readonly shard: number;
  readonly from: number;
  /** Physical rows, counted from `from`, that survived the filter; undefined: all. */
  readonly rows: Int32Array | undefined;
}

/**
 * Row ids as they cross between threads. Their number is first, then how many runs of neighbours they are: the shard, first
 * row and length of each run; or, where that would be more, -1, the shard numbers of all rows and their rows.
 */
export class PackedRowIds implements RowIds {
  readonly length: number;
  readonly #packed: Float64Array;
  #all: RowIds | undefined;

  constructor(packed: Float64Array) {
    this.length = packed[0]!;
    this.#packed = packed;
  }

  get shards(): Uint32Array {
    return this.#unpacked().shards;
  }

  get rows(): Float64Array {
    return this.#unpacked().rows;
  }

  /** `length` of them from `from` on: of many batches together, those of one are looked at now and then. */
  part(from: number, length: number): RowIds {
    if (this.#all === undefined && this.#packed[1] !== -1) return unpackedRuns(this.#packed, from, length);
    const { shards, rows } = this.#unpacked();
    return { length, shards: shards.subarray(from, from + length), rows: rows.subarray(from, from + length) };
  }

  #unpacked(): RowIds {
    this.#all ??= this.#packed[1] === -1 ? unpackedRows(this.#packed) : unpackedRuns(this.#packed, 0, this.length);
    return this.#all;
  }
}

function unpackedRows(packed: Float64Array): RowIds {
  const length = packed[0]!;
  return { length, shards: new Uint32Array(packed.subarray(2, 2 + length)), rows: packed.subarray(2 + length) };
}

/** Rows `from … from + length` of what is packed as runs. */
function unpackedRuns(packed: Float64Array, from: number, length: number): RowIds {
  const [shards, rows] = [new Uint32Array(length), new Float64Array(length)];
  let [place, before, at] = [2, 0, 0];
  for (; before + packed[place + 2]! <= from; place += 3) before += packed[place + 2]!;
  for (let skip = from - before; at < length; place += 3, skip = 0) {
    const [shard, first] = [packed[place]!, packed[place + 1]! + skip];
    const count = Math.min(packed[place + 2]! - skip, length - at);
    shards.fill(shard, at, at + count);
    for (let row = 0; row < count; row++) rows[at++] = first + row;
  }
  return { length, shards, rows };
}

/** `rowIds` for {@link PackedRowIds}. */
export function packRowIds(rowIds: RowIds): Float64Array<ArrayBuffer> {
  const runs = rowIds instanceof DrawnRows || rowIds instanceof SlicedRowIds ? rowIds.runs() : undefined;
  if (runs !== undefined) return Float64Array.from([rowIds.length, runs.length / 3, ...runs]);
  const packed = new Float64Array(2 + rowIds.length * 2);
  packed[0] = rowIds.length;
  packed[1] = -1;
  packed.set(rowIds.shards, 2);
  packed.set(rowIds.rows, 2 + rowIds.length);
  return packed;
}

/** The ids at `places`, in that order. */
export function pickRowIds({ shards, rows }: RowIds, places: Int32Array): RowIds {
  const picked = {
    length: places.length,
    shards: new Uint32Array(places.length),
    rows: new Float64Array(places.length),
  };
  for (const [to, at] of places.entries()) {
    picked.shards[to] = shards[at]!;
    picked.rows[to] = rows[at]!;
  }
  return picked;
}

/** Rows `from … from + length` of others. */
export class SlicedRowIds implements RowIds {
  readonly length: number;
  readonly #of: RowIds;
  readonly #from: number;
  #part: RowIds | undefined;

  constructor(of: RowIds, from: number, length: number) {
    this.#of = of;
    this.#from = from;
    this.length = length;
  }

  get shards(): Uint32Array {
    return this.#own().shards;
  }

  get rows(): Float64Array {
    return this.#own().rows;
  }

  /** Shard, first row and length of each run of neighbours, where they are known to be fewer than the rows. */
  runs(): number[] | undefined {
    const own = this.#own();
    return own instanceof DrawnRows ? own.runs() : undefined;
  }

  #own(): RowIds {
    if (this.#part !== undefined) return this.#part;
    const { length } = this;
    const [of, from, to] = [this.#of, this.#from, this.#from + length];
    if (of instanceof PackedRowIds || of instanceof DrawnRows) this.#part = of.part(from, length);
    else this.#part = { length, shards: of.shards.subarray(from, to), rows: of.rows.subarray(from, to) };
    return this.#part;
  }
}

/** The rows of several, one after the other. */
export function joinedRowIds(parts: readonly RowIds[]): RowIds {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const joined = { length, shards: new Uint32Array(length), rows: new Float64Array(length) };
  let at = 0;
  for (const part of parts) {
    joined.shards.set(part.shards, at);
    joined.rows.set(part.rows, at);
    at += part.length;
  }
  return joined;
}

/** Runs up to which they are packed as runs: beyond, a list of numbers costs more than typed arrays of all rows. */
const runsMax = 1000;

/** Rows of some blocks, worked out when they are first asked for. */
export class DrawnRows implements RowIds {
  readonly length: number;
  readonly #blocks: readonly BlockPlace[];
  readonly #ranges: Ranges;
  #expanded: { source: Int32Array; row: Int32Array } | undefined;
  #shards: Uint32Array | undefined;
  #rows: Float64Array | undefined;

  /** `ranges` are of the rows that the blocks have, survivors of the filter alone. */
  constructor(blocks: readonly BlockPlace[], ranges: Ranges) {
    this.length = ranges.total;
    this.#blocks = blocks;
    this.#ranges = ranges;
  }

  /** `length` of them from `from` on. */
  part(from: number, length: number): DrawnRows {
    return new DrawnRows(this.#blocks, sliceRanges(this.#ranges, from, from + length));
  }

  /** Shard, first row and length of each run of neighbours, where that is shorter than all rows are. */
  runs(): number[] | undefined {
    const { count, source, start, lengths } = this.#ranges;
    if (lengths === 1 || count > runsMax || count * 3 > this.length * 2) return undefined;
    const runs: number[] = [];
    for (let at = 0; at < count; at++) {
      const { shard, from, rows } = this.#blocks[source[at]!]!;
      if (rows !== undefined) return undefined;
      runs.push(shard, from + start[at]!, typeof lengths === 'number' ? lengths : lengths[at]!);
    }
    return runs;
  }

  // Plain loops: `from` with a function takes a hundred times as long, for every row that crosses to another thread.

  get shards(): Uint32Array {
    if (this.#shards === undefined) {
      const { source } = this.#all();
      const shards = new Uint32Array(this.length);
      for (let at = 0; at < shards.length; at++) shards[at] = this.#blocks[source[at]!]!.shard;
      this.#shards = shards;
    }
    return this.#shards;
  }

  get rows(): Float64Array {
    if (this.#rows === undefined) {
      const { source, row } = this.#all();
      const ids = new Float64Array(this.length);
      for (let at = 0; at < ids.length; at++) {
        const { from, rows } = this.#blocks[source[at]!]!;
        ids[at] = from + (rows === undefined ? row[at]! : rows[row[at]!]!);
      }
      this.#rows = ids;
    }
    return this.#rows;
  }

  #all(): { source: Int32Array; row: Int32Array } {
    this.#expanded ??= expandRanges(this.#ranges);
    return this.#expanded;
  }
}

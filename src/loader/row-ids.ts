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

/** Row ids as they cross between threads: the shard numbers of all rows, then their rows. */
export class PackedRowIds implements RowIds {
  readonly length: number;
  readonly #packed: Float64Array;
  #shards: Uint32Array | undefined;

  constructor(packed: Float64Array) {
    this.length = packed.length / 2;
    this.#packed = packed;
  }

  get shards(): Uint32Array {
    this.#shards ??= new Uint32Array(this.#packed.subarray(0, this.length));
    return this.#shards;
  }

  get rows(): Float64Array {
    return this.#packed.subarray(this.length);
  }
}

/** `rowIds` for {@link PackedRowIds}. */
export function packRowIds(rowIds: RowIds): Float64Array<ArrayBuffer> {
  const packed = new Float64Array(rowIds.length * 2);
  packed.set(rowIds.shards);
  packed.set(rowIds.rows, rowIds.length);
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

  constructor(of: RowIds, from: number, length: number) {
    this.#of = of;
    this.#from = from;
    this.length = length;
  }

  get shards(): Uint32Array {
    return this.#of.shards.subarray(this.#from, this.#from + this.length);
  }

  get rows(): Float64Array {
    return this.#of.rows.subarray(this.#from, this.#from + this.length);
  }
}

/** The rows of some blocks by their numbers in them, worked out when they are first asked for. */
export class DrawnRows implements RowIds {
  readonly length: number;
  readonly #blocks: readonly BlockPlace[];
  readonly #block: Int32Array;
  readonly #row: Int32Array;
  #shards: Uint32Array | undefined;
  #rows: Float64Array | undefined;

  constructor(blocks: readonly BlockPlace[], block: Int32Array, row: Int32Array) {
    this.length = row.length;
    this.#blocks = blocks;
    this.#block = block;
    this.#row = row;
  }

  // Plain loops: `from` with a function takes a hundred times as long, for every row that crosses to another thread.

  get shards(): Uint32Array {
    if (this.#shards === undefined) {
      const shards = new Uint32Array(this.length);
      for (let at = 0; at < shards.length; at++) shards[at] = this.#blocks[this.#block[at]!]!.shard;
      this.#shards = shards;
    }
    return this.#shards;
  }

  get rows(): Float64Array {
    if (this.#rows === undefined) {
      const ids = new Float64Array(this.length);
      for (let at = 0; at < ids.length; at++) {
        const { from, rows } = this.#blocks[this.#block[at]!]!;
        const row = this.#row[at]!;
        ids[at] = from + (rows === undefined ? row : rows[row]!);
      }
      this.#rows = ids;
    }
    return this.#rows;
  }
}

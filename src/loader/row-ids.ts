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

  constructor(packed: Float64Array) {
    this.length = packed.length / 2;
    this.#packed = packed;
  }

  get shards(): Uint32Array {
    return Uint32Array.from(this.#packed.subarray(0, this.length));
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

  get shards(): Uint32Array {
    this.#shards ??= Uint32Array.from(this.#block, (of) => this.#blocks[of]!.shard);
    return this.#shards;
  }

  get rows(): Float64Array {
    this.#rows ??= Float64Array.from(this.#row, (row, at) => {
      const { from, rows } = this.#blocks[this.#block[at]!]!;
      return from + (rows === undefined ? row : rows[row]!);
    });
    return this.#rows;
  }
}

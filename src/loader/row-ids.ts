import type { PlacedBlock } from './window-reader.js';

/**
 * Which rows a batch is made of: row `i` is physical row `rows[i]` of shard number `shards[i]` of the loader's global
 * list. Equal wherever and however often the row is read, as long as the scan and the shards are.
 */
export interface RowIds {
  readonly length: number;
  readonly shards: Uint32Array;
  readonly rows: Float64Array;
}

/** The rows of some blocks by their numbers in them, worked out when they are first asked for. */
export class DrawnRows implements RowIds {
  readonly length: number;
  readonly #blocks: readonly PlacedBlock[];
  readonly #block: Int32Array;
  readonly #row: Int32Array;
  #shards: Uint32Array | undefined;
  #rows: Float64Array | undefined;

  constructor(blocks: readonly PlacedBlock[], block: Int32Array, row: Int32Array) {
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

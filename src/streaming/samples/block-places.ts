import { stretchAt } from '../../core/search.js';
import { shardStarts } from '../order/shard-spans.js';

/** How the samples of shards are cut into blocks, which are read and kept as one; a block lies in one shard. */
export class BlockPlaces {
  /** The first sample of each shard, and last, their end. */
  readonly shardStarts: Float64Array;
  /** Samples of a block; the last one of a shard may have fewer. */
  readonly rows: number;
  /** The first block of each shard, and last, their number. */
  readonly #firstBlock: Float64Array;
  readonly #shardSizes: readonly number[];

  constructor(shardSizes: readonly number[], rows: number) {
    this.rows = rows;
    this.#shardSizes = shardSizes;
    this.shardStarts = shardStarts(shardSizes);
    this.#firstBlock = shardStarts(shardSizes.map((size) => Math.ceil(size / rows)));
  }

  get samples(): number {
    return this.shardStarts[this.shardStarts.length - 1]!;
  }

  get blocks(): number {
    return this.#firstBlock[this.#firstBlock.length - 1]!;
  }

  /** Where block `block` lies: rows `from … to` of a shard. */
  placeOf(block: number): { shard: number; from: number; to: number } {
    const shard = stretchAt(this.#firstBlock, block);
    const from = (block - this.#firstBlock[shard]!) * this.rows;
    return { shard, from, to: Math.min(this.#shardSizes[shard]!, from + this.rows) };
  }

  /** Writes the block of each of `ids`, and its row there. */
  locate(ids: Float64Array, block: Int32Array, row: Int32Array): void {
    let [first, end, base] = [0, 0, 0];
    for (let at = 0; at < ids.length; at++) {
      const id = ids[at]!;
      if (id < first || id >= end) {
        const shard = stretchAt(this.shardStarts, id);
        [first, end, base] = [this.shardStarts[shard]!, this.shardStarts[shard + 1]!, this.#firstBlock[shard]!];
      }
      const within = id - first;
      const number = Math.floor(within / this.rows);
      block[at] = base + number;
      row[at] = within - number * this.rows;
    }
  }
}

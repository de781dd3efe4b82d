import { stretchAt } from '../../core/search.js';

/** Cells of the table for each shard. */
const cellsPerShard = 4;

/**
 * Finds the shard of a sample in a step or two, wherever the samples jump to: a table of equal cells says where to look.
 * Memory: 16 bytes a shard.
 */
export class ShardFinder {
  readonly #starts: Float64Array;
  readonly #cells: Uint32Array;
  readonly #cellsPerSample: number;

  /** `starts` are the first samples of the shards, and last, the end. */
  constructor(starts: Float64Array) {
    this.#starts = starts;
    const samples = starts.at(-1)!;
    const cells = Math.max(1, cellsPerShard * (starts.length - 1));
    this.#cellsPerSample = samples === 0 ? 0 : cells / samples;
    this.#cells = Uint32Array.from({ length: cells + 1 }, (_, cell) =>
      stretchAt(starts, Math.floor((cell * samples) / cells)),
    );
  }

  /** The shard of sample `id`, which must be one of theirs. */
  shardOf(id: number): number {
    const starts = this.#starts;
    let shard = this.#cells[Math.floor(id * this.#cellsPerSample)]!;
    // Rounding may lead to a neighbour of the cell.
    while (starts[shard]! > id) shard--;
    while (starts[shard + 1]! <= id) shard++;
    return shard;
  }
}

import type { Ranges } from '../arrow/ranges.js';
import type { DamagedBlock, PlacedBlock } from './placed-block.js';
import type { RowIds } from './row-ids.js';

/** What each rank is given of an epoch by a source that orders its rows itself, place by place. */
export interface OrderedEpoch {
  /** Rows of a rank. */
  rowsOf(rank: number): number;
  /** Those of them that are given a second time, to fill up the rank or beside another; null: nobody counted them. */
  repeatsOf(rank: number): number | null;
  /** Which rows are at places `from … to` of `rank`: arithmetic, nothing is read. */
  rowIds(rank: number, from: number, to: number): RowIds;
  /**
   * The same rows, read. Calls follow each other in the order of places, but for a first one anywhere. No more than about
   * `bytesMax` is kept for calls to come.
   */
  read(rank: number, from: number, to: number, options: OrderedReading): Promise<OrderedRows>;
}

/** How places are read. */
export interface OrderedReading {
  readonly signal: AbortSignal;
  readonly bytesMax: number;
  /** Rows that cannot be read are told apart from those that can, instead of ending the reading. */
  readonly skipDamaged: boolean;
}

/** Rows of blocks, in the order to give. */
export interface OrderedRows {
  /** A block's shard and rows are numbered as in the natural shards, so that a row's name is the same in any epoch. */
  readonly blocks: readonly (PlacedBlock | DamagedBlock)[];
  readonly ranges: Ranges;
  /** Their memory is taken back. To be called once, when all that is wanted of them was copied. */
  release(): void;
}

import type { DamagedBlock, PlacedBlock } from './placed-block.js';
import type { BlockPlace } from './row-ids.js';

/** Rows of a chunk, counted from its first, that are read as one. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** Located rows by the blocks they are in. */
export interface Cut {
  readonly pending: readonly Stretch[];
  /** The chunk of each block. */
  readonly chunks: readonly number[];
  /** The block of each located row. */
  readonly index: Int32Array;
}

/** The rows of a window as they are found. */
export class Picked {
  length = 0;
  readonly blocks: (PlacedBlock | DamagedBlock)[] = [];
  block: Int32Array = new Int32Array(0);
  row: Int32Array = new Int32Array(0);

  /** Adds survivors among the located rows until there are `quota`; returns how many located rows that took. */
  add(read: readonly (readonly (PlacedBlock | DamagedBlock)[])[], cut: Cut, row: Int32Array, quota: number): number {
    this.#grow(this.length + row.length);
    const spans = read.map((blocks, at) => {
      const base = this.blocks.length;
      this.blocks.push(...blocks);
      return spanOf(blocks, base, cut.pending[at]!);
    });
    for (let at = 0; at < row.length; at++) {
      if (this.length === quota) return at;
      const of = cut.index[at]!;
      const { block, places } = spans[of]!;
      const within = row[at]! - cut.pending[of]!.from;
      const place = places === undefined ? within : places[within]!;
      if (place < 0) continue;
      this.block[this.length] = typeof block === 'number' ? block : block[within]!;
      this.row[this.length++] = place;
    }
    return row.length;
  }

  #grow(size: number): void {
    if (size <= this.block.length) return;
    const grown = [new Int32Array(size), new Int32Array(size)] as const;
    grown[0].set(this.block);
    grown[1].set(this.row);
    [this.block, this.row] = grown;
  }
}

/** For each physical row of what was read as one: its block, and its place among the block's survivors, or -1. */
interface Span {
  /** One number: all rows are in that block. */
  readonly block: number | Int32Array;
  /** Undefined: row `i` is at place `i`. */
  readonly places: Int32Array | undefined;
}

/** `blocks` follow each other from the first row of `pending` to its last; the first is number `base` of the window. */
function spanOf(blocks: readonly (PlacedBlock | DamagedBlock)[], base: number, pending: Stretch): Span {
  const length = pending.to - pending.from;
  if (blocks.length === 1) return { block: base, places: survivorPlaces(blocks[0]!.place, length) };
  const block = new Int32Array(length);
  const places = new Int32Array(length);
  const start = blocks[0]!.place.from;
  for (const [number, { place }] of blocks.entries()) {
    const from = place.from - start;
    const to = number + 1 < blocks.length ? blocks[number + 1]!.place.from - start : length;
    const own = survivorPlaces(place, to - from);
    for (let at = from; at < to; at++) {
      block[at] = base + number;
      places[at] = own === undefined ? at - from : own[at - from]!;
    }
  }
  return { block, places };
}

/** For each of `length` physical rows its place among the survivors, or -1; undefined where all survived. */
function survivorPlaces({ rows }: BlockPlace, length: number): Int32Array | undefined {
  if (rows === undefined) return undefined;
  const places = new Int32Array(length).fill(-1);
  for (const [at, row] of rows.entries()) places[row] = at;
  return places;
}

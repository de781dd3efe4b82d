import { stretchAt } from '../core/search.js';
import type { Lane } from '../table/key-lane.js';
import { type MergeEntries, type MergePiece, mergeEntries } from '../table/key-merge.js';
import type { LoadKeys } from '../table/lane-cursor.js';

/** How the rows of several sets whose keys overlap are put together, as far as their keys tell. */
export class MergeIndex {
  readonly lanes: readonly Lane[];
  readonly pieces: readonly MergePiece[];
  /** The row at which each piece begins, and the end. */
  readonly starts: Float64Array;
  /** Whether the keys were read with their checksums. */
  readonly verified: boolean;

  constructor(lanes: readonly Lane[], pieces: readonly MergePiece[], verified: boolean) {
    this.lanes = lanes;
    this.pieces = pieces;
    this.verified = verified;
    this.starts = new Float64Array(pieces.length + 1);
    for (const [at, { rows }] of pieces.entries()) this.starts[at + 1] = this.starts[at]! + rows;
  }

  get rows(): number {
    return this.starts.at(-1)!;
  }

  /** The end of the piece that holds `row`. */
  endOf(row: number): number {
    return this.starts[stretchAt(this.starts, row) + 1]!;
  }

  /** The end of the last piece that ends at most `rowsMax` behind `row`, or else of the piece at `row`. */
  endWithin(row: number, rowsMax: number): number {
    let number = stretchAt(this.starts, row) + 1;
    while (number < this.pieces.length && this.starts[number + 1]! - row <= rowsMax) number++;
    return this.starts[number]!;
  }

  /** The key at which the piece begins that begins at `row`. */
  keyOf(row: number): Uint8Array {
    return this.pieces[stretchAt(this.starts, row)]!.begin;
  }
}

/** Orders of merged rows that were found in this process, the least recently used let go first. */
export class MergeCache {
  readonly #indexes = new Map<string, Promise<MergeIndex>>();
  readonly #entries = new Map<MergePiece, MergeEntries>();
  #bytes = 0;
  readonly #indexesMax: number;
  readonly #bytesMax: number;

  constructor(indexesMax: number, bytesMax: number) {
    this.#indexesMax = indexesMax;
    this.#bytesMax = bytesMax;
  }

  /** The index that `name` stands for, which `make` gives where it is not there. */
  index(name: string, make: () => Promise<MergeIndex>): Promise<MergeIndex> {
    let index = this.#indexes.get(name);
    if (index === undefined) {
      const made = make();
      made.catch(() => {
        if (this.#indexes.get(name) === made) this.#indexes.delete(name);
      });
      index = made;
    } else this.#indexes.delete(name);
    this.#indexes.set(name, index);
    if (this.#indexes.size > this.#indexesMax) this.#indexes.delete(this.#indexes.keys().next().value!);
    return index;
  }

  /** Keeps what was found. */
  keep(piece: MergePiece, entries: MergeEntries): void {
    this.#entries.set(piece, entries);
    this.#bytes += entries.byteLength;
    for (const [oldest, { byteLength }] of this.#entries) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#entries.delete(oldest);
      this.#bytes -= byteLength;
    }
  }

  /** The entries of `piece`, merged again where they were let go. */
  async entries(lanes: readonly Lane[], piece: MergePiece, load: LoadKeys): Promise<MergeEntries> {
    const kept = this.#entries.get(piece);
    if (kept !== undefined) {
      this.#entries.delete(piece);
      this.#entries.set(piece, kept);
      return kept;
    }
    const found = await mergeEntries(lanes, load, piece);
    if (!this.#entries.has(piece)) this.keep(piece, found);
    return found;
  }
}

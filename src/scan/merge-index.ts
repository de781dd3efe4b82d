import { type RecentBounds, RecentMap } from '../core/recent-map.js';
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

  /**
   * The end of the record batch that holds `row`: a piece that is put together makes several of about `rowsMax` rows, all of
   * about the same size.
   */
  batchEndOf(row: number, rowsMax: number): number {
    const number = stretchAt(this.starts, row);
    const [start, { rows, lane }] = [this.starts[number]!, this.pieces[number]!];
    if (lane >= 0) return start + rows;
    const batches = Math.max(1, Math.round(rows / rowsMax));
    const ends = (batch: number): number => Math.floor((rows * batch) / batches);
    let batch = Math.floor(((row - start) * batches) / rows);
    while (start + ends(batch) <= row) batch++;
    return start + ends(batch);
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

/** Bytes that a layer takes with its fragment, its keys and its files, and a piece beside its places in the lanes, as measured. */
const layerBytes = 1500;
const pieceBytes = 600;

/** What an index takes of memory. */
function indexBytes({ lanes, pieces }: MergeIndex): number {
  let bytes = pieces.length * (pieceBytes + 16 * lanes.length);
  for (const { sets } of lanes) for (const { layers } of sets) bytes += layers.length * layerBytes;
  return bytes;
}

interface KeptIndex {
  name: string;
  readonly index: Promise<MergeIndex>;
  /** Those of its pieces whose entries are kept. */
  readonly pieces: Set<MergePiece>;
  isKept: boolean;
  bytes: number;
}

interface KeptEntries {
  readonly owner: KeptIndex;
  readonly entries: MergeEntries;
}

/** What a {@link MergeCache} keeps at most: indexes, and bytes of entries. */
export interface MergeBounds {
  readonly indexes: RecentBounds;
  readonly entriesBytesMax: number;
}

/**
 * Orders of merged rows that were found in this process, the least recently used let go first. With an index go the
 * entries of its pieces: nobody asks for those of a version that nobody reads any more. A scan has its indexes as long as
 * it is open, and one that reads brings its index back.
 */
export class MergeCache {
  readonly #indexes: RecentMap<KeptIndex>;
  readonly #owners = new WeakMap<MergeIndex, KeptIndex>();
  /** Least recently used first. */
  readonly #entries = new Map<MergePiece, KeptEntries>();
  readonly #bytesMax: number;
  #bytes = 0;

  constructor({ indexes, entriesBytesMax }: MergeBounds, now?: () => number) {
    this.#indexes = new RecentMap<KeptIndex>(indexes, (gone) => this.#letGo(gone), now);
    this.#bytesMax = entriesBytesMax;
  }

  /** Indexes that are kept, about their bytes, and the bytes of entries. */
  get held(): { readonly indexes: number; readonly indexBytes: number; readonly entriesBytes: number } {
    return { indexes: this.#indexes.size, indexBytes: this.#indexes.bytes, entriesBytes: this.#bytes };
  }

  /** The index that `name` stands for, which `make` gives where it is not there, and entries of its pieces to `keep`. */
  index(
    name: string,
    make: (keep: (piece: MergePiece, entries: MergeEntries) => void) => Promise<MergeIndex>,
  ): Promise<MergeIndex> {
    const found = this.#indexes.use(name);
    if (found !== undefined) return found.index;
    // In a turn of its own, so that `owner` is there when it keeps something.
    const index = Promise.resolve().then(() => make((piece, entries) => this.#keep(owner, piece, entries)));
    const owner: KeptIndex = { name, index, pieces: new Set(), isKept: true, bytes: 0 };
    index.then(
      (made) => {
        this.#owners.set(made, owner);
        owner.bytes = indexBytes(made);
        this.#indexes.weigh(owner.name, owner, owner.bytes);
      },
      () => this.#indexes.delete(owner.name, owner),
    );
    this.#indexes.add(name, owner);
    return index;
  }

  /** The entries of `piece` of `index`, merged again where they were let go. */
  async entries(index: MergeIndex, piece: MergePiece, load: LoadKeys): Promise<MergeEntries> {
    const owner = this.#owners.get(index);
    if (owner !== undefined) this.#use(owner);
    const kept = this.#entries.get(piece);
    if (kept !== undefined) {
      this.#entries.delete(piece);
      this.#entries.set(piece, kept);
      return kept.entries;
    }
    const found = await mergeEntries(index.lanes, load, piece);
    if (owner !== undefined) this.#keep(owner, piece, found);
    return found;
  }

  #use(owner: KeptIndex): void {
    if (owner.isKept) {
      this.#indexes.use(owner.name);
      return;
    }
    // It was let go while a scan was still open; another one may have its name by now.
    while (this.#indexes.use(owner.name) !== undefined) owner.name += "'";
    owner.isKept = true;
    this.#indexes.add(owner.name, owner, owner.bytes);
  }

  #keep(owner: KeptIndex, piece: MergePiece, entries: MergeEntries): void {
    if (!owner.isKept || this.#entries.has(piece)) return;
    this.#entries.set(piece, { owner, entries });
    owner.pieces.add(piece);
    this.#bytes += entries.byteLength;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#bytesMax) break;
      this.#drop(oldest);
    }
  }

  #letGo(owner: KeptIndex): void {
    owner.isKept = false;
    for (const piece of owner.pieces) this.#drop(piece);
  }

  #drop(piece: MergePiece): void {
    const { owner, entries } = this.#entries.get(piece)!;
    this.#entries.delete(piece);
    owner.pieces.delete(piece);
    this.#bytes -= entries.byteLength;
  }
}

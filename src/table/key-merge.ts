import { Heap } from '../core/heap.js';
import type { EncodedKeys } from './key-codec.js';
import { compareAt } from './key-compare.js';
import type { Lane } from './key-lane.js';
import { KeyStanding } from './key-standing.js';
import { LaneCursor, type LoadKeys } from './lane-cursor.js';

/** A stretch of merged rows, in key order. */
export interface MergePiece {
  /** Rows that are there: keys whose last deletion, if any, is older than their last write, in one table at least. */
  readonly rows: number;
  /** A key that no row of the piece lies below, and all rows of earlier pieces do. */
  readonly begin: Uint8Array;
  /** The rows of each lane that are in the piece. */
  readonly from: Float64Array;
  readonly to: Float64Array;
  /** The lane that all rows of the piece are of; -1 where rows of several lanes have to be put together. */
  readonly lane: number;
}

/**
 * How the rows of lanes make those of a piece: an entry for each row of a lane, in key order, its lane's number times four,
 * and flags. So the next row of a lane is that lane's next entry, and no key has to be compared again.
 */
export type MergeEntries = Uint16Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

/** Flag of an entry with the key of the entry before it. */
export const sameKey = 1;
/** Flag of the first entry of a key that no table has: it is deleted. */
export const deletedKey = 2;
/** What an entry is to be shifted by to give its lane. */
export const laneShift = 2;

/**
 * Merges the keys of `lanes`, in pieces of about `pieceRows` rows. What comes out follows from the log and the keys alone.
 * A record batch whose keys lie apart from all others is never loaded, and a large one is a piece by itself.
 */
export async function* mergeKeys(
  lanes: readonly Lane[],
  load: LoadKeys,
  pieceRows: number,
): AsyncGenerator<{ readonly piece: MergePiece; readonly entries: MergeEntries | undefined }> {
  const cursors = lanes.map((lane, number) => new LaneCursor(number, lane, load, 0, lane.starts.at(-1)!));
  const merge = new KeyMerge(cursors, pieceRows, lanes[0]!.tables);
  while (await merge.step()) yield* merge.ready.splice(0);
  yield* merge.ready;
}

/** The entries of `piece` once more. */
export async function mergeEntries(lanes: readonly Lane[], load: LoadKeys, piece: MergePiece): Promise<MergeEntries> {
  const cursors = lanes.map((lane, at) => new LaneCursor(at, lane, load, piece.from[at]!, piece.to[at]!));
  await Promise.all(cursors.map((cursor) => (cursor.at > 0 ? cursor.load() : undefined)));
  const merge = new KeyMerge(cursors, Number.POSITIVE_INFINITY, lanes[0]!.tables);
  while (await merge.step());
  return merge.ready[0]!.entries!;
}

/** Entries of a piece for each row that it should have, above which many deleted keys or many layers cut it short. */
const entriesPerRow = 16;
const entriesMin = 1024;

class KeyMerge {
  /** Pieces that are finished. */
  readonly ready: { piece: MergePiece; entries: MergeEntries | undefined }[] = [];
  readonly #cursors: readonly LaneCursor[];
  readonly #heap: Heap<LaneCursor>;
  readonly #pieceRows: number;
  #entries: MergeEntries;
  #length = 0;
  #rows = 0;
  #begin: Uint8Array | undefined;
  #from = new Float64Array(0);
  /** The entry at which the key that is being put together begins, and its newest write and deletion; -1 for none. */
  #keyAt = -1;
  #written = -1;
  #deleted = -1;
  /** What is known of it where several tables are put together. */
  readonly #standing: KeyStanding | undefined;
  /** That key: row `#keyRow` of `#keys`, and its first bytes, by which most keys differ. */
  #keys: EncodedKeys | undefined;
  #keyRow = 0;
  #keyHigh = 0;
  #keyLow = 0;

  constructor(cursors: readonly LaneCursor[], pieceRows: number, tables: number) {
    this.#cursors = cursors;
    this.#standing = tables > 1 ? new KeyStanding(tables) : undefined;
    this.#pieceRows = pieceRows;
    this.#entries = cursors.length < 2 ** 14 ? new Uint16Array(entriesMin) : new Uint32Array(entriesMin);
    // One key in several lanes comes in the order of the lanes, however often it is merged.
    this.#heap = new Heap((a, b) => {
      const order = a.compare(b);
      return order < 0 || (order === 0 && a.number < b.number);
    });
    for (const cursor of cursors) if (!cursor.isAtEnd) this.#heap.push(cursor);
  }

  /** Goes on until a batch has to be loaded, or a piece is ready; false once all is done. */
  async step(): Promise<boolean> {
    const top = this.#heap.first;
    if (top === undefined) {
      this.#closeKey();
      this.#closePiece();
      return false;
    }
    if (top.loaded) this.#drain();
    else if (this.#isNewKey(top) && top.endsBelow(this.#heap.second)) this.#takeBatch(top);
    else await top.load();
    return true;
  }

  /** Takes keys as long as they are at hand. */
  #drain(): void {
    const heap = this.#heap;
    for (;;) {
      const top = heap.first!;
      if (!top.loaded) return;
      const isNew = this.#isNewKey(top);
      if (isNew) this.#openKey(top);
      this.#push((top.number << laneShift) | (isNew ? 0 : sameKey));
      this.#standing?.add(top.table, top.writeOrder, top.deleteOrder);
      if (top.writeOrder > this.#written) this.#written = top.writeOrder;
      if (top.deleteOrder > this.#deleted) this.#deleted = top.deleteOrder;
      top.step();
      if (!top.isAtEnd) heap.sink();
      else {
        heap.pop();
        if (heap.size === 0) return;
      }
    }
  }

  #isNewKey(cursor: LaneCursor): boolean {
    if (this.#keyAt < 0 || cursor.low !== this.#keyLow || cursor.high !== this.#keyHigh) return true;
    return compareAt(this.#keys!, this.#keyRow, cursor.keys, cursor.at) !== 0;
  }

  #openKey(cursor: LaneCursor): void {
    this.#closeKey();
    this.#makeRoom(cursor);
    this.#keyAt = this.#length;
    this.#keys = cursor.keys;
    this.#keyRow = cursor.at;
    this.#keyHigh = cursor.high;
    this.#keyLow = cursor.low;
  }

  #closeKey(): void {
    if (this.#keyAt < 0) return;
    const isThere = this.#standing === undefined ? this.#written > this.#deleted : this.#standing.settle();
    if (isThere) this.#rows++;
    else this.#entries[this.#keyAt]! |= deletedKey;
    this.#keyAt = -1;
    this.#written = -1;
    this.#deleted = -1;
  }

  /** Takes all keys of the batch at `cursor`, none of which any other lane has. */
  #takeBatch(cursor: LaneCursor): void {
    this.#closeKey();
    const { count, number } = cursor;
    const isThere = cursor.writeOrder > cursor.deleteOrder;
    if (this.#pieceRows < Number.POSITIVE_INFINITY && (!isThere || count * 2 >= this.#pieceRows)) {
      this.#closePiece();
      const [begin, from] = [cursor.head.slice(), this.#positions()];
      cursor.nextBatch();
      const piece = { rows: count, begin, from, to: this.#positions(), lane: number };
      if (isThere) this.ready.push({ piece, entries: undefined });
    } else {
      this.#makeRoom(cursor);
      const entry = (number << laneShift) | (isThere ? 0 : deletedKey);
      for (let row = 0; row < count; row++) this.#push(entry);
      if (isThere) this.#rows += count;
      cursor.nextBatch();
    }
    if (cursor.isAtEnd) this.#heap.pop();
    else this.#heap.sink();
  }

  /** Begins a piece at `cursor` where there is none, or where the one there is is full. */
  #makeRoom(cursor: LaneCursor): void {
    const most = this.#pieceRows;
    if (this.#rows >= most || this.#length >= Math.max(entriesMin, entriesPerRow * most)) this.#closePiece();
    if (this.#begin !== undefined) return;
    this.#begin = cursor.head.slice();
    this.#from = this.#positions();
  }

  #closePiece(): void {
    if (this.#rows > 0) {
      const piece = { rows: this.#rows, begin: this.#begin!, from: this.#from, to: this.#positions(), lane: -1 };
      this.ready.push({ piece, entries: this.#entries.slice(0, this.#length) });
    }
    this.#length = 0;
    this.#rows = 0;
    this.#begin = undefined;
  }

  #positions(): Float64Array<ArrayBuffer> {
    return Float64Array.from(this.#cursors, (cursor) => cursor.position);
  }

  #push(entry: number): void {
    if (this.#length === this.#entries.length) {
      const grown = new (this.#entries.constructor as Uint16ArrayConstructor)(this.#length * 2);
      grown.set(this.#entries);
      this.#entries = grown;
    }
    this.#entries[this.#length++] = entry;
  }
}

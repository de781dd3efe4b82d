import { stretchAt } from '../core/search.js';
import type { EncodedKeys } from './key-codec.js';
import { compareAt, compareKeys } from './key-compare.js';
import type { Lane } from './key-lane.js';
import { firstOf, type KeySet } from './key-run.js';

/** Reads the keys of record batch `batch` of a set; whoever gives this checks that they are those of the log. */
export type LoadKeys = (set: KeySet, batch: number) => Promise<EncodedKeys>;

/**
 * Goes through the keys of a lane. At the beginning of a record batch its key is known from the log, so a batch is loaded
 * only where its keys lie among those of other lanes.
 */
export class LaneCursor {
  readonly number: number;
  /** Keys that are at hand: of the batch, or its first alone while it is not loaded. */
  keys: EncodedKeys = noKeys;
  loaded = false;
  /** The head in `keys`. */
  at = 0;
  /** Row of the lane at which `keys` begins, and rows of the batch up to the cursor's end. */
  start = 0;
  count = 0;
  /** The newest write and the newest deletion of the set; -1 for none. */
  writeOrder = -1;
  deleteOrder = -1;
  /** The table that the set is of, or one of them where none deletes any key. */
  table = 0;
  #high = noWords;
  #low = noWords;
  #set = 0;
  #batch = 0;
  /** The number of the batch that was loaded last, and what is loaded ahead of it. */
  #loaded = -1;
  #ahead: Promise<EncodedKeys> | undefined;
  readonly #lane: Lane;
  readonly #end: number;
  readonly #load: LoadKeys;

  /** At row `from` of `lane`, to go to `end`. Where `from` begins no batch, {@link load} must follow. */
  constructor(number: number, lane: Lane, load: LoadKeys, from: number, end: number) {
    this.number = number;
    this.#lane = lane;
    this.#load = load;
    this.#end = end;
    if (from >= end) {
      this.start = end;
      return;
    }
    this.#set = stretchAt(lane.starts, from);
    const row = from - lane.starts[this.#set]!;
    this.#batch = Math.floor(row / firstOf(lane.sets[this.#set]!).batchRows);
    this.#enterSet();
    this.#enterBatch();
    this.at = from - this.start;
  }

  /** The row of the lane that the cursor is at. */
  get position(): number {
    return this.start + this.at;
  }

  get isAtEnd(): boolean {
    return this.position >= this.#end;
  }

  /** Below, at or above 0 as the head is below, equal to or above that of `other`. */
  compare(other: LaneCursor): number {
    const high = this.#high[this.at]! - other.#high[other.at]!;
    if (high !== 0) return high;
    const low = this.#low[this.at]! - other.#low[other.at]!;
    if (low !== 0 || (this.keys.width > 0 && this.keys.width <= 8)) return low;
    return compareAt(this.keys, this.at, other.keys, other.at);
  }

  /** The first four bytes of the head and the four behind them, as numbers. */
  get high(): number {
    return this.#high[this.at]!;
  }

  get low(): number {
    return this.#low[this.at]!;
  }

  /** The key of the head, as a view. */
  get head(): Uint8Array {
    const { bytes, offsets } = this.keys;
    return bytes.subarray(offsets[this.at]!, offsets[this.at + 1]!);
  }

  /** Whether every key of the batch that is not loaded yet lies below the head of `other`. */
  endsBelow(other: LaneCursor | undefined): boolean {
    const { batchKeys, keyMax, batchRows, rows } = firstOf(this.#lane.sets[this.#set]!);
    if (this.count < Math.min(batchRows, rows - this.#batch * batchRows)) return false;
    if (other === undefined) return true;
    const next = batchKeys[this.#batch + 1];
    return next === undefined ? compareKeys(keyMax, other.head) < 0 : compareKeys(next, other.head) <= 0;
  }

  async load(): Promise<void> {
    const set = this.#lane.sets[this.#set]!;
    const keys = await (this.#ahead ?? this.#load(set, this.#batch));
    this.#ahead = undefined;
    // Where two batches in turn had to be loaded a third will have to.
    if (this.#loaded === this.#batch - 1 && this.#batch + 1 < firstOf(set).batchKeys.length) {
      this.#ahead = this.#load(set, this.#batch + 1);
      // Its error is met when its turn comes, or never.
      this.#ahead.catch(() => {});
    }
    this.#loaded = this.#batch;
    this.#take(keys);
    this.loaded = true;
  }

  /** Goes on by one key. */
  step(): void {
    if (++this.at === this.count) this.nextBatch();
  }

  /** Goes on to the next batch. */
  nextBatch(): void {
    this.start += this.count;
    this.at = 0;
    this.loaded = false;
    if (this.start >= this.#end) {
      this.keys = noKeys;
      return;
    }
    if (this.start === this.#lane.starts[this.#set + 1]) {
      this.#set++;
      this.#batch = 0;
      this.#loaded = -1;
      this.#ahead = undefined;
      this.#enterSet();
    } else this.#batch++;
    this.#enterBatch();
  }

  #enterSet(): void {
    this.writeOrder = -1;
    this.deleteOrder = -1;
    for (const { fragment, order, table } of this.#lane.sets[this.#set]!.layers) {
      if (fragment.deletes) this.deleteOrder = order;
      else this.writeOrder = order;
      this.table = table;
    }
  }

  #enterBatch(): void {
    const { batchRows, batchKeys, rows } = firstOf(this.#lane.sets[this.#set]!);
    const first = this.#batch * batchRows;
    this.start = this.#lane.starts[this.#set]! + first;
    this.count = Math.min(Math.min(rows, first + batchRows) - first, this.#end - this.start);
    const key = Uint8Array.from(batchKeys[this.#batch]!);
    this.#take({ length: 1, bytes: key, offsets: Uint32Array.of(0, key.length), width: 0 });
    if (this.#loaded !== this.#batch - 1) this.#ahead = undefined;
  }

  #take(keys: EncodedKeys): void {
    this.keys = keys;
    this.#high = firstWords(keys, 0);
    this.#low = firstWords(keys, 4);
  }
}

const noKeys: EncodedKeys = { length: 0, bytes: new Uint8Array(0), offsets: new Uint32Array(1), width: 0 };
const noWords = new Uint32Array(0);

/** Four bytes of each key from `skip` on, as a number, with zeros behind those that end: what decides most comparisons. */
function firstWords({ bytes, offsets, length, width }: EncodedKeys, skip: number): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(length);
  if (width === 8) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, length * 8);
    for (let row = 0; row < length; row++) words[row] = view.getUint32(row * 8 + skip);
    return words;
  }
  for (let row = 0; row < length; row++) {
    const from = offsets[row]! + skip;
    const to = Math.min(from + 4, offsets[row + 1]!);
    let word = 0;
    for (let at = from; at < from + 4; at++) word = (word << 8) | (at < to ? bytes[at]! : 0);
    words[row] = word;
  }
  return words;
}

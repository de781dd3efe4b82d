import { stretchAt } from '../../core/search.js';
import { EpochOrder } from '../../sharding/epoch-order.js';
import type { Piece } from '../../sharding/piece.js';

/** What the order of a part follows from, besides its pieces. */
export interface PartSettings {
  readonly seed: number;
  readonly epoch: number;
  /** Which of `parts` it is. */
  readonly part: number;
  readonly parts: number;
  /** Samples of a window that are shuffled as one; undefined: the pieces as they stand. */
  readonly windowSamples: number | undefined;
}

/** A shard, and the first index of a part from which it is needed. */
export interface NeededShard {
  readonly index: number;
  readonly shard: number;
}

/**
 * The samples of one part of an epoch by their index. It holds the window that was last asked for, 8 bytes a sample, and
 * 24 bytes a shard: asked in order, each window is made once.
 */
export class NativePart {
  readonly #order: EpochOrder;
  readonly #shardStarts: Float64Array;
  readonly #shuffles: boolean;
  /** The samples of indices from `#start` to `#end`: in `#ids` where shuffled, else counting from `#base`. */
  #start = 0;
  #end = 0;
  #base = 0;
  #ids: Float64Array = new Float64Array(0);

  constructor(pieces: readonly Piece[], shardStarts: Float64Array, settings: PartSettings) {
    const { seed, epoch, part, parts, windowSamples } = settings;
    this.#shardStarts = shardStarts;
    this.#shuffles = windowSamples !== undefined;
    // A chunk as large as the largest piece makes every piece one chunk, and these are ordered anew each epoch.
    const largest = pieces.reduce((most, { rows }) => Math.max(most, rows), 1);
    this.#order = new EpochOrder(pieces, {
      seed,
      epoch,
      rank: part,
      worldSize: parts,
      bufferRows: windowSamples ?? 0,
      lanes: 1,
      chunkRows: this.#shuffles ? largest : undefined,
    });
  }

  /** Writes the samples of the indices `from`, `from + step` …, `count` of them, to `ids` at `at`, `at + atStep` … */
  write(from: number, step: number, count: number, ids: Float64Array, at: number, atStep: number): void {
    let index = from;
    let to = at;
    for (let left = count; left > 0; ) {
      if (index < this.#start || index >= this.#end) this.#load(index);
      const here = Math.min(left, Math.ceil((this.#end - index) / step));
      const stop = to + here * atStep;
      if (this.#shuffles) {
        const window = this.#ids;
        let place = index - this.#start;
        for (; to < stop; to += atStep, place += step) ids[to] = window[place]!;
      } else {
        let id = this.#base + index - this.#start;
        for (; to < stop; to += atStep, id += step) ids[to] = id;
      }
      index += here * step;
      left -= here;
    }
  }

  /**
   * The shards of the indices from `from` on: those of the window that `from` lies in where they are first needed among
   * `from`, `from + step` …; then the shards of each window at its start. A shard may come again in a later window.
   */
  *shardsFrom(from: number, step: number): Generator<NeededShard, void, undefined> {
    const { chunks, rows } = this.#order;
    if (from >= rows) return;
    let window = { start: from, end: from };
    if (this.#shuffles) {
      window = this.#order.windowAt(from);
      yield* this.#shardsWithin(from, window.end, step);
    }
    const { end } = window;
    if (end >= rows) return;
    for (let chunk = stretchAt(chunks.groupStart, end); chunk < chunks.count; chunk++) {
      const start = Math.max(end, chunks.groupStart[chunk]!);
      if (this.#shuffles) while (start >= window.end) window = this.#windowFrom(window.end);
      yield { index: this.#shuffles ? window.start : start, shard: chunks.shard[chunk]! };
    }
  }

  /** The window that begins at `start`, where another ends: cheaper than to find the one around an index. */
  #windowFrom(start: number): { start: number; end: number } {
    const { limit, quota } = this.#order.windowFrom(start);
    return { start, end: Math.min(limit, start + quota) };
  }

  *#shardsWithin(from: number, to: number, step: number): Generator<NeededShard, void, undefined> {
    const ids = new Float64Array(Math.ceil((to - from) / step));
    this.write(from, step, ids.length, ids, 0, 1);
    let last = -1;
    for (const [at, id] of ids.entries()) {
      const shard = stretchAt(this.#shardStarts, id);
      if (shard !== last) yield { index: from + at * step, shard };
      last = shard;
    }
  }

  #load(index: number): void {
    const { chunks } = this.#order;
    if (!this.#shuffles) {
      const chunk = stretchAt(chunks.groupStart, index);
      this.#start = chunks.groupStart[chunk]!;
      this.#end = chunks.groupStart[chunk + 1]!;
      this.#base = this.#shardStarts[chunks.shard[chunk]!]! + chunks.from[chunk]!;
      return;
    }
    const { start, end } = this.#order.windowAt(index);
    const permutation = this.#order.permutationOf(start, end - start);
    const plain = new Float64Array(end - start);
    let at = 0;
    for (const { chunk, row, rows } of this.#order.runs(start, end)) {
      let id = this.#shardStarts[chunks.shard[chunk]!]! + chunks.from[chunk]! + row;
      for (const stop = at + rows; at < stop; at++) plain[at] = id++;
    }
    this.#ids = permutation === undefined ? plain : permuted(plain, permutation);
    this.#start = start;
    this.#end = end;
  }
}

function permuted(plain: Float64Array, order: Uint32Array): Float64Array {
  const ids = new Float64Array(plain.length);
  for (let at = 0; at < ids.length; at++) ids[at] = plain[order[at]!]!;
  return ids;
}

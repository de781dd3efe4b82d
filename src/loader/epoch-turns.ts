import type { EpochOrder } from '../sharding/epoch-order.js';
import type { WindowPlace } from './batch-stream.js';
import type { Turn } from './epoch-pass.js';

/** A part of an epoch that one of several threads draws. */
export interface TurnPlace {
  readonly start: { readonly place: WindowPlace };
  readonly turn: Turn;
}

/** Cuts an epoch, from some sample on, into turns: whole windows, as few as have the rows that a turn should have. */
export class EpochTurns {
  readonly #order: EpochOrder;
  readonly #rowsMin: number;
  readonly #base: number;
  /** Stream position of the next turn. */
  #at: number;

  constructor(order: EpochOrder, from: WindowPlace, rowsMin: number) {
    this.#order = order;
    this.#rowsMin = rowsMin;
    this.#base = from.start + from.taken;
    this.#at = this.#base;
  }

  /** The next turn; undefined at the epoch's end. */
  next(): TurnPlace | undefined {
    const { rows } = this.#order;
    if (this.#at >= rows) return undefined;
    const from = this.#at;
    const first = this.#order.windowAt(from);
    let { end } = first;
    while (end < rows && end - from < this.#rowsMin) end = this.#order.windowAt(end).end;
    this.#at = end;
    return {
      start: { place: { start: first.start, taken: from - first.start } },
      turn: { end, base: this.#base },
    };
  }
}

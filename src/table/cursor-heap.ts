import { compareAt } from './key-compare.js';
import type { RunCursor } from './run-cursor.js';

/** Cursors, the one with the least key on top. */
export class CursorHeap {
  readonly #cursors: RunCursor[] = [];

  get size(): number {
    return this.#cursors.length;
  }

  get top(): RunCursor {
    return this.#cursors[0]!;
  }

  /** The cursor with the least key but one. */
  get second(): RunCursor | undefined {
    const [, left, right] = this.#cursors;
    return left !== undefined && right !== undefined && less(right, left) ? right : left;
  }

  push(cursor: RunCursor): void {
    const all = this.#cursors;
    let at = all.push(cursor) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!less(cursor, all[parent]!)) break;
      all[at] = all[parent]!;
      at = parent;
    }
    all[at] = cursor;
  }

  /** Puts the top one, whose key has grown, where it belongs. */
  sink(): void {
    const all = this.#cursors;
    const cursor = all[0]!;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= all.length) break;
      if (child + 1 < all.length && less(all[child + 1]!, all[child]!)) child++;
      if (!less(all[child]!, cursor)) break;
      all[at] = all[child]!;
      at = child;
    }
    all[at] = cursor;
  }

  removeTop(): void {
    const last = this.#cursors.pop()!;
    if (this.#cursors.length === 0) return;
    this.#cursors[0] = last;
    this.sink();
  }

  async close(): Promise<void> {
    await Promise.all(this.#cursors.map((cursor) => cursor.close()));
  }
}

function less(a: RunCursor, b: RunCursor): boolean {
  return compareAt(a.batch.keys, a.at, b.batch.keys, b.at) < 0;
}

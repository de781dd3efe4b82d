/** A binary heap: the least entry first, by an order that is given. */
export class Heap<T> {
  readonly #entries: T[] = [];
  readonly #below: (a: T, b: T) => boolean;

  /** @param below whether `a` comes before `b`. */
  constructor(below: (a: T, b: T) => boolean) {
    this.#below = below;
  }

  get size(): number {
    return this.#entries.length;
  }

  /** The least entry; undefined where there is none. */
  get first(): T | undefined {
    return this.#entries[0];
  }

  /** The least of all entries but the first. */
  get second(): T | undefined {
    const [, left, right] = this.#entries;
    return right !== undefined && this.#below(right, left!) ? right : left;
  }

  push(entry: T): void {
    const entries = this.#entries;
    let at = entries.length;
    entries.push(entry);
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!this.#below(entry, entries[above]!)) break;
      entries[at] = entries[above]!;
      at = above;
    }
    entries[at] = entry;
  }

  pop(): T | undefined {
    const entries = this.#entries;
    const first = entries[0];
    const last = entries.pop();
    if (entries.length > 0) {
      entries[0] = last!;
      this.sink();
    }
    return first;
  }

  /** Puts the first entry where it belongs, once it has become greater. */
  sink(): void {
    const entries = this.#entries;
    const entry = entries[0]!;
    let at = 0;
    for (;;) {
      let next = 2 * at + 1;
      if (next >= entries.length) break;
      if (next + 1 < entries.length && this.#below(entries[next + 1]!, entries[next]!)) next++;
      if (!this.#below(entries[next]!, entry)) break;
      entries[at] = entries[next]!;
      at = next;
    }
    entries[at] = entry;
  }
}

/** One of those who ask in a line. */
export interface LineTurn {
  /** Whether somebody waits for what it asks for. */
  readonly isWanted: () => boolean;
  /** Those who began sooner go first. */
  readonly number: number;
}

/**
 * The requests of several downloads over one link, so many at once: first those that somebody waits for, and of these the
 * download that began first, so that it ends first. What is shared alike ends all at once, and late.
 */
export class RequestLine {
  readonly #waiting: { readonly turn: LineTurn; readonly go: () => void }[] = [];
  #free: number;
  #begun = 0;

  constructor(most: number) {
    this.#free = most;
  }

  /** The turn of a download that begins now. */
  join(isWanted: () => boolean): LineTurn {
    return { isWanted, number: this.#begun++ };
  }

  /** Settles as `ask` does, which is called once it is its turn. */
  async run<T>(turn: LineTurn, ask: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((go) => this.#waiting.push({ turn, go }));
    try {
      return await ask();
    } finally {
      const next = this.#next();
      if (next === undefined) this.#free++;
      else this.#waiting.splice(next, 1)[0]!.go();
    }
  }

  /** Place of the one that goes next; undefined where nobody waits. */
  #next(): number | undefined {
    let best: { at: number; isWanted: boolean; number: number } | undefined;
    for (const [at, { turn }] of this.#waiting.entries()) {
      const [isWanted, { number }] = [turn.isWanted(), turn];
      const isBetter = best === undefined || (isWanted === best.isWanted ? number < best.number : isWanted);
      if (isBetter) best = { at, isWanted, number };
    }
    return best?.at;
  }
}

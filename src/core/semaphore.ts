/** Lets so many pieces of work run at once; the others wait in the order in which they came. */
export class Semaphore {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(most: number) {
    this.#free = most;
  }

  /** Settles as `work` does, which begins now where there is room. */
  run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free === 0) return new Promise<void>((go) => this.#waiting.push(go)).then(() => this.#work(work));
    this.#free--;
    return this.#work(work);
  }

  async #work<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}

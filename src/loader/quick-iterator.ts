/** What is ready of an iteration under way. */
export interface Hand<T> {
  /** The next value where it is ready, else undefined, which no value is; left out while there is nothing to take. */
  take: (() => T | undefined) | undefined;
}

/**
 * Iterates as the generator `slow` does, but takes what is ready in its `hand` past it: a generator within a generator makes
 * a promise for every step of each, which takes a small batch longer than all else does. Only while `slow` waits at its
 * `yield` is anything taken so, hence in order.
 */
export class QuickIterator<T> implements AsyncGenerator<T, void, undefined> {
  readonly #slow: AsyncGenerator<T, void, undefined>;
  readonly #hand: Hand<T>;
  /** Steps of `slow` that are not at their end. */
  #steps = 0;
  readonly #given = (result: IteratorResult<T, void>): IteratorResult<T, void> => {
    this.#steps--;
    return result;
  };
  readonly #failed = (error: unknown): never => {
    this.#steps--;
    throw error;
  };

  constructor(slow: AsyncGenerator<T, void, undefined>, hand: Hand<T>) {
    this.#slow = slow;
    this.#hand = hand;
  }

  next(): Promise<IteratorResult<T, void>> {
    const value = this.#steps === 0 ? this.#hand.take?.() : undefined;
    return value === undefined ? this.#step(this.#slow.next()) : Promise.resolve({ value, done: false });
  }

  return(): Promise<IteratorResult<T, void>> {
    return this.#step(this.#slow.return());
  }

  throw(error: unknown): Promise<IteratorResult<T, void>> {
    return this.#step(this.#slow.throw(error));
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #step(step: Promise<IteratorResult<T, void>>): Promise<IteratorResult<T, void>> {
    this.#steps++;
    // What it gives, not `step` itself: the rejection of a step that nobody waits for must not count as handled.
    return step.then(this.#given, this.#failed);
  }
}

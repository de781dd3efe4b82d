/** Counts bytes that are held, by whoever holds them, and the most that ever were. */
export class MemoryLedger {
  #held = 0;
  #peak = 0;

  get held(): number {
    return this.#held;
  }

  get peak(): number {
    return this.#peak;
  }

  /** `bytes` more are held; fewer where negative. */
  add(bytes: number): void {
    this.#held += bytes;
    if (this.#held > this.#peak) this.#peak = this.#held;
  }
}

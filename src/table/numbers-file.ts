import { BodyPipe } from '../storage/body-pipe.js';
import type { ObjectStore } from '../storage/store.js';

/** A file of float64, written piece by piece. */
export class NumbersFile {
  readonly #pipe = new BodyPipe();
  readonly #stored: Promise<void>;

  constructor(store: ObjectStore, path: string, signal: AbortSignal | undefined) {
    this.#stored = store.put(path, this.#pipe.body, { signal });
    // Whoever ends the file hears of it.
    this.#stored.catch(() => this.#pipe.leave());
  }

  async add(numbers: Float64Array): Promise<void> {
    await this.#pipe.push([new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength)]);
  }

  /** Resolves once the file is durable. */
  async end(): Promise<void> {
    this.#pipe.end();
    await this.#stored;
  }

  async fail(error: unknown): Promise<void> {
    this.#pipe.fail(error);
    await this.#stored.catch(() => {});
  }
}

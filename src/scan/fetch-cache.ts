import { fetchCacheBytesMax } from '../core/limits.js';
import type { Fetched } from './fetched.js';

/** Objects that were fetched last, by what was asked for. */
export class FetchCache {
  readonly #fetched = new Map<string, Fetched>();
  #bytes = 0;

  get(key: string): Fetched | undefined {
    return this.#fetched.get(key);
  }

  /** Keeps an object that was got, as long as there is room; failures may have passed when they are asked for again. */
  add(key: string, fetched: Fetched): void {
    const size = sizeOf(key, fetched);
    if (fetched.bytes === null || size > fetchCacheBytesMax || this.#fetched.has(key)) return;
    this.#fetched.set(key, fetched);
    this.#bytes += size;
    for (const [oldest, one] of this.#fetched) {
      if (this.#bytes <= fetchCacheBytesMax) break;
      this.#fetched.delete(oldest);
      this.#bytes -= sizeOf(oldest, one);
    }
  }
}

/** An object's bytes, and about what it takes besides. */
function sizeOf(key: string, { bytes }: Fetched): number {
  return (bytes?.length ?? 0) + 2 * key.length + 512;
}

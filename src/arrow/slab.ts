/**
 * One allocation for all buffers of a batch, sized before it is filled: a batch then crosses to another thread as one
 * transferred buffer, and lives and dies as one.
 */
export class Slab {
  #size = 0;
  #buffer: ArrayBuffer | undefined;

  /** Reserves `bytes`, aligned to eight, and returns where they will lie. Only before {@link allocate}. */
  reserve(bytes: number): number {
    const at = this.#size;
    this.#size = Math.ceil((at + bytes) / 8) * 8;
    return at;
  }

  /** Bytes reserved. */
  get size(): number {
    return this.#size;
  }

  /** Allocates what was reserved, zeroed. */
  allocate(): void {
    this.#buffer = new ArrayBuffer(this.#size);
  }

  /** The memory; only after {@link allocate}. */
  get buffer(): ArrayBuffer {
    return this.#buffer!;
  }

  /** The bytes at `at`; only after {@link allocate}. */
  bytes(at: number, length: number): Uint8Array {
    return new Uint8Array(this.#buffer!, at, length);
  }
}

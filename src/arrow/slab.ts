/**
 * One allocation for all buffers of a batch, sized before it is filled: a batch then crosses to another thread as one
 * transferred buffer, and lives and dies as one.
 */
export class Slab {
  #size = 0;
  /** From where to where bytes are to be zero: bits, and what lies between one buffer and the next. */
  readonly #zeroed: [from: number, to: number][] = [];
  #buffer: ArrayBuffer | undefined;

  /** Reserves `bytes`, all of which are to be filled, aligned to eight, and returns where they will lie. Only before {@link allocate}. */
  reserve(bytes: number): number {
    return this.#take(bytes, bytes);
  }

  /** Reserves zeroed memory for `bits` bits. */
  reserveBits(bits: number): number {
    return this.#take(Math.ceil(bits / 8), 0);
  }

  #take(bytes: number, filled: number): number {
    const at = this.#size;
    this.#size = Math.ceil((at + bytes) / 8) * 8;
    if (at + filled < this.#size) this.#zeroed.push([at + filled, this.#size]);
    return at;
  }

  /** Bytes reserved. */
  get size(): number {
    return this.#size;
  }

  /** Allocates what was reserved: clearing memory that is filled at once would take a tenth of a gather. */
  allocate(): void {
    const bytes = Buffer.allocUnsafeSlow(this.#size);
    for (const [from, to] of this.#zeroed) bytes.fill(0, from, to);
    this.#buffer = bytes.buffer;
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

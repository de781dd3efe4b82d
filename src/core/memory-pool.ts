/** Memory to read into, which is taken back: what is read must be copied out, and not kept. */
export interface Memory {
  /** At least `bytes` bytes, not zeroed. */
  allocate(bytes: number): Uint8Array;
}

/** Sizes are rounded up to this, so that reads of nearly one size share their memory. */
const grainBytes = 64 * 1024;

/**
 * Memory for reads, used again and again: buffers of megabytes cost more to get from the system, page by page, and to
 * clear away by the garbage collector, than to read into.
 */
export class MemoryPool {
  readonly #free = new Map<number, Uint8Array[]>();
  readonly #bytesMax: number;
  #bytes = 0;

  /** Keeps at most `bytesMax` bytes for later. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Memory for one block; its owner releases it once nothing refers to the block any more. */
  lease(): Lease {
    return new Lease(this);
  }

  take(bytes: number): Uint8Array {
    const size = Math.max(1, Math.ceil(bytes / grainBytes)) * grainBytes;
    const free = this.#free.get(size)?.pop();
    if (free === undefined) return new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
    this.#bytes -= size;
    return free;
  }

  give(memory: Uint8Array): void {
    const size = memory.byteLength;
    if (this.#bytes + size > this.#bytesMax) return;
    this.#bytes += size;
    const free = this.#free.get(size);
    if (free === undefined) this.#free.set(size, [memory]);
    else free.push(memory);
  }
}

/** Memory of one block, counted by those who use it. */
export class Lease implements Memory {
  readonly #pool: MemoryPool;
  readonly #taken: Uint8Array[] = [];
  #users = 0;

  constructor(pool: MemoryPool) {
    this.#pool = pool;
  }

  allocate(bytes: number): Uint8Array {
    const memory = this.#pool.take(bytes);
    this.#taken.push(memory);
    return memory;
  }

  /** One more refers to the block. */
  retain(): void {
    this.#users++;
  }

  /** One less does; with the last the memory goes back. */
  release(): void {
    if (--this.#users > 0) return;
    for (const memory of this.#taken.splice(0)) this.#pool.give(memory);
  }
}

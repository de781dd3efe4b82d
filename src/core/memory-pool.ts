/** Memory to read into, which is taken back: what is read must be copied out, and not kept. */
export interface Memory {
  /** At least `bytes` bytes, not zeroed. */
  allocate(bytes: number): Uint8Array;
}

/** Sizes are rounded up to this, so that reads of nearly one size share their memory; smaller ones are not kept at all. */
const grainBytes = 64 * 1024;
/** Share of what is in use that may lie ready beside it. */
const freeShare = 1 / 4;

/**
 * Memory for reads, used again and again: buffers of megabytes cost more to get from the system, page by page, and to
 * clear away by the garbage collector, than to read into.
 */
export class MemoryPool {
  readonly #free = new Map<number, Uint8Array[]>();
  /** Bytes that lie ready, and bytes in use. */
  #ready = 0;
  #used = 0;

  /** Memory for one block; its owner releases it once nothing refers to the block any more. */
  lease(): Lease {
    return new Lease(this);
  }

  take(bytes: number): Uint8Array {
    if (bytes < grainBytes) return new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer);
    const size = Math.ceil(bytes / grainBytes) * grainBytes;
    const free = this.#free.get(size)?.pop();
    this.#used += size;
    if (free === undefined) return new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
    this.#ready -= size;
    return free;
  }

  /** Memory that was taken and never comes back. */
  lose(memory: Uint8Array): void {
    if (memory.byteLength >= grainBytes) this.#used -= memory.byteLength;
  }

  give(memory: Uint8Array): void {
    const size = memory.byteLength;
    if (size < grainBytes) return;
    this.#used -= size;
    if (this.#ready + size > this.#used * freeShare) return;
    this.#ready += size;
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
  #abandoned = false;

  constructor(pool: MemoryPool) {
    this.#pool = pool;
  }

  allocate(bytes: number): Uint8Array {
    if (this.#abandoned) return new Uint8Array(bytes);
    const memory = this.#pool.take(bytes);
    this.#taken.push(memory);
    return memory;
  }

  /** Leaves the memory to the garbage collector: after a read that failed, as others beside it may still write to it. */
  abandon(): void {
    this.#abandoned = true;
    for (const memory of this.#taken.splice(0)) this.#pool.lose(memory);
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

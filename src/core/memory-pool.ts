import { MemoryLedger } from './memory-ledger.js';

/** Memory to read into, which is taken back: what is read must be copied out, and not kept. */
export interface Memory {
  /** At least `bytes` bytes, not zeroed. */
  allocate(bytes: number): Uint8Array;
  /** Memory of its own, for what is copied out at once; whoever asked for it releases it, unless a read failed. */
  scratch(): Memory & { release(): void };
}

/** Sizes are rounded up to this, so that reads of nearly one size share their memory; smaller ones are not kept at all. */
const grainBytes = 64 * 1024;
/** The same where memory is limited: little of it may go to rounding. */
const smallGrainBytes = 4 * 1024;
/** Share of what is in use that may lie ready beside it. */
const freeShare = 1 / 4;

/**
 * Memory for reads, used again and again: buffers of megabytes cost more to get from the system, page by page, and to
 * clear away by the garbage collector, than to read into.
 */
export class MemoryPool {
  readonly #ledger: MemoryLedger;
  readonly #bytesMax: number;
  readonly #grainBytes: number;
  readonly #free = new Map<number, Uint8Array[]>();
  /** Bytes that lie ready, and bytes in use. */
  #ready = 0;
  #used = 0;

  /** What lies ready goes where it and what is in use would pass `bytesMax`. Default: no limit. */
  constructor(ledger: MemoryLedger = new MemoryLedger(), bytesMax: number = Number.POSITIVE_INFINITY) {
    this.#ledger = ledger;
    this.#bytesMax = bytesMax;
    this.#grainBytes = bytesMax === Number.POSITIVE_INFINITY ? grainBytes : smallGrainBytes;
  }

  /** Memory for one block; its owner releases it once nothing refers to the block any more. */
  lease(): Lease {
    return new Lease(this);
  }

  take(bytes: number): Uint8Array {
    if (bytes < grainBytes) {
      this.count(bytes);
      return new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer);
    }
    const size = Math.ceil(bytes / this.#grainBytes) * this.#grainBytes;
    const free = this.#free.get(size)?.pop();
    if (free === undefined && this.#used + this.#ready + size > this.#bytesMax) this.#clear();
    if (free !== undefined) this.#forget(size);
    this.count(size);
    return free ?? new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
  }

  give(memory: Uint8Array): void {
    const size = memory.byteLength;
    this.count(-size);
    if (size < grainBytes) return;
    if (this.#ready + size > this.#used * freeShare || this.#used + this.#ready + size > this.#bytesMax) return;
    this.#ready += size;
    this.#ledger.add(size);
    const free = this.#free.get(size);
    if (free === undefined) this.#free.set(size, [memory]);
    else free.push(memory);
  }

  /** Counts bytes of others that are held as long as those of the pool are; negative ones no longer. */
  count(bytes: number): void {
    this.#used += bytes;
    this.#ledger.add(bytes);
  }

  #forget(bytes: number): void {
    this.#ready -= bytes;
    this.#ledger.add(-bytes);
  }

  #clear(): void {
    this.#free.clear();
    this.#forget(this.#ready);
  }
}

/** Memory of one block, counted by those who use it. */
export class Lease implements Memory {
  readonly #pool: MemoryPool;
  readonly #taken: Uint8Array[] = [];
  #others = 0;
  #users = 0;

  constructor(pool: MemoryPool) {
    this.#pool = pool;
  }

  /** Bytes that the block holds. */
  get bytes(): number {
    return this.#taken.reduce((sum, { byteLength }) => sum + byteLength, this.#others);
  }

  allocate(bytes: number): Uint8Array {
    const memory = this.#pool.take(bytes);
    this.#taken.push(memory);
    return memory;
  }

  scratch(): Lease {
    return this.#pool.lease();
  }

  /** Whether `buffer` is this lease's. */
  owns(buffer: ArrayBufferLike): boolean {
    return this.#taken.some((memory) => memory.buffer === buffer);
  }

  /** Counts `bytes` that the block holds besides its own memory. */
  count(bytes: number): void {
    this.#others += bytes;
    this.#pool.count(bytes);
  }

  /** One more refers to the block. */
  retain(): void {
    this.#users++;
  }

  /** One less does; with the last the memory goes back. */
  release(): void {
    if (--this.#users > 0) return;
    for (const memory of this.#taken.splice(0)) this.#pool.give(memory);
    this.#pool.count(-this.#others);
    this.#others = 0;
  }
}

import { Arena } from './arena.js';
import { MemoryLedger } from './memory-ledger.js';
import { fresh, Lease, type Pool } from './memory-pool.js';

/** Memory of an arena that may be lost before another takes its place. */
const lostBytesMax = 16 * 1024 * 1024;

/**
 * Memory for reads that rows are gathered from, all of it in one {@link Arena} as far as that reaches and the system has
 * addresses for one. It is used again and again. The ledger counts the whole arena, which never shrinks: what lies between
 * spans in use cannot be foreseen, so a limit that must hold takes a `MemoryPool`.
 */
export class ArenaPool implements Pool {
  readonly #ledger: MemoryLedger;
  #arena: Arena | undefined;
  /** Whether the arena is there, or cannot be had: it is made for the first who asks for memory. */
  #isMade = false;
  /** Bytes of the arena that the ledger knows of. */
  #counted = 0;
  #lostBytes = 0;

  constructor(ledger: MemoryLedger = new MemoryLedger()) {
    this.#ledger = ledger;
  }

  lease(): Lease {
    return new Lease(this);
  }

  take(bytes: number): Uint8Array {
    if (!this.#isMade) {
      this.#isMade = true;
      this.#arena = newArena();
    }
    const memory = this.#arena?.allocate(bytes);
    if (memory === undefined) {
      this.#ledger.add(bytes);
      return fresh(bytes);
    }
    this.#countArena();
    return memory;
  }

  give(memory: Uint8Array): void {
    const arena = Arena.of(memory.buffer);
    if (arena === undefined) this.#ledger.add(-memory.byteLength);
    else arena.free(memory);
  }

  /** It is not given again; once much of the arena is lost so, all of it goes with the last who refers to it. */
  lose(memory: Uint8Array): void {
    const arena = Arena.of(memory.buffer);
    if (arena === undefined) this.#ledger.add(-memory.byteLength);
    else if (arena === this.#arena) {
      this.#lostBytes += memory.byteLength;
      if (this.#lostBytes <= lostBytesMax) return;
      this.#lostBytes = 0;
      this.#ledger.add(-this.#counted);
      this.#counted = 0;
      this.#arena = undefined;
      this.#isMade = false;
    }
  }

  count(bytes: number): void {
    this.#ledger.add(bytes);
  }

  #countArena(): void {
    const { bytes } = this.#arena!;
    this.#ledger.add(bytes - this.#counted);
    this.#counted = bytes;
  }
}

/** Undefined where the system has no addresses for one. */
function newArena(): Arena | undefined {
  try {
    return new Arena();
  } catch {
    return undefined;
  }
}

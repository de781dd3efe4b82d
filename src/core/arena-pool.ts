import { Arena } from './arena.js';
import { MemoryLedger } from './memory-ledger.js';
import { fresh, Lease, type Pool } from './memory-pool.js';

/** Memory of an arena that may be lost before another takes its place. */
const lostBytesMax = 16 * 1024 * 1024;
/**
 * Arenas of a thread, those that nobody refers to and V8 did not collect yet among them. Each takes ten gigabytes of a process's
 * addresses, of which there are 128 TB: near their end V8 collects all of its heap for every arena that is asked for.
 */
const arenasMax = 128;
let arenas = 0;
const gone = new FinalizationRegistry<undefined>(() => {
  arenas--;
});

/**
 * Memory for reads that rows are gathered from, all of it in one {@link Arena} as far as that reaches and the system has
 * addresses for one. It is used again and again. The ledger counts the whole arena, which never shrinks: what lies between
 * spans in use cannot be foreseen, so a limit that must hold takes a `MemoryPool`.
 */
export class ArenaPool implements Pool {
  readonly joins = true;
  readonly #ledger: MemoryLedger;
  /** Null until memory is wanted. */
  #arena: Arena | undefined | null = null;
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
    if (this.#arena === null) this.#arena = newArena();
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
      this.#arena = null;
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

/** Undefined where there are as many as may be, or the system has no addresses for one. */
function newArena(): Arena | undefined {
  if (arenas >= arenasMax) return undefined;
  try {
    const arena = new Arena();
    arenas++;
    gone.register(arena, undefined);
    return arena;
  } catch {
    return undefined;
  }
}

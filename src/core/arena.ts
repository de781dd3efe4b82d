/**
 * One memory that WebAssembly works on and JavaScript sees, from which many share: rows that lie anywhere in it are copied
 * several times faster than rows of many buffers (`arrow/copy-kernel.ts`).
 *
 * It is declared as shared, though no other thread gets it: memory that is not would be taken from all who hold views of
 * it each time that it grows. It never shrinks; with the last view of it goes all of it.
 */
export class Arena {
  readonly memory: WebAssembly.Memory;
  /** Spans that were given back, by address; no two of them touch. */
  readonly #free: Span[] = [];
  /** Where memory begins that was never taken. */
  #end = firstAddress;
  /**
   * Buffers that nobody touches, so that they take no memory, as large as the arena: V8 does not count shared memory, and
   * would take its time to let go of an arena that nobody refers to. One is there from the start: each arena takes 10 GiB of
   * the addresses that a process has, of which there are 128 TiB.
   */
  readonly #weights: ArrayBuffer[] = [];
  /** Bytes of them. */
  #weighed = weightBytesMin;

  /** Throws a RangeError where the system has no room for its addresses. */
  constructor() {
    this.memory = new WebAssembly.Memory({ initial: 1, maximum: pagesMax, shared: true });
    this.#weights.push(new ArrayBuffer(weightBytesMin));
    arenas.set(this.memory.buffer, this);
  }

  /** Bytes that it takes, given or not. */
  get bytes(): number {
    return this.memory.buffer.byteLength;
  }

  /** The arena that `buffer` is the memory of. */
  static of(buffer: ArrayBufferLike): Arena | undefined {
    return arenas.get(buffer);
  }

  /** `bytes` bytes, not zeroed, at an address that is a multiple of 16; undefined where the arena cannot grow so far. */
  allocate(bytes: number): Uint8Array | undefined {
    const size = roundedUp(bytes);
    const found = this.#free.findIndex((span) => span.size >= size);
    if (found >= 0) {
      const span = this.#free[found]!;
      const { at } = span;
      if (span.size === size) this.#free.splice(found, 1);
      else this.#free[found] = { at: at + size, size: span.size - size };
      return new Uint8Array(this.memory.buffer, at, bytes);
    }
    if (!this.#reach(this.#end + size + spareBytes)) return undefined;
    const at = this.#end;
    this.#end += size;
    return new Uint8Array(this.memory.buffer, at, bytes);
  }

  /** Takes back what {@link allocate} gave, whole. */
  free({ byteOffset, byteLength }: Uint8Array): void {
    const span = { at: byteOffset, size: roundedUp(byteLength) };
    let place = this.#free.findIndex(({ at }) => at > span.at);
    if (place < 0) place = this.#free.length;
    const after = this.#free[place];
    if (after !== undefined && span.at + span.size === after.at) {
      span.size += after.size;
      this.#free.splice(place, 1);
    }
    const before = this.#free[place - 1];
    if (before !== undefined && before.at + before.size === span.at) before.size += span.size;
    else this.#free.splice(place, 0, span);
    const last = this.#free.at(-1)!;
    if (last.at + last.size === this.#end) {
      this.#end = last.at;
      this.#free.pop();
    }
  }

  /** Grows the memory to at least `bytes`. */
  #reach(bytes: number): boolean {
    const size = this.bytes;
    if (bytes <= size) return true;
    const wanted = Math.ceil(Math.max(bytes, size + size / spareShare) / pageBytes);
    const grown = Math.min(wanted, pagesMax) - size / pageBytes;
    if (bytes > pagesMax * pageBytes) return false;
    try {
      const heavier = size + grown * pageBytes - this.#weighed;
      if (heavier > 0) this.#weights.push(new ArrayBuffer(heavier));
      this.#weighed += Math.max(0, heavier);
      this.memory.grow(grown);
    } catch {
      return false;
    }
    arenas.set(this.memory.buffer, this);
    return true;
  }
}

interface Span {
  readonly at: number;
  size: number;
}

const arenas = new WeakMap<ArrayBufferLike, Arena>();

const pageBytes = 65_536;
/** 4 GiB, what an address of 32 bits reaches over. */
const pagesMax = 65_536;
/** What it grows by without being asked to, of its size: each time costs views anew. */
const spareShare = 16;
/** What V8 is told that an arena takes at least: it collects its heap once it counts some tens of megabytes more. */
const weightBytesMin = 2 ** 18;
/** An address that is not 0. */
const firstAddress = 16;
/** Bytes behind all that is given, which copies in steps of 16 may touch. */
const spareBytes = 16;

function roundedUp(bytes: number): number {
  return Math.max(16, Math.ceil(bytes / 16) * 16);
}

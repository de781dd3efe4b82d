import { MemoryLedger } from './memory-ledger.js';

/** Memory to read into, which is taken back: what is read must be copied out, and not kept. */
export interface Memory {
  /** At least `bytes` bytes, not zeroed. */
  allocate(bytes: number): Uint8Array;
  /** Says that about so many bytes will be allocated, in pieces: they may then lie together. */
  expect(bytes: number): void;
  /**
   * Memory of its own, for what is copied out at once; whoever asked for it releases it, or keeps it where it is not
   * copied, or abandons it after an error.
   */
  scratch(): Memory & { release(): void; keep(): void; abandon(): void };
}

/** Reads below this are not worth keeping the memory of. */
const pooledBytesMin = 64 * 1024;
/** Bytes of a part from which on it tells how large the room is. */
const guessBytesMin = 4096;
/** By how much a room is larger than what was expected when it was made. */
const roomShare = 1 / 64;
/** Where pieces of what was taken as one begin: places of 64-bit values, and of copies in steps of 16 bytes. */
const alignment = 16;
/** Sizes there are for each doubling: what is rounded up is an eighth at most. */
const sizesPerDoubling = 8;
/** Sizes above the wanted one that will do. */
const sizesTried = 3;

/**
 * Memory for reads, used again and again: buffers of megabytes cost more to get from the system, page by page, and to
 * clear away by the garbage collector, than to read into. All of it together, in use or ready, is no more than was once in
 * use at the same time.
 */
export class MemoryPool implements Pool {
  readonly joins = false;
  readonly #ledger: MemoryLedger;
  readonly #bytesMax: number;
  readonly #ready = new Map<number, Uint8Array[]>();
  #readyBytes = 0;
  #usedBytes = 0;
  #usedBytesMost = 0;
  /** Bytes in use that are not the pool's to give again. */
  #otherBytes = 0;

  /** What lies ready goes where it and all that is in use would pass `bytesMax`. Default: no limit. */
  constructor(ledger: MemoryLedger = new MemoryLedger(), bytesMax: number = Number.POSITIVE_INFINITY) {
    this.#ledger = ledger;
    this.#bytesMax = bytesMax;
  }

  /** Bytes of memory that was taken and not given back, as rounded up. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Bytes that wait to be taken again. */
  get readyBytes(): number {
    return this.#readyBytes;
  }

  lease(): Lease {
    return new Lease(this);
  }

  take(bytes: number): Uint8Array {
    if (bytes < pooledBytesMin) {
      this.count(bytes);
      return fresh(bytes);
    }
    const wanted = roundedUp(bytes);
    const found = this.#readyOf(wanted);
    this.#usedBytes += found?.byteLength ?? wanted;
    this.#usedBytesMost = Math.max(this.#usedBytesMost, this.#usedBytes);
    if (found !== undefined) return found;
    // What lies ready and did not fit makes room for what does.
    while (this.#readyBytes > 0 && this.#usedBytes + this.#readyBytes > this.#usedBytesMost) this.#drop();
    this.#makeRoom();
    this.#ledger.add(wanted);
    return fresh(wanted);
  }

  lose(memory: Uint8Array): void {
    if (memory.byteLength < pooledBytesMin) {
      this.count(-memory.byteLength);
      return;
    }
    this.#usedBytes -= memory.byteLength;
    this.#ledger.add(-memory.byteLength);
  }

  give(memory: Uint8Array): void {
    const size = memory.byteLength;
    if (size < pooledBytesMin) {
      this.count(-size);
      return;
    }
    this.#usedBytes -= size;
    this.#readyBytes += size;
    const ready = this.#ready.get(size);
    if (ready === undefined) this.#ready.set(size, [memory]);
    else ready.push(memory);
  }

  count(bytes: number): void {
    this.#otherBytes += bytes;
    this.#makeRoom();
    this.#ledger.add(bytes);
  }

  #makeRoom(): void {
    while (this.#readyBytes > 0 && this.#usedBytes + this.#otherBytes + this.#readyBytes > this.#bytesMax) this.#drop();
  }

  #readyOf(wanted: number): Uint8Array | undefined {
    let size = wanted;
    // Where memory is short little of it may lie in what is larger than it need be.
    const most = this.#bytesMax === Number.POSITIVE_INFINITY ? sizesTried : 1;
    for (let tried = 0; tried < most; tried++) {
      const found = this.#ready.get(size)?.pop();
      if (found !== undefined) {
        this.#readyBytes -= size;
        return found;
      }
      size = roundedUp(size + 1);
    }
    return undefined;
  }

  /** Lets go of one buffer, of the size that came up first: sizes no longer asked for go before the others. */
  #drop(): void {
    for (const [size, ready] of this.#ready) {
      if (ready.pop() === undefined) this.#ready.delete(size);
      else {
        this.#readyBytes -= size;
        this.#ledger.add(-size);
        return;
      }
    }
  }
}

/** Memory that is not cleared. */
export function fresh(bytes: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer);
}

function roundedUp(bytes: number): number {
  const step = 2 ** Math.floor(Math.log2(bytes)) / sizesPerDoubling;
  return Math.ceil(bytes / step) * step;
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / alignment) * alignment;
}

/** Whatever memory is taken from and given back to. */
export interface Pool {
  /** Whether what a block takes is taken as one: what comes back then has room for the next block, however that is cut. */
  readonly joins: boolean;
  /** Memory for one block; its owner releases it once nothing refers to the block any more. */
  lease(): Lease;
  /** At least `bytes` bytes, not zeroed. */
  take(bytes: number): Uint8Array;
  give(memory: Uint8Array): void;
  /** Memory that was taken and never comes back. */
  lose(memory: Uint8Array): void;
  /** Counts bytes that are held as long as those of the pool are, but are not the pool's; negative ones no longer. */
  count(bytes: number): void;
}

/** What leases take each that follow each other, all of them as much: one then lies where another was. */
export interface Room {
  bytes: number;
}

/** Memory of one block, counted by those who use it. */
export class Lease implements Memory {
  readonly #pool: Pool;
  readonly #taken: Uint8Array[] = [];
  /** What is left of memory that was taken as one. */
  readonly #rooms: Uint8Array[] = [];
  #place: { readonly room: Room; readonly times: number } | undefined;
  /** Of scratch memory. */
  #owner: Lease | undefined;
  #others = 0;
  #users = 0;
  #abandoned = false;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /** Bytes that the block holds. */
  get bytes(): number {
    return this.#taken.reduce((sum, { byteLength }) => sum + byteLength, this.#others);
  }

  allocate(bytes: number): Uint8Array {
    if (this.#abandoned) return new Uint8Array(bytes);
    const at = this.#rooms.findIndex(({ byteLength }) => byteLength >= bytes);
    if (at < 0) return this.#take(bytes);
    const room = this.#rooms[at]!;
    this.#rooms[at] = room.subarray(aligned(bytes));
    return room.subarray(0, bytes);
  }

  expect(bytes: number): void {
    if (!this.#pool.joins || this.#abandoned || bytes === 0) return;
    if (this.#rooms.some(({ byteLength }) => byteLength >= bytes)) return;
    // A whole number of steps, so that what is left of it begins at one, though it be nothing.
    this.#rooms.push(this.#take(this.#roomBytes(bytes) ?? aligned(bytes)));
  }

  /** What the room takes that is to be filled, if it is still to be taken, and its size is known. */
  #roomBytes(bytes: number): number | undefined {
    if (this.#place === undefined) return undefined;
    const { room, times } = this.#place;
    // Of a few rows it is more the padding that is expected.
    if (bytes >= guessBytesMin && bytes * times > room.bytes) room.bytes = aligned(bytes * times * (1 + roomShare));
    if (room.bytes < bytes) return undefined;
    this.#place = undefined;
    return room.bytes;
  }

  /** What is expected first is one of `times` parts of what takes all of `room`, which is made larger where it has to be. */
  fill(room: Room, times: number): void {
    this.#place = { room, times };
  }

  #take(bytes: number): Uint8Array {
    const memory = this.#pool.take(bytes);
    this.#taken.push(memory);
    return memory;
  }

  scratch(): Lease {
    const scratch = this.#pool.lease();
    scratch.#owner = this;
    return scratch;
  }

  /** Scratch memory becomes that of the lease which it is of: it is given back with it. */
  keep(): void {
    const owner = this.#owner!;
    if (owner.#abandoned) this.abandon();
    else owner.#taken.push(...this.#taken.splice(0));
  }

  /** Whether `view` is one of this lease's memory. */
  owns({ buffer, byteOffset }: ArrayBufferView): boolean {
    return this.#taken.some((memory) => {
      const at = byteOffset - memory.byteOffset;
      return memory.buffer === buffer && at >= 0 && at < memory.byteLength;
    });
  }

  /** Counts `bytes` that the block holds besides its own memory. */
  count(bytes: number): void {
    this.#others += bytes;
    this.#pool.count(bytes);
  }

  /** Leaves the memory to the garbage collector: after a read that failed, as others beside it may still write to it. */
  abandon(): void {
    this.#abandoned = true;
    this.#rooms.length = 0;
    for (const memory of this.#taken.splice(0)) this.#pool.lose(memory);
  }

  /** One more refers to the block. */
  retain(): void {
    this.#users++;
  }

  /** One less does; with the last the memory goes back. */
  release(): void {
    if (--this.#users > 0) return;
    this.#rooms.length = 0;
    for (const memory of this.#taken.splice(0)) this.#pool.give(memory);
    this.#pool.count(-this.#others);
    this.#others = 0;
  }
}

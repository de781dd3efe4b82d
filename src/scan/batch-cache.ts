import type { Data } from 'apache-arrow';
import { ArenaPool } from '../core/arena-pool.js';
import type { Lease, Memory } from '../core/memory-pool.js';

/** A record batch that is held until it is released: its memory is then read into again, so all is to be copied out. */
export interface HeldBatch {
  readonly columns: readonly Data[];
  release(): void;
}

interface Entry {
  readonly data: Promise<Data[]>;
  readonly lease: Lease;
  bytes: number;
  /** Those who hold it. */
  users: number;
}

/** Record batches that were read whole: of those that nobody holds the least recently used are let go first. */
export class BatchCache {
  readonly #batches = new Map<string, Entry>();
  readonly #pool = new ArenaPool();
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Memory beside the batches for a part of one, so that rows of both are gathered from one place. */
  lease(): Lease {
    return this.#pool.lease();
  }

  has(name: string): boolean {
    return this.#batches.has(name);
  }

  /** The columns that `name` stands for, which `read` gives where they are not there. */
  async get(name: string, read: (memory: Memory) => Promise<Data[]>): Promise<HeldBatch> {
    let entry = this.#batches.get(name);
    if (entry === undefined) entry = this.#add(name, read);
    else this.#batches.delete(name);
    this.#batches.set(name, entry);
    const own = entry;
    own.users++;
    own.lease.retain();
    try {
      return { columns: await own.data, release: () => this.#release(own) };
    } catch (error) {
      this.#release(own);
      throw error;
    }
  }

  #add(name: string, read: (memory: Memory) => Promise<Data[]>): Entry {
    const lease = this.#pool.lease();
    lease.retain();
    const entry: Entry = { data: read(lease), lease, bytes: 0, users: 0 };
    entry.data.then(
      (columns) => {
        entry.bytes = columns.reduce((sum, column) => sum + column.byteLength, 0);
        this.#bytes += entry.bytes;
        this.#shrink();
      },
      () => {
        lease.abandon();
        this.#batches.delete(name);
      },
    );
    return entry;
  }

  #release(entry: Entry): void {
    entry.users--;
    entry.lease.release();
    this.#shrink();
  }

  #shrink(): void {
    for (const [name, { bytes, lease, users }] of this.#batches) {
      if (this.#bytes <= this.#bytesMax) return;
      // What is held takes its memory anyway, and would be read once more for the next who wants it.
      if (users > 0) continue;
      this.#batches.delete(name);
      this.#bytes -= bytes;
      lease.release();
    }
  }
}

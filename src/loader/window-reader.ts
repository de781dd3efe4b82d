import { blockSources } from '../arrow/gather.js';
import { expandRanges, type Ranges, rowRanges } from '../arrow/ranges.js';
import type { ColumnSources } from '../arrow/sources.js';
import { ArenaPool } from '../core/arena-pool.js';
import { toWire } from '../core/error-wire.js';
import type { MemoryLedger } from '../core/memory-ledger.js';
import { type Lease, MemoryPool, type Pool, type Room } from '../core/memory-pool.js';
import { Semaphore } from '../core/semaphore.js';
import { chunkEnd } from '../sharding/chunks.js';
import type { EpochOrder, WindowSpan } from '../sharding/epoch-order.js';
import type { Shard } from '../sharding/shard.js';
import { columnOf, isDamage } from './bad-row.js';
import { bytesBeside } from './lease-bytes.js';
import type { MemoryBudget } from './memory-budget.js';
import { type Cut, Picked, type Stretch } from './picked-rows.js';
import { type DamagedBlock, isReadable, type PlacedBlock } from './placed-block.js';
import type { BlockPlace } from './row-ids.js';
import type { OpenSource } from './source.js';

/** A window of the stream, read. */
export interface ReadWindow {
  readonly start: number;
  /** Stream position of the window that follows. */
  readonly next: number;
  readonly blocks: readonly (PlacedBlock | DamagedBlock)[];
  /** Whether any of `blocks` is damaged: rows then have to be taken block by block, and there are no `columns`. */
  readonly damaged: boolean;
  /** The places of `blocks`: they alone stay where rows are only to be named. */
  readonly places: readonly BlockPlace[];
  readonly columns: readonly ColumnSources[];
  /** Its rows in `blocks`, in the order to give. */
  readonly ranges: Ranges;
  /** Bytes that its blocks hold. */
  readonly bytes: number;
  /** One more refers to its blocks. */
  retain(): void;
  /** One less does; with the last their memory is taken back, but for what the next window goes on with. */
  release(): void;
}

/** Whatever reads the windows of one epoch. */
export type Windows = Pick<WindowReader, 'begin' | 'nextStart' | 'read'>;

interface Pending extends Stretch {
  /** One block, or those that it falls into where parts of it are damaged. */
  readonly blocks: Promise<readonly (PlacedBlock | DamagedBlock)[]>;
  readonly lease: Lease;
}

interface PendingCut extends Cut {
  readonly pending: readonly Pending[];
}

/** How windows are read. */
export interface WindowReading {
  readonly budget: MemoryBudget;
  /** Counts the memory of blocks. */
  readonly ledger: MemoryLedger;
  /** Rows that cannot be read are told apart from those that can, instead of ending the reading. */
  readonly skipDamaged: boolean;
  /** Whether blocks are read into memory that `release` takes back. */
  readonly lends: boolean;
  readonly signal: AbortSignal;
}

/**
 * Reads the windows of one epoch, from any window on, one after the other. Holds the blocks that the next window goes on
 * with, nothing else.
 */
export class WindowReader {
  readonly #source: OpenSource;
  readonly #shards: readonly Shard[];
  readonly #order: EpochOrder;
  /** What bounds the blocks that are read. */
  readonly #budget: MemoryBudget;
  readonly #signal: AbortSignal;
  readonly #skipDamaged: boolean;
  /** Memory that blocks are read into, where what is made of them is copied out. */
  readonly #pool: Pool;
  readonly #reads: Semaphore;
  readonly #lends: boolean;
  /** The block each chunk is at, by chunk. */
  #open = new Map<number, Pending>();
  /** Where the small window is that a pass begins with, so that its first batch waits for few reads. */
  #first: number | undefined;
  /** What windows take whose blocks are read by themselves. */
  readonly #room: Room = { bytes: 0 };
  /** Memory of the blocks that are read next, where those of a window share it, once there is one. */
  #shared: { lease: Lease | undefined } | undefined;

  constructor(source: OpenSource, shards: readonly Shard[], order: EpochOrder, settings: WindowReading) {
    this.#source = source;
    this.#shards = shards;
    this.#order = order;
    this.#signal = settings.signal;
    this.#lends = settings.lends;
    this.#budget = settings.budget;
    const { bytesMax, blocksBytesMax } = settings.budget;
    // The faster one where no limit has to hold to the byte.
    this.#pool =
      bytesMax === undefined ? new ArenaPool(settings.ledger) : new MemoryPool(settings.ledger, blocksBytesMax);
    this.#reads = new Semaphore(settings.budget.readsMax);
    this.#skipDamaged = settings.skipDamaged;
  }

  /** Lets go of what a next window would go on with: the next one is read from anywhere, a small one where it is at `first`. */
  begin(first?: number): void {
    for (const { lease } of this.#open.values()) lease.release();
    this.#open.clear();
    this.#first = first;
  }

  /** Where the window behind the one at `start` begins, if that is known before it is read: not under a filter. */
  nextStart(start: number): number | undefined {
    if (this.#source.filtered) return undefined;
    const { limit, quota } = this.#spanFrom(start);
    return Math.min(limit, start + quota);
  }

  /**
   * The window at `start`. Calls must follow each other in stream order; under a filter each after the one before has
   * settled.
   */
  async read(start: number): Promise<ReadWindow> {
    const span = this.#spanFrom(start);
    const leases: Lease[] = [];
    this.#shared = this.#sharesRoom(span) ? { lease: undefined } : undefined;
    if (this.#order.contiguous && !this.#source.filtered) return this.#readRuns(span, leases);
    const picked = new Picked();
    // Without a filter one step is the whole window; with one the step doubles until the quota is met.
    let position = start;
    for (let step = span.quota; position < span.limit && picked.length < span.quota; step *= 2) {
      const end = Math.min(span.limit, position + step);
      position = await this.#pick(position, end, span.quota, picked, leases);
    }
    const { length, blocks } = picked;
    const rows = { source: picked.block.subarray(0, length), row: picked.row.subarray(0, length) };
    const order = this.#order.permutationOf(start, length);
    const ranges = order === undefined ? rowRanges(rows.source, rows.row) : permuted(rows, order);
    return this.#finished({ start, next: position, blocks, ranges }, leases);
  }

  /** A window whose rows are neighbours, none of them missing: nothing is done row by row but what the shuffle does. */
  async #readRuns({ start, limit, quota }: WindowSpan, leases: Lease[]): Promise<ReadWindow> {
    const next = Math.min(limit, start + quota);
    const pending: Pending[] = [];
    const runs: { start: number; length: number }[] = [];
    for (const { chunk, row, rows } of this.#order.runs(start, next)) {
      const end = row + rows;
      for (let at = row; at < end; ) {
        const block = this.#blockAt(chunk, at, end);
        block.lease.retain();
        leases.push(block.lease);
        pending.push(block);
        const length = Math.min(end, block.to) - at;
        runs.push({ start: at - block.from, length });
        at += length;
        if (at === block.to) this.#close(chunk, block);
      }
    }
    const read = await Promise.all(pending.map(({ blocks }) => blocks));
    const blocks = read.flat();
    const cut = read.flatMap((own, at) => runsWithin(own, runs[at]!));
    const numbers = new Map(blocks.map((block, at) => [block, at]));
    const ranges: Ranges = {
      count: cut.length,
      source: Int32Array.from(cut, (run) => numbers.get(run.block)!),
      start: Int32Array.from(cut, (run) => run.start),
      lengths: Int32Array.from(cut, (run) => run.length),
      total: next - start,
    };
    const order = this.#order.permutationOf(start, ranges.total);
    const given = order === undefined ? ranges : permuted(expandRanges(ranges), order);
    return this.#finished({ start, next, blocks, ranges: given }, leases);
  }

  #spanFrom(start: number): WindowSpan {
    const span = this.#order.windowFrom(start);
    if (this.#order.shuffles) return span;
    // Where nothing is shuffled a window is but the unit of reading.
    const { firstRows, plainRows } = this.#budget;
    return { ...span, quota: Math.min(span.quota, start === this.#first ? firstRows : plainRows) };
  }

  /**
   * Whether the window takes as much memory as the largest does: none of its blocks are part of another, and another window
   * is to lie in its place later.
   */
  #sharesRoom({ start, limit, quota }: WindowSpan): boolean {
    if (!this.#order.shuffles || !this.#order.contiguous || this.#budget.blocks.alone.spareRows > 0) return false;
    // One window is read while another one is given: it is the one after the next that takes its place.
    const next = Math.min(limit, start + quota);
    if (next >= this.#order.rows) return false;
    const second = this.#spanFrom(next);
    return Math.min(second.limit, next + second.quota) < this.#order.rows;
  }

  /** Memory for `rows` rows that are read by themselves. */
  #leaseAlone(rows: number): Lease {
    if (this.#shared === undefined) return this.#pool.lease();
    if (this.#shared.lease === undefined) {
      this.#shared.lease = this.#pool.lease();
      this.#shared.lease.fill(this.#room, this.#budget.windowRows / rows);
    }
    return this.#shared.lease;
  }

  #finished(window: Pick<ReadWindow, 'start' | 'next' | 'blocks' | 'ranges'>, leases: Lease[]): ReadWindow {
    const columns = window.blocks.filter(isReadable).map((placed) => placed.columns);
    const damaged = columns.length < window.blocks.length;
    let users = 1;
    return {
      ...window,
      damaged,
      places: window.blocks.map(({ place }) => place),
      columns: damaged ? [] : blockSources(this.#source.schema, columns),
      bytes: [...new Set(leases)].reduce((sum, lease) => sum + lease.bytes, 0),
      retain: () => {
        users++;
      },
      release: () => {
        if (--users === 0) for (const lease of leases.splice(0)) lease.release();
      },
    };
  }

  /** Adds the surviving rows at `position … end` until there are `quota`; returns the position behind the last. */
  async #pick(position: number, end: number, quota: number, picked: Picked, leases: Lease[]): Promise<number> {
    const count = end - position;
    const chunk = new Int32Array(count);
    const row = new Int32Array(count);
    this.#order.locate(position, end, chunk, row);
    const cut = this.#cut(chunk, row);
    for (const { lease } of cut.pending) leases.push(lease);
    const blocks = await Promise.all(cut.pending.map((pending) => pending.blocks));
    const used = picked.add(blocks, cut, row, quota);
    this.#keepUnfinished(cut, row, used);
    return position + used;
  }

  /** Which block each of the located rows is in. Reads start here, in the order in which rows are wanted. */
  #cut(chunk: Int32Array, row: Int32Array): PendingCut {
    const pending: Pending[] = [];
    const chunks: number[] = [];
    const index = new Int32Array(chunk.length);
    let low = Number.POSITIVE_INFINITY;
    let high = 0;
    for (const of of chunk) {
      if (of < low) low = of;
      if (of > high) high = of;
    }
    const slots = chunk.length === 0 ? 0 : high - low + 1;
    const current = new Int32Array(slots).fill(-1);
    const ends = new Float64Array(slots);
    const wanted = new Float64Array(slots);
    // Rows of a chunk ascend, so the last one seen is the last one wanted.
    for (let at = 0; at < chunk.length; at++) wanted[chunk[at]! - low] = row[at]! + 1;
    for (let at = 0; at < chunk.length; at++) {
      const slot = chunk[at]! - low;
      if (current[slot]! < 0 || row[at]! >= ends[slot]!) {
        const block = this.#blockAt(chunk[at]!, row[at]!, wanted[slot]!);
        current[slot] = pending.length;
        ends[slot] = block.to;
        block.lease.retain();
        pending.push(block);
        chunks.push(chunk[at]!);
      }
      index[at] = current[slot]!;
    }
    return { pending, chunks, index };
  }

  /** The block that holds `row` of `chunk`: the one that is open, or one that begins there and reaches to `wanted`. */
  #blockAt(chunk: number, row: number, wanted: number): Pending {
    const open = this.#open.get(chunk);
    if (open !== undefined && row >= open.from && row < open.to) return open;
    const { chunks } = this.#order;
    const number = chunks.shard[chunk]!;
    const shard = this.#shards[number]!;
    const base = chunks.from[chunk]!;
    const end = chunkEnd(chunks, chunk, this.#source.blockEnd(shard, base + row) - base);
    const isAlone = this.#source.readsAlone?.(shard, base + row) === true;
    const sizes = isAlone ? this.#budget.blocks.alone : this.#budget.blocks.together;
    const few = end - wanted <= sizes.spareRows ? end : Math.max(wanted, row + sizes.rowsMin);
    const to = chunkEnd(chunks, chunk, Math.min(end, few));
    const lease = isAlone ? this.#leaseAlone(to - row) : this.#pool.lease();
    lease.retain();
    const blocks = this.#reads.run(() => this.#read(number, base + row, base + to, lease));
    // The window that wants the block rejects with its error; until then the rejection has this owner.
    blocks.catch(() => {});
    const made = { from: row, to, blocks, lease };
    open?.lease.release();
    this.#open.set(chunk, made);
    return made;
  }

  async #read(
    number: number,
    from: number,
    to: number,
    lease: Lease,
  ): Promise<readonly (PlacedBlock | DamagedBlock)[]> {
    const shard = this.#shards[number]!;
    const memory = this.#lends ? lease : undefined;
    try {
      const { batch, rows } = await this.#source.readBlock(shard, from, to, this.#signal, memory);
      lease.count(bytesBeside(batch.data, lease));
      return [{ columns: batch.data.children, place: { shard: number, from, rows } }];
    } catch (error) {
      if (!this.#skipDamaged || this.#source.cutsWithin === undefined || !isDamage(error)) throw error;
      lease.abandon();
      const cuts = await this.#source.cutsWithin(shard, from, to).catch((thrown) => {
        // A file that cannot even be opened is damaged as a whole.
        if (isDamage(thrown)) return [];
        throw thrown;
      });
      const starts = [from, ...cuts];
      return Promise.all(starts.map((start, at) => this.#readStretch(number, start, starts[at + 1] ?? to, lease)));
    }
  }

  /** Rows that are whole or damaged together. */
  async #readStretch(number: number, from: number, to: number, lease: Lease): Promise<PlacedBlock | DamagedBlock> {
    try {
      const { batch, rows } = await this.#source.readBlock(this.#shards[number]!, from, to, this.#signal);
      lease.count(bytesBeside(batch.data, lease));
      return { columns: batch.data.children, place: { shard: number, from, rows } };
    } catch (error) {
      if (!isDamage(error)) throw error;
      return { place: { shard: number, from, rows: undefined }, column: columnOf(error), error: toWire(error) };
    }
  }

  /** Lets go of the blocks whose last row was among the first `used` located rows. */
  #keepUnfinished(cut: PendingCut, row: Int32Array, used: number): void {
    const last = new Int32Array(cut.pending.length).fill(-1);
    for (let at = 0; at < used; at++) last[cut.index[at]!] = row[at]!;
    for (const [at, pending] of cut.pending.entries()) {
      const chunk = cut.chunks[at]!;
      if (last[at]! + 1 >= pending.to) this.#close(chunk, pending);
    }
  }

  /** Lets go of a block that no later window goes on with. */
  #close(chunk: number, block: Pending): void {
    if (this.#open.get(chunk) !== block) return;
    this.#open.delete(chunk);
    block.lease.release();
  }
}

/** The part of a run of what was read as one that lies in each of its blocks. */
function runsWithin(
  blocks: readonly (PlacedBlock | DamagedBlock)[],
  run: { start: number; length: number },
): { block: PlacedBlock | DamagedBlock; start: number; length: number }[] {
  const [first] = blocks;
  if (blocks.length === 1) return [{ block: first!, ...run }];
  const end = run.start + run.length;
  return blocks.flatMap((block, at) => {
    const from = block.place.from - first!.place.from;
    const next = blocks[at + 1];
    const to = next === undefined ? end : next.place.from - first!.place.from;
    const [begin, stop] = [Math.max(from, run.start), Math.min(to, end)];
    return begin < stop ? [{ block, start: begin - from, length: stop - begin }] : [];
  });
}

function permuted({ source, row }: { source: Int32Array; row: Int32Array }, order: Uint32Array): Ranges {
  const count = order.length;
  const drawn = { source: new Int32Array(count), start: new Int32Array(count) };
  for (let at = 0; at < count; at++) {
    const from = order[at]!;
    drawn.source[at] = source[from]!;
    drawn.start[at] = row[from]!;
  }
  return { count, ...drawn, lengths: 1, total: count };
}

import type { Data, RecordBatch } from 'apache-arrow';
import { batchSources } from '../arrow/gather.js';
import { expandRanges, type Ranges, rowRanges } from '../arrow/ranges.js';
import type { ColumnSources } from '../arrow/sources.js';
import type { MemoryLedger } from '../core/memory-ledger.js';
import { type Lease, MemoryPool } from '../core/memory-pool.js';
import { Semaphore } from '../core/semaphore.js';
import { chunkEnd } from '../sharding/chunks.js';
import type { EpochOrder, WindowSpan } from '../sharding/epoch-order.js';
import type { Shard } from '../sharding/shard.js';
import type { MemoryBudget } from './memory-budget.js';
import type { BlockPlace } from './row-ids.js';
import type { OpenSource } from './source.js';

/** A decoded block with its place. */
export interface PlacedBlock {
  readonly batch: RecordBatch;
  readonly place: BlockPlace;
}

/** A window of the stream, read. */
export interface ReadWindow {
  readonly start: number;
  /** Stream position of the window that follows. */
  readonly next: number;
  readonly blocks: readonly PlacedBlock[];
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

/** Rows below which another read costs more than holding them, where memory is not short. */
const blockRowsMin = 256;

interface Pending {
  readonly from: number;
  readonly to: number;
  readonly block: Promise<PlacedBlock>;
  readonly lease: Lease;
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
  /** Memory that blocks are read into, where what is made of them is copied out. */
  readonly #pool: MemoryPool;
  readonly #reads: Semaphore;
  readonly #lends: boolean;
  /** The block each chunk is at, by chunk. */
  #open = new Map<number, Pending>();

  constructor(
    source: OpenSource,
    shards: readonly Shard[],
    order: EpochOrder,
    settings: { budget: MemoryBudget; ledger: MemoryLedger; signal: AbortSignal; lends: boolean },
  ) {
    this.#source = source;
    this.#shards = shards;
    this.#order = order;
    this.#signal = settings.signal;
    this.#lends = settings.lends;
    this.#budget = settings.budget;
    this.#pool = new MemoryPool(settings.ledger, settings.budget.blocksBytesMax);
    this.#reads = new Semaphore(settings.budget.readsMax);
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
    const blocks = await Promise.all(pending.map(({ block }) => block));
    const ranges: Ranges = {
      count: runs.length,
      source: Int32Array.from(runs, (_, at) => at),
      start: Int32Array.from(runs, (run) => run.start),
      lengths: Int32Array.from(runs, (run) => run.length),
      total: next - start,
    };
    const order = this.#order.permutationOf(start, ranges.total);
    const given = order === undefined ? ranges : permuted(expandRanges(ranges), order);
    return this.#finished({ start, next, blocks, ranges: given }, leases);
  }

  #spanFrom(start: number): WindowSpan {
    const span = this.#order.windowFrom(start);
    // Where nothing is shuffled a window is but the unit of reading.
    return this.#order.shuffles ? span : { ...span, quota: Math.min(span.quota, this.#budget.plainRows) };
  }

  #finished(window: Pick<ReadWindow, 'start' | 'next' | 'blocks' | 'ranges'>, leases: Lease[]): ReadWindow {
    const batches = window.blocks.map((placed) => placed.batch);
    let users = 1;
    return {
      ...window,
      places: window.blocks.map(({ place }) => place),
      columns: batchSources(this.#source.schema, batches),
      bytes: leases.reduce((sum, lease) => sum + lease.bytes, 0),
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
    const blocks = await Promise.all(cut.pending.map((pending) => pending.block));
    const used = picked.add(blocks, cut, row, quota);
    this.#keepUnfinished(cut, row, used);
    return position + used;
  }

  /** Which block each of the located rows is in. Reads start here, in the order in which rows are wanted. */
  #cut(chunk: Int32Array, row: Int32Array): Cut {
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
    const { spareRows } = this.#budget;
    const few = Math.max(wanted, Math.min(end, row + Math.min(spareRows, blockRowsMin)));
    const to = end - wanted <= spareRows ? end : chunkEnd(chunks, chunk, few);
    const lease = this.#pool.lease();
    lease.retain();
    const memory = this.#lends ? lease : undefined;
    const block = this.#reads.run(async () => {
      const { batch, rows } = await this.#source.readBlock(shard, base + row, base + to, this.#signal, memory);
      lease.count(foreignBytes(batch.data, lease));
      return { batch, place: { shard: number, from: base + row, rows } };
    });
    // The window that wants the block rejects with its error; until then the rejection has this owner.
    block.catch(() => {});
    const made = { from: row, to, block, lease };
    open?.lease.release();
    this.#open.set(chunk, made);
    return made;
  }

  /** Lets go of the blocks whose last row was among the first `used` located rows. */
  #keepUnfinished(cut: Cut, row: Int32Array, used: number): void {
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

/** Bytes of a block that are no memory of its lease. */
function foreignBytes(data: Data, lease: Lease): number {
  let bytes = data.children.reduce((sum, child) => sum + foreignBytes(child, lease), 0);
  for (const buffer of [data.valueOffsets, data.values, data.nullBitmap] as (ArrayBufferView | undefined)[]) {
    if (buffer !== undefined && buffer !== null && !lease.owns(buffer.buffer)) bytes += buffer.byteLength;
  }
  return bytes;
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

/** Located rows by the blocks they are in. */
interface Cut {
  readonly pending: readonly Pending[];
  /** The chunk of each block. */
  readonly chunks: readonly number[];
  /** The block of each located row. */
  readonly index: Int32Array;
}

/** The rows of a window as they are found. */
class Picked {
  length = 0;
  readonly blocks: PlacedBlock[] = [];
  block: Int32Array = new Int32Array(0);
  row: Int32Array = new Int32Array(0);

  /** Adds survivors among the located rows until there are `quota`; returns how many located rows that took. */
  add(blocks: readonly PlacedBlock[], cut: Cut, row: Int32Array, quota: number): number {
    const base = this.blocks.length;
    this.blocks.push(...blocks);
    this.#grow(this.length + row.length);
    const places = blocks.map((placed, at) => survivorPlaces(placed, cut.pending[at]!));
    for (let at = 0; at < row.length; at++) {
      if (this.length === quota) return at;
      const of = cut.index[at]!;
      const within = row[at]! - cut.pending[of]!.from;
      const place = places[of] === undefined ? within : places[of][within]!;
      if (place < 0) continue;
      this.block[this.length] = base + of;
      this.row[this.length++] = place;
    }
    return row.length;
  }

  #grow(size: number): void {
    if (size <= this.block.length) return;
    const grown = [new Int32Array(size), new Int32Array(size)] as const;
    grown[0].set(this.block);
    grown[1].set(this.row);
    [this.block, this.row] = grown;
  }
}

/** For each physical row of the block its place among the survivors, or -1; undefined where all survived. */
function survivorPlaces({ place }: PlacedBlock, pending: Pending): Int32Array | undefined {
  if (place.rows === undefined) return undefined;
  const places = new Int32Array(pending.to - pending.from).fill(-1);
  for (const [at, row] of place.rows.entries()) places[row] = at;
  return places;
}

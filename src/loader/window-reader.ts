import type { RecordBatch } from 'apache-arrow';
import { batchSources } from '../arrow/gather.js';
import type { ColumnSources } from '../arrow/sources.js';
import { toWire, type WireError } from '../core/error-wire.js';
import { type Lease, MemoryPool } from '../core/memory-pool.js';
import { chunkEnd } from '../sharding/chunks.js';
import type { EpochOrder } from '../sharding/epoch-order.js';
import type { Shard } from '../sharding/shard.js';
import { columnOf, isDamage } from './bad-row.js';
import type { BlockPlace } from './row-ids.js';
import type { OpenSource } from './source.js';

/** A decoded block with its place. */
export interface PlacedBlock {
  readonly batch: RecordBatch;
  readonly place: BlockPlace;
}

/** A stretch of rows none of which can be read; all of them count as if they had survived the filter. */
export interface DamagedBlock {
  readonly place: BlockPlace;
  readonly column: string | undefined;
  readonly error: WireError;
}

export function isReadable(block: PlacedBlock | DamagedBlock): block is PlacedBlock {
  return 'batch' in block;
}

/** A window of the stream, read: `length` rows, row `i` being row `row[i]` of block `block[i]`, in the order to give. */
export interface ReadWindow {
  readonly start: number;
  /** Stream position of the window that follows. */
  readonly next: number;
  readonly length: number;
  readonly blocks: readonly (PlacedBlock | DamagedBlock)[];
  /** Whether any of `blocks` is damaged: rows then have to be taken block by block, and there are no `columns`. */
  readonly damaged: boolean;
  /** The places of `blocks`: they alone stay where rows are only to be named. */
  readonly places: readonly BlockPlace[];
  readonly columns: readonly ColumnSources[];
  readonly block: Int32Array;
  readonly row: Int32Array;
  /** Takes back the memory of its blocks, but for those that the next window goes on with: nothing may refer to them. */
  release(): void;
}

/**
 * What a window does not need of a stored batch is read with the rest where it is a quarter of a window at most, so that
 * what is held beyond the window itself stays small beside it.
 */
const blocksPerWindow = 4;
/** Rows below which another read costs more than holding them. */
const blockRowsMin = 256;

interface Pending {
  readonly from: number;
  readonly to: number;
  /** One block, or those that it falls into where parts of it are damaged. */
  readonly blocks: Promise<readonly (PlacedBlock | DamagedBlock)[]>;
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
  /** Rows that may be read beyond a window's own. */
  readonly #spareRows: number;
  readonly #signal: AbortSignal;
  readonly #skipDamaged: boolean;
  /** Memory that blocks are read into. */
  readonly #pool = new MemoryPool();
  /** The block each chunk is at, by chunk. */
  #open = new Map<number, Pending>();

  constructor(
    source: OpenSource,
    shards: readonly Shard[],
    order: EpochOrder,
    settings: { bufferRows: number; lanes: number; skipDamaged: boolean; signal: AbortSignal },
  ) {
    this.#source = source;
    this.#shards = shards;
    this.#order = order;
    this.#signal = settings.signal;
    this.#skipDamaged = settings.skipDamaged;
    this.#spareRows = order.shuffles
      ? Math.max(blockRowsMin, Math.ceil(settings.bufferRows / settings.lanes / blocksPerWindow))
      : Number.POSITIVE_INFINITY;
  }

  /** The window at `start`. Calls must follow each other in stream order, each after the one before has settled. */
  async read(start: number): Promise<ReadWindow> {
    const span = this.#order.windowFrom(start);
    const picked = new Picked();
    const leases: Lease[] = [];
    let position = start;
    // Without a filter one step is the whole window; with one the step doubles until the quota is met.
    for (let step = span.quota; position < span.limit && picked.length < span.quota; step *= 2) {
      const end = Math.min(span.limit, position + step);
      position = await this.#pick(position, end, span.quota, picked, leases);
    }
    return this.#finished(start, position, picked, leases);
  }

  #finished(start: number, next: number, picked: Picked, leases: Lease[]): ReadWindow {
    const { length, blocks } = picked;
    const order = this.#order.permutationOf(start, length);
    const block = order === undefined ? picked.block.subarray(0, length) : permuted(picked.block, order);
    const row = order === undefined ? picked.row.subarray(0, length) : permuted(picked.row, order);
    const batches = blocks.filter(isReadable).map((placed) => placed.batch);
    const damaged = batches.length < blocks.length;
    const columns = damaged ? [] : batchSources(this.#source.schema, batches);
    const release = (): void => {
      for (const lease of leases.splice(0)) lease.release();
    };
    const places = blocks.map(({ place }) => place);
    return { start, next, length, blocks, damaged, places, columns, block, row, release };
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
    const few = Math.max(wanted, Math.min(end, row + blockRowsMin));
    const to = end - wanted <= this.#spareRows ? end : chunkEnd(chunks, chunk, few);
    const lease = this.#pool.lease();
    lease.retain();
    const blocks = this.#read(number, base + row, base + to, lease);
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
    try {
      const { batch, rows } = await this.#source.readBlock(shard, from, to, this.#signal, lease);
      return [{ batch, place: { shard: number, from, rows } }];
    } catch (error) {
      if (!this.#skipDamaged || this.#source.cutsWithin === undefined || !isDamage(error)) throw error;
      lease.abandon();
      const cuts = await this.#source.cutsWithin(shard, from, to).catch((thrown) => {
        // A file that cannot even be opened is damaged as a whole.
        if (isDamage(thrown)) return [];
        throw thrown;
      });
      const starts = [from, ...cuts];
      return Promise.all(starts.map((start, at) => this.#readStretch(number, start, starts[at + 1] ?? to)));
    }
  }

  /** Rows that are whole or damaged together. */
  async #readStretch(number: number, from: number, to: number): Promise<PlacedBlock | DamagedBlock> {
    try {
      const { batch, rows } = await this.#source.readBlock(this.#shards[number]!, from, to, this.#signal);
      return { batch, place: { shard: number, from, rows } };
    } catch (error) {
      if (!isDamage(error)) throw error;
      return { place: { shard: number, from, rows: undefined }, column: columnOf(error), error: toWire(error) };
    }
  }

  /** Lets go of the blocks whose last row was among the first `used` located rows. */
  #keepUnfinished(cut: Cut, row: Int32Array, used: number): void {
    const last = new Int32Array(cut.pending.length).fill(-1);
    for (let at = 0; at < used; at++) last[cut.index[at]!] = row[at]!;
    for (const [at, pending] of cut.pending.entries()) {
      const chunk = cut.chunks[at]!;
      if (last[at]! + 1 < pending.to || this.#open.get(chunk) !== pending) continue;
      this.#open.delete(chunk);
      pending.lease.release();
    }
  }
}

function permuted(values: Int32Array, order: Uint32Array): Int32Array {
  const out = new Int32Array(order.length);
  for (let at = 0; at < out.length; at++) out[at] = values[order[at]!]!;
  return out;
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
  readonly blocks: (PlacedBlock | DamagedBlock)[] = [];
  block: Int32Array = new Int32Array(0);
  row: Int32Array = new Int32Array(0);

  /** Adds survivors among the located rows until there are `quota`; returns how many located rows that took. */
  add(read: readonly (readonly (PlacedBlock | DamagedBlock)[])[], cut: Cut, row: Int32Array, quota: number): number {
    this.#grow(this.length + row.length);
    const spans = read.map((blocks, at) => {
      const base = this.blocks.length;
      this.blocks.push(...blocks);
      return spanOf(blocks, base, cut.pending[at]!);
    });
    for (let at = 0; at < row.length; at++) {
      if (this.length === quota) return at;
      const of = cut.index[at]!;
      const { block, places } = spans[of]!;
      const within = row[at]! - cut.pending[of]!.from;
      const place = places === undefined ? within : places[within]!;
      if (place < 0) continue;
      this.block[this.length] = typeof block === 'number' ? block : block[within]!;
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

/** For each physical row of what was read as one: its block, and its place among the block's survivors, or -1. */
interface Span {
  /** One number: all rows are in that block. */
  readonly block: number | Int32Array;
  /** Undefined: row `i` is at place `i`. */
  readonly places: Int32Array | undefined;
}

/** `blocks` follow each other from the first row of `pending` to its last; the first is number `base` of the window. */
function spanOf(blocks: readonly (PlacedBlock | DamagedBlock)[], base: number, pending: Pending): Span {
  const length = pending.to - pending.from;
  if (blocks.length === 1) return { block: base, places: survivorPlaces(blocks[0]!.place, length) };
  const block = new Int32Array(length);
  const places = new Int32Array(length);
  const start = blocks[0]!.place.from;
  for (const [number, { place }] of blocks.entries()) {
    const from = place.from - start;
    const to = number + 1 < blocks.length ? blocks[number + 1]!.place.from - start : length;
    const own = survivorPlaces(place, to - from);
    for (let at = from; at < to; at++) {
      block[at] = base + number;
      places[at] = own === undefined ? at - from : own[at - from]!;
    }
  }
  return { block, places };
}

/** For each of `length` physical rows its place among the survivors, or -1; undefined where all survived. */
function survivorPlaces({ rows }: BlockPlace, length: number): Int32Array | undefined {
  if (rows === undefined) return undefined;
  const places = new Int32Array(length).fill(-1);
  for (const [at, row] of rows.entries()) places[row] = at;
  return places;
}

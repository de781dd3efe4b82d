import { type Ranges, rowRanges } from '../../arrow/ranges.js';
import { blockBytes } from '../../arrow/stored-cells.js';
import { isSpiralError } from '../../core/errors.js';
import { coalesceGapBytes, sampleBlockBytes, sampleBlocksBytesMax, sampleReadsMax } from '../../core/limits.js';
import { type Lease, type Memory, MemoryPool } from '../../core/memory-pool.js';
import { Semaphore } from '../../core/semaphore.js';
import { isDamage } from '../../loader/bad-row.js';
import { type DamagedBlock, isReadable, type PlacedBlock } from '../../loader/placed-block.js';
import { BlockPlaces } from './block-places.js';
import { joinParts, lost, pickedParts, readParts, type SamplePart, type Stretch } from './sample-parts.js';
import type { PinnedShard, SampleShards } from './sample-shards.js';

/** Samples by their places, read. */
export interface ReadSamples {
  /** None that is damaged, where these are not skipped. */
  readonly blocks: readonly (PlacedBlock | DamagedBlock)[];
  readonly ranges: Ranges;
  /** Takes the blocks' memory back. To be called once, when what is wanted of them was copied. */
  release(): void;
}

/** How samples are read. */
export interface SampleReading {
  readonly signal?: AbortSignal | undefined;
  /** Samples that are damaged are told apart from the others, instead of ending the reading. Default false. */
  readonly skipDamaged?: boolean | undefined;
}

/** How many samples of a block are wanted, now and soon. */
export type Demand = (block: number) => number;

const blockRowsMax = 4096;
const defaultSampleBytes = 1024;
/** The share of a block's samples that, wanted soon, makes reading it whole cheaper than one by one. */
const denseShare = 1 / 32;

interface Kept {
  readonly parts: Promise<readonly SamplePart[]>;
  readonly lease: Lease;
  bytes: number;
}

/** What a request waits for. */
interface Reads {
  readonly blocks: Promise<readonly SamplePart[]>[];
  readonly leases: Lease[];
  readonly reading: SampleReading;
}

/**
 * Reads samples in any order. Neighbours that are wanted together are read as whole blocks, which are kept while they are
 * wanted, within `sampleBlocksBytesMax`; scattered ones alone, near ones in one read.
 */
export class SampleReader {
  readonly places: BlockPlaces;
  readonly shards: SampleShards;
  readonly #reads = new Semaphore(sampleReadsMax);
  readonly #kept = new Map<number, Kept>();
  readonly #pool = new MemoryPool(undefined, sampleBlocksBytesMax);
  readonly #gapRows: number;
  readonly #sampleBytes: number;
  /** Reads that are under way or wait for their turn, by shard. */
  readonly #pending = new Map<number, number>();
  /** Shards that came damaged, however often they were fetched: where damage is skipped they are not fetched again. */
  readonly #lost = new Map<number, unknown>();
  #bytes = 0;
  #bytesMax: number = sampleBlocksBytesMax;

  constructor(shards: SampleShards) {
    this.shards = shards;
    const sampleBytes = Math.max(1, shards.sampleBytes ?? defaultSampleBytes);
    const rows = Math.max(1, Math.min(blockRowsMax, Math.floor(sampleBlockBytes / sampleBytes)));
    this.places = new BlockPlaces(shards.shardSizes, rows);
    this.#sampleBytes = sampleBytes;
    this.#gapRows = Math.floor(coalesceGapBytes / sampleBytes);
  }

  /** Keeps no more than `bytes`, nor than the usual. */
  bound(bytes: number): void {
    this.#bytesMax = Math.min(sampleBlocksBytesMax, bytes);
  }

  /** The shard of each read that is under way or waits for its turn. */
  *pendingShards(): Generator<number, void, undefined> {
    for (const [shard, reads] of this.#pending) for (let read = 0; read < reads; read++) yield shard;
  }

  /** Whether a block is kept: it then needs no read. */
  has(block: number): boolean {
    return this.#kept.has(block);
  }

  /** Samples that may be kept, those that are not wanted and lie in the same blocks included. */
  get samplesMax(): number {
    return Math.max(1, Math.floor(this.#bytesMax / this.#sampleBytes));
  }

  /** Row `row[i]` of block `block[i]`, for each i, in that order. */
  async read(block: Int32Array, row: Int32Array, demand: Demand, reading: SampleReading = {}): Promise<ReadSamples> {
    const source = new Int32Array(block.length);
    const start = row.slice();
    const slots = new Map<number, number>();
    const reads: Reads = { blocks: [], leases: [], reading };
    const lone: number[] = [];
    let [last, slot] = [-1, -1];
    for (let at = 0; at < block.length; at++) {
      const number = block[at]!;
      if (number !== last) {
        last = number;
        slot = slots.get(number) ?? this.#slotFor(number, demand, reads);
        slots.set(number, slot);
      }
      source[at] = slot;
      if (slot < 0) lone.push(at);
    }
    if (lone.length > 0) this.#readLone(lone, block, source, start, reads);
    const release = (): void => {
      for (const lease of reads.leases.splice(0)) lease.release();
    };
    try {
      const blocks = joinParts(await Promise.all(reads.blocks), source, start, reading.skipDamaged === true);
      return { blocks, ranges: rowRanges(source, start), release };
    } catch (error) {
      release();
      throw error;
    }
  }

  /**
   * The same for samples from more blocks than may be kept: each block is read once, and only what is wanted of it stays, in
   * memory of its own.
   */
  async gather(block: Int32Array, row: Int32Array, reading: SampleReading = {}): Promise<ReadSamples> {
    const source = new Int32Array(block.length);
    const start = row.slice();
    const reads: Reads = { blocks: [], leases: [], reading };
    const wanted = new Map<number, number[]>();
    for (let at = 0; at < block.length; at++) {
      const places = wanted.get(block[at]!);
      if (places === undefined) wanted.set(block[at]!, [at]);
      else places.push(at);
    }
    const lone: number[] = [];
    for (const [number, places] of wanted) {
      if (!this.isDense(number, places.length)) {
        for (const at of places) lone.push(at);
        continue;
      }
      places.sort((a, b) => row[a]! - row[b]!);
      for (const [index, at] of places.entries()) {
        source[at] = reads.blocks.length;
        start[at] = index;
      }
      const rows = Int32Array.from(places, (at) => row[at]!);
      reads.blocks.push(this.#picked(number, rows, reading));
    }
    if (lone.length > 0) this.#readLone(lone, block, source, start, reads);
    const blocks = joinParts(await Promise.all(reads.blocks), source, start, reading.skipDamaged === true);
    const ranges = { count: block.length, source, start, lengths: 1, total: block.length };
    return { blocks, ranges, release: () => {} };
  }

  /** Rows `rows` of a block, copied out of it. */
  async #picked(number: number, rows: Int32Array, reading: SampleReading): Promise<SamplePart[]> {
    const lease = this.#pool.lease();
    lease.retain();
    try {
      const parts = await this.#readParts(this.places.placeOf(number), reading, lease);
      return pickedParts(this.shards.schema, parts, rows);
    } catch (error) {
      lease.abandon();
      throw error;
    } finally {
      lease.release();
    }
  }

  /** Lets go of the blocks that are not wanted any more. */
  keepOnly(demand: Demand): void {
    for (const block of this.#kept.keys()) if (demand(block) === 0) this.#drop(block);
  }

  /** Whether a block of which `wanted` samples are wanted is read whole, and not these alone. */
  isDense(number: number, wanted: number): boolean {
    const { from, to } = this.places.placeOf(number);
    return wanted >= (to - from) * denseShare;
  }

  /** The place in `reads` of a block that is read whole; -1 where it is not worth it. */
  #slotFor(number: number, demand: Demand, reads: Reads): number {
    if (!this.#kept.has(number) && !this.isDense(number, demand(number))) return -1;
    return reads.blocks.push(this.#block(number, reads)) - 1;
  }

  /** Reads the samples at `lone`, near ones together, and says in `source` and `start` where they are. */
  #readLone(lone: readonly number[], block: Int32Array, source: Int32Array, start: Int32Array, reads: Reads): void {
    const located = lone.map((at) => {
      const { shard, from } = this.places.placeOf(block[at]!);
      return { at, shard, row: from + start[at]! };
    });
    located.sort((a, b) => a.shard - b.shard || a.row - b.row);
    for (let first = 0; first < located.length; ) {
      const { shard, row: from } = located[first]!;
      let to = from + 1;
      let end = first;
      for (; end < located.length; end++) {
        const next = located[end]!;
        const near = next.shard === shard && next.row <= to + this.#gapRows && next.row - from < this.places.rows;
        if (!near) break;
        to = Math.max(to, next.row + 1);
        source[next.at] = reads.blocks.length;
        start[next.at] = next.row - from;
      }
      reads.blocks.push(this.#readParts({ shard, from, to }, reads.reading));
      first = end;
    }
  }

  /** A block, as it is kept or read now; its memory is held for the request. */
  #block(number: number, reads: Reads): Promise<readonly SamplePart[]> {
    const { reading, leases } = reads;
    const found = this.#kept.get(number);
    if (found !== undefined) {
      this.#kept.delete(number);
      this.#kept.set(number, found);
      found.lease.retain();
      leases.push(found.lease);
      // Another reader's signal may have ended the read that this one waits for, or damage that it does not skip.
      return found.parts.catch((error) => {
        const isOthers = isSpiralError(error, 'cancelled') || (reading.skipDamaged === true && isDamage(error));
        if (!isOthers || reading.signal?.aborted) throw error;
        return this.#block(number, reads);
      });
    }
    const lease = this.#pool.lease();
    // One for the request, one for keeping it, one for the read, which may outlast both.
    for (let user = 0; user < 3; user++) lease.retain();
    leases.push(lease);
    const kept: Kept = { parts: this.#readParts(this.places.placeOf(number), reading, lease), lease, bytes: 0 };
    this.#kept.set(number, kept);
    kept.parts.then(
      (parts) => {
        if (this.#kept.get(number) === kept) this.#count(number, kept, bytesOf(parts));
        lease.release();
      },
      () => {
        lease.abandon();
        if (this.#kept.get(number) === kept) this.#drop(number);
      },
    );
    return kept.parts;
  }

  /** A block that is kept has its bytes, for which others may have to go. */
  #count(number: number, kept: Kept, bytes: number): void {
    kept.bytes = bytes;
    this.#bytes += bytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#bytesMax || oldest === number) break;
      this.#drop(oldest);
    }
  }

  #drop(number: number): void {
    const { bytes, lease } = this.#kept.get(number)!;
    this.#bytes -= bytes;
    this.#kept.delete(number);
    lease.release();
  }

  /** Rows of a shard: as one block, or, where damage is skipped, those that it falls into. */
  async #readParts(stretch: Stretch, { signal, skipDamaged }: SampleReading, memory?: Memory): Promise<SamplePart[]> {
    const { shard, from, to } = stretch;
    const read = (first: number, end: number): Promise<PlacedBlock> => this.readRows(shard, first, end, signal, memory);
    if (skipDamaged !== true) return [{ block: await read(from, to), rows: to - from }];
    const known = this.#lost.get(shard);
    if (known !== undefined) return [lost(stretch, known)];
    return readParts(stretch, read, (first, end) => this.readRows(shard, first, end, signal));
  }

  /** Rows `from … to` of a shard, as one block that is not kept. */
  async readRows(shard: number, from: number, to: number, signal?: AbortSignal, memory?: Memory): Promise<PlacedBlock> {
    this.#pending.set(shard, (this.#pending.get(shard) ?? 0) + 1);
    try {
      return await this.#reads.run(async () => {
        const pinned = await this.#pinned(shard, signal);
        try {
          const columns =
            memory === undefined || pinned.readBlock === undefined
              ? await pinned.read(from, to, undefined, signal)
              : await pinned.readBlock(from, to, memory, signal);
          return { columns, place: { shard, from, rows: undefined } };
        } finally {
          pinned.release();
        }
      });
    } finally {
      const others = this.#pending.get(shard)! - 1;
      if (others === 0) this.#pending.delete(shard);
      else this.#pending.set(shard, others);
    }
  }

  async #pinned(shard: number, signal: AbortSignal | undefined): Promise<PinnedShard> {
    try {
      const pinned = await this.shards.pin(shard, signal);
      this.#lost.delete(shard);
      return pinned;
    } catch (error) {
      if (isDamage(error)) this.#lost.set(shard, error);
      throw error;
    }
  }
}

function bytesOf(parts: readonly SamplePart[]): number {
  return parts.reduce((sum, { block }) => sum + (isReadable(block) ? blockBytes(block.columns) : 0), 0);
}

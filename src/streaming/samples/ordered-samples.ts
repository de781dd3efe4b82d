import { sliceRanges } from '../../arrow/ranges.js';
import { sampleSpanMax } from '../../core/limits.js';
import { stretchAt } from '../../core/search.js';
import type { OrderedEpoch, OrderedReading, OrderedRows } from '../../loader/ordered-epoch.js';
import type { RowIds } from '../../loader/row-ids.js';
import type { SampleOrder } from '../order/sample-order.js';
import type { ReadSamples, SampleReader, SampleReading } from './sample-reader.js';

/** What the ranks are given, and who counts repeats. */
export interface RankOrders {
  orderOf(rank: number): SampleOrder;
  repeatsOf(rank: number): number | null;
}

/** Places `from … to` of a rank that were looked at together. */
interface Span {
  readonly rank: number;
  readonly from: number;
  readonly to: number;
  readonly block: Int32Array;
  readonly row: Int32Array;
  /** Whether its blocks may all be kept at once; else it is read as one. */
  readonly keeps: boolean;
  whole: Promise<ReadSamples> | undefined;
}

const none = (): number => 0;

/** The samples of an epoch in some order, read: what is wanted is counted a stretch of places ahead. */
export class OrderedSamples implements OrderedEpoch {
  readonly #reader: SampleReader;
  readonly #orders: RankOrders;
  /** How many samples of each block the span wants. */
  readonly #wanted: Int32Array;
  #span: Span | undefined;

  constructor(reader: SampleReader, orders: RankOrders) {
    this.#reader = reader;
    this.#orders = orders;
    this.#wanted = new Int32Array(reader.places.blocks);
  }

  rowsOf(rank: number): number {
    return this.#orders.orderOf(rank).rankLength;
  }

  repeatsOf(rank: number): number | null {
    return this.#orders.repeatsOf(rank);
  }

  rowIds(rank: number, from: number, to: number): RowIds {
    const ids = new Float64Array(to - from);
    this.#orders.orderOf(rank).samples(from, to, ids);
    const { shardStarts } = this.#reader.places;
    const shards = new Uint32Array(ids.length);
    for (let at = 0; at < ids.length; at++) {
      shards[at] = stretchAt(shardStarts, ids[at]!);
      ids[at]! -= shardStarts[shards[at]!]!;
    }
    return { length: ids.length, shards, rows: ids };
  }

  read(rank: number, from: number, to: number, { bytesMax, ...reading }: OrderedReading): Promise<OrderedRows> {
    this.#reader.bound(bytesMax);
    let span = this.#span;
    if (span === undefined || span.rank !== rank || from < span.from || to > span.to) span = this.#look(rank, from, to);
    const [begin, end] = [from - span.from, to - span.from];
    if (!span.keeps) return this.#gathered(span, begin, end, reading);
    const demand = (block: number): number => this.#wanted[block]!;
    return this.#reader.read(span.block.subarray(begin, end), span.row.subarray(begin, end), demand, reading);
  }

  /** Places `begin … end` of a span that is read as one. */
  async #gathered(span: Span, begin: number, end: number, reading: SampleReading): Promise<OrderedRows> {
    const whole = span.whole ?? this.#reader.gather(span.block, span.row, reading);
    span.whole = whole;
    const { blocks, ranges } = await whole.catch((error) => {
      if (span.whole === whole) span.whole = undefined;
      throw error;
    });
    const own = sliceRanges(ranges, begin, end);
    const used = new Map<number, number>();
    const source = own.source.map((block) => {
      const number = used.get(block) ?? used.size;
      used.set(block, number);
      return number;
    });
    const release = (): void => {};
    return { blocks: Array.from(used.keys(), (block) => blocks[block]!), ranges: { ...own, source }, release };
  }

  /**
   * Shards in the order in which they are read from now on: those of reads under way, that of each block of the span that is
   * not kept, where it is first needed, and at each sample of one that is not read whole.
   */
  #needs({ block }: Span): number[] {
    const reader = this.#reader;
    const shards = [...reader.pendingShards()];
    const seen = new Set<number>();
    for (const number of block) {
      if (seen.has(number) || reader.has(number)) continue;
      if (reader.isDense(number, this.#wanted[number]!)) seen.add(number);
      shards.push(reader.places.placeOf(number).shard);
    }
    return shards;
  }

  /** Looks at the places from `from` on, `to` at least. */
  #look(rank: number, from: number, to: number): Span {
    const order = this.#orders.orderOf(rank);
    const { places, samplesMax, shards } = this.#reader;
    // Whole reads of this length: where a span ends within a read, what it gathered for that one would be gathered again.
    const step = Math.max(1, to - from);
    const steps = Math.max(1, Math.floor(Math.min(sampleSpanMax, samplesMax / 4) / step));
    const ids = new Float64Array(Math.min(order.rankLength - from, steps * step));
    order.samples(from, from + ids.length, ids);
    const [block, row] = [new Int32Array(ids.length), new Int32Array(ids.length)];
    places.locate(ids, block, row);
    if (this.#span !== undefined) for (const one of this.#span.block) this.#wanted[one] = 0;
    let samples = 0;
    for (const one of block) {
      if (this.#wanted[one]!++ > 0) continue;
      const { from: first, to: end } = places.placeOf(one);
      samples += end - first;
    }
    const keeps = samples <= samplesMax;
    this.#reader.keepOnly(keeps ? (one) => this.#wanted[one]! : none);
    const span: Span = { rank, from, to: from + ids.length, block, row, keeps, whole: undefined };
    shards.expect(chained(this.#needs(span), order.shardsFrom(span.to)));
    this.#span = span;
    return span;
  }
}

function* chained(first: Iterable<number>, rest: Iterable<number>): Generator<number, void, undefined> {
  yield* first;
  yield* rest;
}

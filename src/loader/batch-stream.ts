import type { RecordBatch, Schema } from 'apache-arrow';
import { batchSources, blockSources, gatherBatch, gatheredBytes } from '../arrow/gather.js';
import { allRanges, oneRange, type Ranges, sliceRanges } from '../arrow/ranges.js';
import { recordBatch } from '../arrow/record-batch.js';
import type { ColumnSources } from '../arrow/sources.js';
import { dataOf } from '../arrow/stored-cells.js';
import { monotonicMs } from '../core/runtime.js';
import { type BadRow, noBadRows } from './bad-row.js';
import type { DrawnGroup, HeldGroup } from './batch-group.js';
import type { MemoryBudget } from './memory-budget.js';
import { type DamagedBlock, isReadable, type PlacedBlock } from './placed-block.js';
import type { ReadAhead } from './read-ahead.js';
import { DrawnRows } from './row-ids.js';
import type { ReadWindow, Windows } from './window-reader.js';

/** Where an epoch stands: `taken` rows of the window that begins at stream position `start` have been given. */
export interface WindowPlace {
  readonly start: number;
  readonly taken: number;
}

/** How a stream is cut. */
export interface StreamSettings {
  /** Stream position of the epoch's end. */
  readonly end: number;
  readonly budget: MemoryBudget;
  readonly readAhead: ReadAhead;
  /** Whether the consumer would wait were the next window not ready. */
  readonly hungry: () => boolean;
  /** Batches that lie in one block are views of its memory, not copies. */
  readonly views: boolean;
}

/** Rows of one window that go into a batch. */
interface Part {
  readonly window: ReadWindow;
  readonly from: number;
  readonly to: number;
  /** The rows, where they were copied so that the window's memory goes back. */
  readonly copy?: RecordBatch;
}

/** Rows drawn out of windows. */
type Drawn = Pick<HeldGroup, 'batch' | 'rowIds' | 'bad' | 'bytes' | 'redraw'>;

interface Ahead {
  readonly window: Promise<ReadWindow | undefined>;
  /** Where the window behind it begins, where that is known. */
  readonly next: number | undefined;
  settled: boolean;
  /** It, once it was read. */
  read: ReadWindow | undefined;
}

/**
 * Cuts the windows of one epoch into batches. While one window is given, those that follow are read, however many: under
 * a filter one after the other, so that reading ahead never alters what is read.
 */
export class BatchStream {
  readonly #reader: Windows;
  readonly #schema: Schema;
  readonly #settings: StreamSettings;
  readonly #queue: Ahead[] = [];
  /** Bytes of the largest window so far. */
  #windowBytes: number;
  #window: ReadWindow | undefined;
  #place: WindowPlace;

  constructor(reader: Windows, schema: Schema, place: WindowPlace, settings: StreamSettings) {
    this.#reader = reader;
    this.#schema = schema;
    this.#place = place;
    this.#settings = settings;
    this.#windowBytes = settings.budget.windowBytes;
  }

  /**
   * The next `most` batches of `size` rows as one, where the window at hand holds so many whole ones; fewer where it does
   * not; undefined behind the epoch's end. What it is drawn from is held until `done`.
   */
  async nextHeld(size: number, most: number): Promise<HeldGroup | undefined> {
    const drawn = await this.#together(size, most);
    if (drawn === undefined) return undefined;
    if (!this.#frugal) {
      this.#readAhead();
      return drawn;
    }
    // One copy of the batch takes less than what it is drawn from.
    let copy: RecordBatch | undefined = drawn.redraw();
    drawn.done();
    this.#readAhead();
    const once = (): RecordBatch => {
      const { schema } = copy!;
      return gatherBatch(schema, batchSources(schema, [copy!]), oneRange(0, copy!.numRows));
    };
    return {
      ...drawn,
      redraw: once,
      done: () => {
        copy = undefined;
      },
    };
  }

  /** The same, held by nobody. */
  async nextGroup(size: number, most: number): Promise<DrawnGroup | undefined> {
    const drawn = await this.#together(size, most);
    // Its rows are copied out, and nobody draws them again.
    drawn?.done();
    if (drawn !== undefined) this.#readAhead();
    return drawn;
  }

  async #together(size: number, most: number): Promise<HeldGroup | undefined> {
    if (most > 1) await this.#advance();
    const count = Math.max(1, Math.min(most, this.#within(size)));
    const before = this.#place;
    const drawn = await this.#next(size * count);
    return drawn === undefined ? undefined : { ...drawn, size, count, before };
  }

  async #next(size: number): Promise<Omit<HeldGroup, 'size' | 'count' | 'before'> | undefined> {
    const parts: Part[] = [];
    const left: ReadWindow[] = [];
    const beginMs = monotonicMs();
    let missing = size;
    while (missing > 0) {
      const window = await this.#advance();
      if (window === undefined) break;
      const from = this.#place.taken;
      const to = Math.min(window.ranges.total, from + missing);
      missing -= to - from;
      const part = { window, from, to };
      this.#place = { start: window.start, taken: to };
      if (to === window.ranges.total) this.#leave(window);
      if (to === window.ranges.total && missing > 0 && (this.#frugal || parts.length > 0)) {
        // Two windows at once are more than there may be room for, three more than are to be held.
        if (to > from) parts.push({ ...part, copy: this.#drawPart(part) });
        window.release();
      } else {
        if (to > from) parts.push(part);
        if (to === window.ranges.total) left.push(window);
      }
    }
    if (parts.length === 0) return undefined;
    const readMs = monotonicMs() - beginMs;
    const { batch, rowIds, bad, bytes, redraw } = this.#draw(parts);
    const drawnFrom = parts.filter(({ copy }) => copy === undefined).map(({ window }) => window);
    for (const window of drawnFrom) window.retain();
    for (const window of left) window.release();
    const done = (): void => {
      for (const window of drawnFrom) window.release();
    };
    const times = { readMs, shuffleMs: monotonicMs() - beginMs - readMs, mapMs: 0 };
    return { batch, rowIds, bad, bytes, redraw, done, after: this.#place, times };
  }

  get #frugal(): boolean {
    return this.#settings.budget.bytesMax !== undefined;
  }

  /**
   * How many batches of `size` rows lie in the window at hand. One that reaches into the next counts where that is there: the
   * batches before it must not fail with it. Not where rows are scattered, as those of two windows are joined range by range.
   */
  #within(size: number): number {
    if (this.#window === undefined) return 0;
    const { total, lengths } = this.#window.ranges;
    const batches = (total - this.#place.taken) / size;
    const next = this.#queue[0]?.read?.ranges.total ?? 0;
    return lengths === 1 || this.#frugal || next < size ? Math.floor(batches) : Math.ceil(batches);
  }

  /** Skips `rows` survivors without gathering them; returns how many there were, at most. */
  async skip(rows: number): Promise<number> {
    let left = rows;
    while (left > 0) {
      const window = await this.#advance();
      if (window === undefined) break;
      this.#readAhead();
      const to = Math.min(window.ranges.total, this.#place.taken + left);
      left -= to - this.#place.taken;
      this.#place = { start: window.start, taken: to };
      if (to < window.ranges.total) continue;
      this.#leave(window);
      window.release();
    }
    return rows - left;
  }

  get place(): WindowPlace {
    return this.#place;
  }

  #leave(window: ReadWindow): void {
    this.#window = undefined;
    this.#place = { start: window.next, taken: 0 };
  }

  /** Makes the window at the present place the current one, if none is; undefined behind the epoch's end. */
  async #advance(): Promise<ReadWindow | undefined> {
    if (this.#window !== undefined) return this.#window;
    while (this.#place.start < this.#settings.end) {
      const { start, taken } = this.#place;
      // Windows follow each other, so what was read ahead is what is wanted.
      const ahead = this.#queue.shift();
      if (ahead !== undefined) this.#settings.readAhead.wanted(ahead.settled || !this.#settings.hungry());
      const window = (await ahead?.window) ?? (await this.#reader.read(start));
      this.#windowBytes = Math.max(this.#windowBytes, window.bytes);
      if (taken < window.ranges.total) {
        this.#window = window;
        return window;
      }
      window.release();
      // The place may be of a loader whose windows were larger, where nothing is shuffled.
      this.#place = { start: window.next, taken: taken - window.ranges.total };
    }
    return undefined;
  }

  /** Has the windows behind the one at hand read: not before the memory of those before it is free to be read into. */
  #readAhead(): void {
    const { budget, readAhead, end } = this.#settings;
    const atHand = this.#window === undefined ? 0 : 1;
    while (this.#queue.length < readAhead.windows) {
      if ((atHand + this.#queue.length + 1) * this.#windowBytes > budget.windowsBytesMax) return;
      const last = this.#queue.at(-1);
      const start = last === undefined ? (this.#window?.next ?? this.#place.start) : last.next;
      if (start !== undefined && start >= end) return;
      const window =
        start === undefined
          ? last!.window.then((at) => (at === undefined || at.next >= end ? undefined : this.#reader.read(at.next)))
          : this.#reader.read(start);
      const ahead: Ahead = {
        window,
        next: start === undefined ? undefined : this.#reader.nextStart(start),
        settled: false,
        read: undefined,
      };
      const settle = (read?: ReadWindow): void => {
        ahead.settled = true;
        ahead.read = read;
      };
      // An error is met again, and thrown, when the window is asked for.
      window.then(settle, () => settle());
      this.#queue.push(ahead);
    }
  }

  /** The rows of `part` by themselves, those that can be read. */
  #drawPart(part: Part): RecordBatch {
    const { window, from, to } = part;
    if (!window.damaged) return gatherBatch(this.#schema, window.columns, sliceRanges(window.ranges, from, to));
    const { blocks, ranges } = joined([part]);
    return gatherBatch(this.#schema, this.#sources(blocks), ranges);
  }

  #draw(parts: readonly Part[]): Drawn {
    const [first] = parts;
    if (parts.some(({ copy }) => copy !== undefined)) return this.#drawCopies(parts);
    let blocks = first!.window.blocks as readonly PlacedBlock[];
    let { places, columns } = first!.window;
    let ranges = sliceRanges(first!.window.ranges, first!.from, first!.to);
    let bad = noBadRows;
    if (parts.length > 1 || first!.window.damaged) {
      ({ blocks, ranges, bad } = joined(parts));
      places = blocks.map(({ place }) => place);
      columns = this.#sources(blocks);
    }
    const rowIds = new DrawnRows(places, ranges);
    if (this.#settings.views && ranges.count === 1) {
      const view = viewOf(this.#schema, blocks[ranges.source[0]!]!, ranges.start[0]!, ranges.total);
      return { batch: view, rowIds, bad, bytes: gatheredBytes(columns, ranges), redraw: () => view };
    }
    const redraw = (): RecordBatch => gatherBatch(this.#schema, columns, ranges);
    const batch = redraw();
    return { batch, rowIds, bad, bytes: batch.data.byteLength, redraw };
  }

  #sources(blocks: readonly PlacedBlock[]): ColumnSources[] {
    return blockSources(
      this.#schema,
      blocks.map(({ columns }) => columns),
    );
  }

  #drawCopies(parts: readonly Part[]): Drawn {
    const copies = parts.map((part) => part.copy ?? this.#drawPart(part));
    const columns = batchSources(this.#schema, copies);
    const ranges = allRanges(copies.map(({ numRows }) => numRows));
    const redraw = (): RecordBatch => gatherBatch(this.#schema, columns, ranges);
    const { blocks, ranges: drawn, bad } = joined(parts);
    const rowIds = new DrawnRows(
      blocks.map(({ place }) => place),
      drawn,
    );
    const batch = redraw();
    return { batch, rowIds, bad, bytes: batch.data.byteLength, redraw };
  }
}

/** Rows `from … from + rows` of a block, as views of its memory where that is Arrow's. */
function viewOf(schema: Schema, { columns }: PlacedBlock, from: number, rows: number): RecordBatch {
  const views = columns.map((column) => dataOf(column).slice(from, rows));
  return recordBatch(schema, views, rows);
}

/** The rows of some windows over the blocks of all of them; only blocks that are used are kept, and rows that can be read. */
function joined(parts: readonly Part[]): { blocks: PlacedBlock[]; ranges: Ranges; bad: BadRow[] } {
  const slices = parts.map(({ window, from, to }) => sliceRanges(window.ranges, from, to));
  const count = slices.reduce((sum, slice) => sum + slice.count, 0);
  const places = new Map<PlacedBlock, number>();
  const all = { source: new Int32Array(count), start: new Int32Array(count), lengths: new Int32Array(count) };
  const bad: BadRow[] = [];
  let [at, rows] = [0, 0];
  for (const [part, { count: own, source, start, lengths }] of slices.entries()) {
    const { blocks } = parts[part]!.window;
    for (let index = 0; index < own; index++) {
      const placed = blocks[source[index]!]!;
      const length = typeof lengths === 'number' ? lengths : lengths[index]!;
      rows += length;
      if (!isReadable(placed)) {
        for (let row = 0; row < length; row++) bad.push(unreadable(rows - length + row, placed, start[index]! + row));
        continue;
      }
      let place = places.get(placed);
      if (place === undefined) {
        place = places.size;
        places.set(placed, place);
      }
      all.source[at] = place;
      all.start[at] = start[index]!;
      all.lengths[at++] = length;
    }
  }
  const single = slices.every(({ lengths }) => lengths === 1);
  const ranges: Ranges = {
    count: at,
    source: all.source.subarray(0, at),
    start: all.start.subarray(0, at),
    lengths: single ? 1 : all.lengths.subarray(0, at),
    total: rows - bad.length,
  };
  return { blocks: [...places.keys()], ranges, bad };
}

function unreadable(at: number, { place, column, error }: DamagedBlock, row: number): BadRow {
  return { at, shard: place.shard, row: place.from + row, column, error };
}

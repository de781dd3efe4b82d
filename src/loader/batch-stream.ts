import type { RecordBatch, Schema } from 'apache-arrow';
import { batchSources, gatherBatch } from '../arrow/gather.js';
import { allRanges, oneRange, rowRanges } from '../arrow/ranges.js';
import { monotonicMs } from '../core/runtime.js';
import type { DrawnGroup } from './batch-group.js';
import type { MemoryBudget } from './memory-budget.js';
import type { ReadAhead } from './read-ahead.js';
import { DrawnRows, type RowIds } from './row-ids.js';
import type { StageTimes } from './stats.js';
import type { PlacedBlock, ReadWindow, WindowReader } from './window-reader.js';

/** Where an epoch stands: `taken` rows of the window that begins at stream position `start` have been given. */
export interface WindowPlace {
  readonly start: number;
  readonly taken: number;
}

/** A batch and what it leaves behind. */
export interface DrawnBatch {
  readonly batch: RecordBatch;
  readonly rowIds: RowIds;
  /** Where the epoch stands after it. */
  readonly after: WindowPlace;
  readonly times: StageTimes;
  /** The same batch once more, for when the first was handed over to a thread that died. Only before `done`. */
  redraw(): RecordBatch;
  /** Nobody draws it once more. To be called once. */
  done(): void;
}

/** Rows of one window that go into a batch. */
interface Part {
  readonly window: ReadWindow;
  readonly from: number;
  readonly to: number;
  /** The rows, where they were copied so that the window's memory goes back. */
  readonly copy?: RecordBatch;
}

/** How a stream reads ahead, and what it may hold. */
export interface StreamSettings {
  readonly budget: MemoryBudget;
  readonly readAhead: ReadAhead;
  /** Whether the consumer would wait were the next window not ready. */
  readonly hungry: () => boolean;
}

interface Ahead {
  readonly window: Promise<ReadWindow | undefined>;
  /** Where the window behind it begins, where that is known. */
  readonly next: number | undefined;
  settled: boolean;
}

/**
 * Cuts the windows of one epoch into batches. While one window is given, those that follow are read, however many: under
 * a filter one after the other, so that reading ahead never alters what is read.
 */
export class BatchStream {
  readonly #reader: WindowReader;
  readonly #schema: Schema;
  readonly #end: number;
  readonly #settings: StreamSettings;
  readonly #queue: Ahead[] = [];
  /** Bytes of the largest window so far. */
  #windowBytes: number;
  #window: ReadWindow | undefined;
  #place: WindowPlace;

  constructor(reader: WindowReader, schema: Schema, place: WindowPlace, end: number, settings: StreamSettings) {
    this.#reader = reader;
    this.#schema = schema;
    this.#place = place;
    this.#end = end;
    this.#settings = settings;
    this.#windowBytes = settings.budget.windowBytes;
  }

  /** The next `size` rows, fewer at the epoch's end; undefined behind it. What it is drawn from is held until `done`. */
  async next(size: number): Promise<DrawnBatch | undefined> {
    const drawn = await this.#next(size);
    if (drawn === undefined || !this.#frugal) return drawn;
    // One copy of the batch takes less than what it is drawn from.
    let copy: RecordBatch | undefined = drawn.redraw();
    drawn.done();
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

  async #next(size: number): Promise<DrawnBatch | undefined> {
    const parts: Part[] = [];
    const left: ReadWindow[] = [];
    const beginMs = monotonicMs();
    let missing = size;
    while (missing > 0) {
      const window = this.#window ?? (await this.#advance());
      if (window === undefined) break;
      const from = this.#place.taken;
      const to = Math.min(window.length, from + missing);
      missing -= to - from;
      const part = { window, from, to };
      this.#place = { start: window.start, taken: to };
      if (to === window.length) this.#leave(window);
      if (to === window.length && missing > 0 && this.#frugal) {
        // Two windows at once are more than there may be room for.
        if (to > from) parts.push({ ...part, copy: this.#drawPart(part) });
        window.release();
      } else {
        if (to > from) parts.push(part);
        if (to === window.length) left.push(window);
      }
    }
    if (parts.length === 0) return undefined;
    const readMs = monotonicMs() - beginMs;
    const { batch, rowIds, redraw } = this.#draw(parts);
    const times = { readMs, shuffleMs: monotonicMs() - beginMs - readMs, mapMs: 0 };
    const drawnFrom = parts.filter(({ copy }) => copy === undefined).map(({ window }) => window);
    for (const window of drawnFrom) window.retain();
    for (const window of left) window.release();
    const done = (): void => {
      for (const window of drawnFrom) window.release();
    };
    return { batch, rowIds, redraw, done, after: this.#place, times };
  }

  get #frugal(): boolean {
    return this.#settings.budget.bytesMax !== undefined;
  }

  /**
   * The next `most` batches of `size` rows as one, where the window at hand holds so many whole ones; fewer where it does
   * not; undefined behind the epoch's end.
   */
  async nextGroup(size: number, most: number): Promise<DrawnGroup | undefined> {
    const window = this.#window ?? (most > 1 ? await this.#advance() : undefined);
    const whole = window === undefined ? 0 : Math.floor((window.length - this.#place.taken) / size);
    const count = Math.max(1, Math.min(most, whole));
    const before = this.#place;
    const drawn = await this.#next(size * count);
    if (drawn === undefined) return undefined;
    // Its rows are copied out, and nobody draws them again.
    drawn.done();
    const { batch, rowIds, after, times } = drawn;
    return { batch, rowIds, after, times, size, count, before };
  }

  /** Skips `rows` survivors without gathering them; returns how many there were, at most. */
  async skip(rows: number): Promise<number> {
    let left = rows;
    while (left > 0) {
      const window = this.#window ?? (await this.#advance());
      if (window === undefined) break;
      const to = Math.min(window.length, this.#place.taken + left);
      left -= to - this.#place.taken;
      this.#place = { start: window.start, taken: to };
      if (to < window.length) continue;
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

  /** Makes the window at the present place the current one, and has those behind it read meanwhile. */
  async #advance(): Promise<ReadWindow | undefined> {
    while (this.#place.start < this.#end) {
      const { start, taken } = this.#place;
      // Windows follow each other, so what was read ahead is what is wanted.
      const ahead = this.#queue.shift();
      if (ahead !== undefined) this.#settings.readAhead.wanted(ahead.settled || !this.#settings.hungry());
      const window = (await ahead?.window) ?? (await this.#reader.read(start));
      this.#windowBytes = Math.max(this.#windowBytes, window.bytes);
      this.#readAhead(window);
      if (taken < window.length) {
        this.#window = window;
        return window;
      }
      // The place may be of a loader whose windows were larger, where nothing is shuffled.
      this.#place = { start: window.next, taken: taken - window.length };
      window.release();
    }
    return undefined;
  }

  #readAhead(current: ReadWindow): void {
    const { budget, readAhead } = this.#settings;
    while (this.#queue.length < readAhead.windows) {
      if ((this.#queue.length + 2) * this.#windowBytes > budget.windowsBytesMax) return;
      const last = this.#queue.at(-1);
      const start = last === undefined ? current.next : last.next;
      if (start !== undefined && start >= this.#end) return;
      const window =
        start === undefined
          ? last!.window.then((at) =>
              at === undefined || at.next >= this.#end ? undefined : this.#reader.read(at.next),
            )
          : this.#reader.read(start);
      const ahead: Ahead = {
        window,
        next: start === undefined ? undefined : this.#reader.nextStart(start),
        settled: false,
      };
      const settle = (): void => {
        ahead.settled = true;
      };
      // An error is met again, and thrown, when the window is asked for.
      window.then(settle, settle);
      this.#queue.push(ahead);
    }
  }

  /** The rows of `part` by themselves. */
  #drawPart({ window, from, to }: Part): RecordBatch {
    const { block, row, columns } = window;
    return gatherBatch(this.#schema, columns, rowRanges(block.subarray(from, to), row.subarray(from, to)));
  }

  #draw(parts: readonly Part[]): Pick<DrawnBatch, 'batch' | 'rowIds' | 'redraw'> {
    const [first] = parts;
    if (parts.length === 1) {
      const block = first!.window.block.subarray(first!.from, first!.to);
      const row = first!.window.row.subarray(first!.from, first!.to);
      const redraw = (): RecordBatch => this.#drawPart(first!);
      return { batch: redraw(), rowIds: new DrawnRows(first!.window.places, block, row), redraw };
    }
    const { blocks, block, row } = joined(parts);
    const rowIds = new DrawnRows(
      blocks.map(({ place }) => place),
      block,
      row,
    );
    const copied = parts.some(({ copy }) => copy !== undefined);
    const batches = copied
      ? parts.map((part) => part.copy ?? this.#drawPart(part))
      : blocks.map((placed) => placed.batch);
    const columns = batchSources(this.#schema, batches);
    const ranges = copied ? allRanges(batches.map((batch) => batch.numRows)) : rowRanges(block, row);
    const redraw = (): RecordBatch => gatherBatch(this.#schema, columns, ranges);
    return { batch: redraw(), rowIds, redraw };
  }
}

/** The rows of several windows over the blocks of all of them; only blocks that are used are kept. */
function joined(parts: readonly Part[]): { blocks: PlacedBlock[]; block: Int32Array; row: Int32Array } {
  const total = parts.reduce((sum, { from, to }) => sum + to - from, 0);
  const places = new Map<PlacedBlock, number>();
  const block = new Int32Array(total);
  const row = new Int32Array(total);
  let at = 0;
  for (const { window, from, to } of parts) {
    for (let index = from; index < to; index++) {
      const placed = window.blocks[window.block[index]!]!;
      let place = places.get(placed);
      if (place === undefined) {
        place = places.size;
        places.set(placed, place);
      }
      block[at] = place;
      row[at++] = window.row[index]!;
    }
  }
  return { blocks: [...places.keys()], block, row };
}

import type { RecordBatch, Schema } from 'apache-arrow';
import { batchSources, gatherBatch } from '../arrow/gather.js';
import { rowRanges } from '../arrow/ranges.js';
import type { ColumnSources } from '../arrow/sources.js';
import { monotonicMs } from '../core/runtime.js';
import { type BadRow, noBadRows } from './bad-row.js';
import type { DrawnGroup } from './batch-group.js';
import { DrawnRows, type RowIds } from './row-ids.js';
import type { StageTimes } from './stats.js';
import {
  type DamagedBlock,
  isReadable,
  type PlacedBlock,
  type ReadWindow,
  type WindowReader,
} from './window-reader.js';

/** Where an epoch stands: `taken` rows of the window that begins at stream position `start` have been given. */
export interface WindowPlace {
  readonly start: number;
  readonly taken: number;
}

/** A batch and what it leaves behind. */
export interface DrawnBatch {
  readonly batch: RecordBatch;
  readonly rowIds: RowIds;
  /** Rows of it that cannot be read. */
  readonly bad: readonly BadRow[];
  /** Where the epoch stands after it. */
  readonly after: WindowPlace;
  readonly times: StageTimes;
  /** The same batch once more, for when the first was handed over to a thread that died. */
  redraw(): RecordBatch;
}

/** Rows of one window that go into a batch. */
interface Part {
  readonly window: ReadWindow;
  readonly from: number;
  readonly to: number;
}

/**
 * Cuts the windows of one epoch into batches. While one window is given, those that follow are read: `ahead` of them,
 * one after the other, so that reading ahead never alters what is read.
 */
export class BatchStream {
  readonly #reader: WindowReader;
  readonly #schema: Schema;
  readonly #end: number;
  readonly #ahead: number;
  readonly #queue: Promise<ReadWindow | undefined>[] = [];
  #window: ReadWindow | undefined;
  #place: WindowPlace;

  constructor(reader: WindowReader, schema: Schema, place: WindowPlace, end: number, ahead: number) {
    this.#reader = reader;
    this.#schema = schema;
    this.#place = place;
    this.#end = end;
    this.#ahead = ahead;
  }

  /**
   * The next `size` rows, fewer at the epoch's end; undefined behind it. The batch can be drawn once more for as long as
   * it is referred to, so its windows' memory is left to the garbage collector.
   */
  next(size: number): Promise<DrawnBatch | undefined> {
    return this.#next(size, []);
  }

  async #next(size: number, left: ReadWindow[]): Promise<DrawnBatch | undefined> {
    const parts: Part[] = [];
    const beginMs = monotonicMs();
    let missing = size;
    while (missing > 0) {
      const window = this.#window ?? (await this.#advance());
      if (window === undefined) break;
      const from = this.#place.taken;
      const to = Math.min(window.length, from + missing);
      if (to > from) parts.push({ window, from, to });
      missing -= to - from;
      this.#place = { start: window.start, taken: to };
      if (to === window.length) {
        this.#leave(window);
        left.push(window);
      }
    }
    if (parts.length === 0) return undefined;
    const readMs = monotonicMs() - beginMs;
    const drawn = this.#draw(parts);
    const times = { readMs, shuffleMs: monotonicMs() - beginMs - readMs, mapMs: 0 };
    return { ...drawn, after: this.#place, times };
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
    const left: ReadWindow[] = [];
    const drawn = await this.#next(size * count, left);
    // Its rows are copied out, and nobody draws them again.
    for (const window of left) window.release();
    if (drawn === undefined) return undefined;
    const { batch, rowIds, bad, after, times } = drawn;
    return { batch, rowIds, bad, after, times, size, count, before };
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
      if (to === window.length) this.#leave(window);
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
      const window = (await this.#queue.shift()) ?? (await this.#reader.read(start));
      this.#readAhead(window);
      if (taken < window.length) {
        this.#window = window;
        return window;
      }
      this.#leave(window);
    }
    return undefined;
  }

  #readAhead(current: ReadWindow): void {
    while (this.#queue.length < this.#ahead) {
      const before = this.#queue.at(-1) ?? Promise.resolve(current);
      const window = before.then((at) =>
        at === undefined || at.next >= this.#end ? undefined : this.#reader.read(at.next),
      );
      // An error is met again, and thrown, when the window is asked for.
      window.catch(() => {});
      this.#queue.push(window);
    }
  }

  #draw(parts: readonly Part[]): Pick<DrawnBatch, 'batch' | 'rowIds' | 'bad' | 'redraw'> {
    const [first] = parts;
    let places = first!.window.places;
    let columns: readonly ColumnSources[] = first!.window.columns;
    let block = first!.window.block.subarray(first!.from, first!.to);
    let row = first!.window.row.subarray(first!.from, first!.to);
    let bad = noBadRows;
    if (parts.length > 1 || first!.window.damaged) {
      let blocks: readonly PlacedBlock[];
      ({ blocks, block, row, bad } = joined(parts));
      places = blocks.map(({ place }) => place);
      columns = batchSources(
        this.#schema,
        blocks.map(({ batch }) => batch),
      );
    }
    const redraw = (): RecordBatch => gatherBatch(this.#schema, columns, rowRanges(block, row));
    return { batch: redraw(), rowIds: new DrawnRows(places, block, row), bad, redraw };
  }
}

/** The rows of some windows over the blocks of all of them; only blocks that are used are kept, and rows that can be read. */
function joined(parts: readonly Part[]): {
  blocks: PlacedBlock[];
  block: Int32Array;
  row: Int32Array;
  bad: BadRow[];
} {
  const total = parts.reduce((sum, { from, to }) => sum + to - from, 0);
  const places = new Map<PlacedBlock, number>();
  const block = new Int32Array(total);
  const row = new Int32Array(total);
  const bad: BadRow[] = [];
  let at = 0;
  for (const { window, from, to } of parts) {
    for (let index = from; index < to; index++) {
      const placed = window.blocks[window.block[index]!]!;
      if (!isReadable(placed)) {
        bad.push(unreadable(at + bad.length, placed, window.row[index]!));
        continue;
      }
      let place = places.get(placed);
      if (place === undefined) {
        place = places.size;
        places.set(placed, place);
      }
      block[at] = place;
      row[at++] = window.row[index]!;
    }
  }
  return { blocks: [...places.keys()], block: block.subarray(0, at), row: row.subarray(0, at), bad };
}

function unreadable(at: number, { place, column, error }: DamagedBlock, row: number): BadRow {
  return { at, shard: place.shard, row: place.from + row, column, error };
}

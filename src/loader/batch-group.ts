import type { RecordBatch } from 'apache-arrow';
import { sliceBatch } from '../arrow/record-batch.js';
import type { MemoryLedger } from '../core/memory-ledger.js';
import { type BadRow, noBadRows } from './bad-row.js';
import type { WindowPlace } from './batch-stream.js';
import type { MemoryBudget } from './memory-budget.js';
import { type RowIds, SlicedRowIds } from './row-ids.js';
import type { StageTimes } from './stats.js';
import type { BatchSupply, PassFigures, RowsBatch } from './supply.js';

/**
 * Batches that were drawn at once, as one batch: `count` of `size` rows, the last one perhaps shorter. Drawing, handing
 * over and freeing then cost once what they would cost `count` times.
 */
export interface GroupPlace {
  readonly size: number;
  readonly count: number;
  /** Where the epoch stood before the first, and stands after the last. */
  readonly before: WindowPlace;
  readonly after: WindowPlace;
  /** Bytes of the values of all of them. */
  readonly bytes: number;
  /** Rows that were skipped, each with its place among all rows of the group: the batch is without them. */
  readonly bad: readonly BadRow[];
  /** What all of them took. */
  readonly times: StageTimes;
}

/** A group as it was drawn. */
export interface DrawnGroup extends GroupPlace {
  readonly batch: RecordBatch;
  readonly rowIds: RowIds;
}

/** A group that can be drawn once more. */
export interface HeldGroup extends DrawnGroup {
  /** The same rows once more, for when the first were handed over to a thread that died. Only before `done`. */
  redraw(): RecordBatch;
  /** Nobody draws it once more. To be called once. */
  done(): void;
}

/** A supply that can draw several batches at once. */
export interface GroupSupply extends Pick<BatchSupply, 'skipped' | 'place' | 'figures'> {
  readonly budget: MemoryBudget;
  /** Counts what is held for this pass. */
  readonly ledger: MemoryLedger;
  /** The next batch, or at most `most` of them where they lie in one window; undefined at the epoch's end. */
  nextGroup(most: number): Promise<DrawnGroup | undefined>;
  /** The same; what it is drawn from is held until it is `done`. */
  nextHeld(most: number): Promise<HeldGroup | undefined>;
}

const groupBatchesMax = 512;

/** How many batches to draw at once to have up to `bytesMax` bytes, after a group of `count` that took `bytes`. */
export function groupSize(bytes: number, count: number, bytesMax: number): number {
  return Math.max(1, Math.min(groupBatchesMax, Math.floor((bytesMax * count) / Math.max(bytes, 1))));
}

/** Gives the batches of a group one by one, as views of it. */
export class GroupCutter {
  readonly #batch: RecordBatch;
  readonly #rowIds: RowIds;
  readonly #place: GroupPlace;
  readonly #times: StageTimes;
  #given = 0;
  /** Rows and skipped rows of the batches that were given. */
  #rows = 0;
  #skipped = 0;

  constructor(batch: RecordBatch, rowIds: RowIds, place: GroupPlace) {
    this.#batch = batch;
    this.#rowIds = rowIds;
    this.#place = place;
    const { readMs, shuffleMs, mapMs } = place.times;
    const share = 1 / place.count;
    this.#times = { readMs: readMs * share, shuffleMs: shuffleMs * share, mapMs: mapMs * share };
  }

  /** Batches that are still to be given. */
  get left(): number {
    return this.#place.count - this.#given;
  }

  /** The next batch where there is one, of full size and with no row skipped. */
  ready(): RowsBatch | undefined {
    const { size, bad } = this.#place;
    const isWhole = this.left > 0 && bad.length === 0 && this.#batch.numRows - this.#rows >= size;
    return isWhole ? this.next() : undefined;
  }

  /** The next batch; only while there are some {@link left}. */
  next(): RowsBatch {
    const { size, count, before, after, bytes, bad: allBad } = this.#place;
    const at = this.#given++;
    if (count === 1) {
      return { batch: this.#batch, rowIds: this.#rowIds, bytes, bad: allBad, after, times: this.#times };
    }
    const bad = this.#badBelow((at + 1) * size);
    const from = this.#rows;
    const rows = Math.min(size - bad.length, this.#batch.numRows - from);
    this.#rows += rows;
    this.#skipped += bad.length;
    return {
      batch: sliceBatch(this.#batch, from, rows),
      rowIds: new SlicedRowIds(this.#rowIds, from, rows),
      bytes: rows === 0 ? 0 : (bytes * rows) / this.#batch.numRows,
      bad,
      after: this.left === 0 ? after : { start: before.start, taken: before.taken + (at + 1) * size },
      times: this.#times,
    };
  }

  /** The skipped rows before place `end` that were not given yet. */
  #badBelow(end: number): readonly BadRow[] {
    const { bad } = this.#place;
    if (bad.length === this.#skipped) return noBadRows;
    let to = this.#skipped;
    while (to < bad.length && bad[to]!.at < end) to++;
    return bad.slice(this.#skipped, to);
  }
}

/** The batches of a supply one by one, drawn in groups. */
export class CutSupply implements BatchSupply<RowsBatch> {
  readonly skipped: number;
  readonly place: WindowPlace;
  readonly #groups: GroupSupply;
  #cutter: GroupCutter | undefined;
  #most = 1;
  #bytes = 0;

  constructor(groups: GroupSupply) {
    this.#groups = groups;
    this.skipped = groups.skipped;
    this.place = groups.place;
  }

  get depth(): number {
    return this.#cutter?.left ?? 0;
  }

  ready(): RowsBatch | undefined {
    return this.#cutter?.ready();
  }

  async next(): Promise<RowsBatch | undefined> {
    if (this.#cutter === undefined || this.#cutter.left === 0) {
      this.#hold(0);
      const group = await this.#groups.nextGroup(this.#most);
      if (group === undefined) return undefined;
      this.#hold(group.bytes);
      this.#most = groupSize(group.bytes, group.count, this.#groups.budget.groupBytesMax);
      this.#cutter = new GroupCutter(group.batch, group.rowIds, group);
    }
    return this.#cutter.next();
  }

  figures(): PassFigures {
    return this.#groups.figures();
  }

  #hold(bytes: number): void {
    this.#groups.ledger.add(bytes - this.#bytes);
    this.#bytes = bytes;
  }
}

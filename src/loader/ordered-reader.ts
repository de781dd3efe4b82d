import type { Schema } from 'apache-arrow';
import { blockSources } from '../arrow/gather.js';
import { orderedWindowBytes } from '../core/limits.js';
import type { EpochOrder } from '../sharding/epoch-order.js';
import type { MemoryBudget, MemoryNeeds } from './memory-budget.js';
import type { OrderedEpoch } from './ordered-epoch.js';
import { isReadable } from './placed-block.js';
import type { ReadWindow, WindowReading, Windows } from './window-reader.js';

/** `budget` for a source that orders its rows itself: it reads windows of some bytes, whatever its rows take. */
export function orderedBudget(budget: MemoryBudget, { row, batchRows }: MemoryNeeds): MemoryBudget {
  const fit = Math.max(1, Math.floor(orderedWindowBytes / Math.max(1, row.bytes)));
  const plainRows = Math.min(budget.plainRows, Math.max(fit, Math.min(batchRows, budget.plainRows)));
  return { ...budget, plainRows, windowBytes: Math.ceil((budget.windowBytes * plainRows) / budget.plainRows) };
}

/** Reads the places of one rank in an epoch that the source has ordered: windows are but the unit of reading. */
export class OrderedReader implements Windows {
  readonly #schema: Schema;
  readonly #epoch: OrderedEpoch;
  /** Where windows end at the latest: places alone, nothing is permuted. */
  readonly #order: EpochOrder;
  readonly #rank: number;
  readonly #reading: WindowReading;

  constructor(schema: Schema, epoch: OrderedEpoch, order: EpochOrder, rank: number, reading: WindowReading) {
    [this.#schema, this.#epoch, this.#order, this.#rank, this.#reading] = [schema, epoch, order, rank, reading];
  }

  begin(): void {}

  nextStart(start: number): number {
    const { limit, quota } = this.#order.windowFrom(start);
    return Math.min(limit, start + Math.min(quota, this.#reading.budget.plainRows));
  }

  async read(start: number): Promise<ReadWindow> {
    const next = this.nextStart(start);
    const { signal, budget, ledger, skipDamaged } = this.#reading;
    // What is kept for later, and the window that is read.
    const options = { signal, bytesMax: budget.blocksBytesMax / 2, skipDamaged };
    const { blocks, ranges, release } = await this.#epoch.read(this.#rank, start, next, options);
    const columns = blocks.filter(isReadable).map((placed) => placed.columns);
    const damaged = columns.length < blocks.length;
    const bytes = Math.ceil(budget.windowBytes);
    ledger.add(bytes);
    let users = 1;
    return {
      start,
      next,
      blocks,
      damaged,
      places: blocks.map(({ place }) => place),
      columns: damaged ? [] : blockSources(this.#schema, columns),
      ranges,
      bytes,
      retain: () => {
        users++;
      },
      release: () => {
        if (--users > 0) return;
        ledger.add(-bytes);
        release();
      },
    };
  }
}

import type { RecordBatch } from 'apache-arrow';
import { isSpiralError, SpiralError } from '../../core/errors.js';
import { monotonicMs } from '../../core/runtime.js';
import type { BatchSource } from './batch-source.js';
import type { TrainingBatch, TrainingResult } from './tf-dataset.js';

/** Time that training waited for data: all of it is time inside `next()`, tensor making included. */
export interface DataWait {
  readonly batches: number;
  readonly waitMs: number;
  /** From the first `next()` to the end of the last, the training steps in between included. */
  readonly elapsedMs: number;
  /** `waitMs / elapsedMs`, from 0 to 1; 0 before the first batch. */
  readonly waitShare: number;
}

const atEnd: TrainingResult = { value: null, done: true };

/** One pass: not begun, running over `source`, or at its end. */
interface Pass {
  source: AsyncIterator<RecordBatch> | undefined;
  ended: boolean;
}

/** The passes over a loader's epochs, at most one of them running. */
export class EpochPasses {
  private readonly loader: BatchSource;
  private readonly make: (batch: RecordBatch) => TrainingBatch;
  private running: Pass | undefined;
  private closed = false;
  private batches = 0;
  private waitMs = 0;
  private firstMs: number | undefined;
  private lastMs = 0;

  constructor(loader: BatchSource, make: (batch: RecordBatch) => TrainingBatch) {
    this.loader = loader;
    this.make = make;
  }

  /** A pass that begins with its first `next()`, and then ends the one that runs. */
  open(): { next(): Promise<TrainingResult> } {
    const pass: Pass = { source: undefined, ended: false };
    return {
      next: async () => {
        const start = monotonicMs();
        this.firstMs ??= start;
        try {
          return await this.next(pass);
        } finally {
          this.lastMs = monotonicMs();
          this.waitMs += this.lastMs - start;
        }
      },
    };
  }

  stats(): DataWait {
    const { batches, waitMs } = this;
    const elapsedMs = this.firstMs === undefined ? 0 : Math.max(0, this.lastMs - this.firstMs);
    return { batches, waitMs, elapsedMs, waitShare: elapsedMs === 0 ? 0 : waitMs / elapsedMs };
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.leaveRunning();
    await this.loader.close();
  }

  private async next(pass: Pass): Promise<TrainingResult> {
    if (this.closed || pass.ended) return atEnd;
    try {
      pass.source ??= await this.begin(pass);
      const received = await pass.source.next();
      if (this.closed || pass.ended) return atEnd;
      if (received.done) {
        this.end(pass);
        return atEnd;
      }
      const value = this.make(received.value);
      this.batches++;
      return { value, done: false };
    } catch (error) {
      // A read that close() or a newer pass cut short is an end, no failure.
      if (this.closed || pass.ended) return atEnd;
      if (this.running === pass) await this.leaveRunning();
      throw this.placed(error);
    }
  }

  private async begin(pass: Pass): Promise<AsyncIterator<RecordBatch>> {
    await this.leaveRunning();
    this.running = pass;
    return this.loader[Symbol.asyncIterator]();
  }

  private end(pass: Pass): void {
    pass.ended = true;
    if (this.running === pass) this.running = undefined;
  }

  private async leaveRunning(): Promise<void> {
    const left = this.running;
    if (left === undefined) return;
    this.end(left);
    await left.source?.return?.();
  }

  /** A bad batch's error knows the row within the batch; which batch, and which row of which shard, is known here. */
  private placed(error: unknown): unknown {
    if (!isSpiralError(error, 'invalid_tensor', 'unknown_column')) return error;
    const { epoch, step, rowIds } = this.loader;
    const { row } = error.details;
    const origin =
      typeof row === 'number' && rowIds !== undefined
        ? { shard: rowIds.shards[row], shardRow: rowIds.rows[row] }
        : undefined;
    const where = origin === undefined ? '' : `, its row ${row} is row ${origin.shardRow} of shard ${origin.shard}`;
    const message = `${error.message} This is batch ${step - 1} (counted from 0), in epoch ${epoch}${where}.`;
    const details = { ...error.details, epoch, step: step - 1, ...origin };
    return new SpiralError(error.code, message, { details, cause: error });
  }
}

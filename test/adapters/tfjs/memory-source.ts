import type { RecordBatch } from 'apache-arrow';
import type { BatchSource } from 'spiral-loader/tfjs';
import { SpiralError } from '../../../src/core/errors.js';

/** A loader over batches in memory, with the passes, states and refusals of the real one. */
export class MemorySource implements BatchSource {
  epoch = 0;
  step = 0;
  closed = false;
  /** Passes begun so far. */
  passes = 0;
  private readonly batches: readonly RecordBatch[];
  private start: number;
  private received: number;
  private running = false;

  constructor(batches: readonly RecordBatch[], state: { epoch: number; received: number } = { epoch: 0, received: 0 }) {
    this.batches = batches;
    this.epoch = state.epoch;
    this.start = state.received;
    this.received = state.received;
    this.step = state.epoch * batches.length + state.received;
  }

  stateDict(): { epoch: number; received: number } {
    return { epoch: this.epoch, received: this.received };
  }

  async plan(): Promise<{ batches: number }> {
    return { batches: this.batches.length };
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<RecordBatch> {
    if (this.running) throw new SpiralError('already_iterating', 'Expected one pass at a time.');
    this.running = true;
    this.passes++;
    this.received = this.start;
    try {
      while (this.received < this.batches.length) {
        const batch = this.batches[this.received]!;
        this.received++;
        this.step++;
        yield batch;
      }
      this.epoch++;
      this.received = 0;
    } finally {
      this.start = 0;
      this.running = false;
    }
  }
}

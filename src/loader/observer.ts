import { ProgressLine } from '../core/progress-line.js';
import { monotonicMs } from '../core/runtime.js';
import { resultBytes } from './map-result.js';
import { LoaderMetrics } from './metrics.js';
import type { LoaderSettings } from './options.js';
import { type BatchTimes, type CollectedBatch, type LoaderStats, StatsCollector } from './stats.js';
import type { PassInHand, SuppliedBatch } from './supply.js';
import { Trace } from './trace.js';

/** A batch that was made ready for the consumer. */
export interface ObservedBatch extends CollectedBatch {
  readonly epoch: number;
  readonly step: number;
}

/** What there is to see of `drawn`, which `pass` gave as rows `rowIds`, `skipped` of it being bad. */
export function observed(
  drawn: SuppliedBatch,
  given: Pick<ObservedBatch, 'epoch' | 'step' | 'rowIds' | 'skipped'> & Pick<BatchTimes, 'waitMs' | 'transformMs'>,
  { supply, places }: PassInHand,
): ObservedBatch {
  // Written out: a spread gives every object a hidden class of its own, which takes longer than all the rest.
  const { epoch, step, rowIds, skipped, waitMs, transformMs } = given;
  const { readMs, shuffleMs, mapMs } = drawn.times;
  const times = { readMs, shuffleMs, mapMs, transformMs, waitMs };
  const bytes = 'batch' in drawn ? drawn.bytes : resultBytes(drawn.mapped);
  const [queueDepth, figures] = [supply.depth, supply.figures()];
  return { epoch, step, bytes, rowIds, skipped, times, queueDepth, places, figures };
}

/** Watches what a loader gives: for its statistics, its trace and its progress line. */
export class Observer {
  readonly #collector: StatsCollector;
  readonly #trace: Trace | undefined;
  readonly #progress: ProgressLine | undefined;
  readonly #metrics: LoaderMetrics | undefined;
  #traced = true;
  #last: ObservedBatch | undefined;

  constructor({ trace, progress, world, memoryBytesMax, metrics }: LoaderSettings) {
    this.#collector = new StatsCollector(memoryBytesMax);
    if (metrics !== false) this.#metrics = new LoaderMetrics(metrics === true ? undefined : metrics, world.rank);
    this.#trace = trace === undefined ? undefined : new Trace(trace, world.rank);
    this.#progress = progress && process.stderr.isTTY ? new ProgressLine(process.stderr) : undefined;
  }

  /** The batch given last. */
  get last(): ObservedBatch | undefined {
    return this.#last;
  }

  /** An iteration begins. A trace is written at once, so that a path that cannot be is found before the training. */
  async begin(): Promise<void> {
    this.#collector.begin();
    this.#traced = false;
    await this.#metrics?.open();
    await this.#trace?.write();
  }

  /** An epoch begins; how many rows of it are left is asked only where it is shown. */
  async beginEpoch(epoch: number, rowsLeft: () => Promise<number | null>): Promise<void> {
    if (this.#progress !== undefined) this.#progress.begin(`epoch ${epoch}`, await rowsLeft(), monotonicMs());
  }

  add(batch: ObservedBatch): void {
    const { rowIds, skipped, times } = batch;
    this.#last = batch;
    this.#collector.add(batch);
    this.#metrics?.add(batch);
    this.#trace?.add({ epoch: batch.epoch, step: batch.step }, rowIds.length, times);
    this.#progress?.add(rowIds.length + skipped, times.waitMs, monotonicMs());
  }

  /** The iteration ended, or was left. A second call does nothing. */
  async end(): Promise<void> {
    this.#collector.end();
    this.#progress?.end(monotonicMs());
    if (this.#traced) return;
    this.#traced = true;
    await this.#trace?.write();
  }

  stats(feeder: boolean, mapWorkers: number): LoaderStats {
    return this.#collector.stats(feeder, mapWorkers);
  }
}

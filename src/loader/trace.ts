import { writeFile } from 'node:fs/promises';
import { SpiralError } from '../core/errors.js';
import { monotonicMs } from '../core/runtime.js';
import type { BatchTimes } from './stats.js';

/** Batches that a trace holds; those behind are left out, and the trace says so. */
const batchesMax = 100_000;

interface TraceEvent {
  readonly name: string;
  readonly ph: 'X' | 'M';
  readonly pid: number;
  readonly tid: number;
  /** Microseconds. */
  readonly ts?: number;
  readonly dur?: number;
  readonly args?: Readonly<Record<string, unknown>>;
}

/**
 * What each batch took, as a Chrome trace: open the file at `chrome://tracing` or in Perfetto. On the first line the waits
 * in `next()` and the inline transforms in them, between two of them the consumer's own time.
 */
export class Trace {
  readonly #path: string;
  readonly #rank: number;
  readonly #events: TraceEvent[] = [];
  #left = 0;
  /** Settles when the write under way has ended. */
  #written: Promise<void> = Promise.resolve();

  constructor(path: string, rank: number) {
    this.#path = path;
    this.#rank = rank;
    this.#events.push({
      name: 'process_name',
      ph: 'M',
      pid: rank,
      tid: 0,
      args: { name: `spiral-loader rank ${rank}` },
    });
  }

  /** A batch was made ready just now. */
  add(place: { epoch: number; step: number }, rows: number, times: BatchTimes): void {
    if (this.#events.length > batchesMax * 2) {
      this.#left++;
      return;
    }
    const endUs = monotonicMs() * 1000;
    const base = { ph: 'X' as const, pid: this.#rank, tid: 1 };
    const args = { ...place, rows, readMs: times.readMs, shuffleMs: times.shuffleMs, mapMs: times.mapMs };
    this.#events.push({ ...base, name: 'wait', ts: endUs - times.waitMs * 1000, dur: times.waitMs * 1000, args });
    if (times.transformMs > 0) {
      const dur = times.transformMs * 1000;
      this.#events.push({ ...base, name: 'transform', ts: endUs - dur, dur, args: { ...place } });
    }
  }

  /**
   * Writes the file anew with all that was added so far.
   *
   * @throws SpiralError `invalid_argument` where the path cannot be written.
   */
  write(): Promise<void> {
    // One after the other: the end of an iteration and `close()` may meet.
    const written = this.#written.then(() => this.#write());
    this.#written = written.catch(() => {});
    return written;
  }

  async #write(): Promise<void> {
    const trace = { traceEvents: this.#events, displayTimeUnit: 'ms', otherData: { batchesLeftOut: this.#left } };
    try {
      await writeFile(this.#path, JSON.stringify(trace));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new SpiralError(
        'invalid_argument',
        `Expected \`trace\` to be the path of a file that can be written, got '${this.#path}': ${why}. Make its folder first, ` +
          'or choose another path.',
        { details: { name: 'trace', found: this.#path }, cause },
      );
    }
  }
}

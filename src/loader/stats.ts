import { monotonicMs } from '../core/runtime.js';
import type { RowIds } from './row-ids.js';
import type { PassFigures, ReadAheadFigures } from './supply.js';

/** What one batch took, in milliseconds, wherever it was made. */
export interface StageTimes {
  /** Waiting for blocks to be read and decoded. */
  readonly readMs: number;
  /** Drawing the batch's rows out of its window. */
  readonly shuffleMs: number;
  /** In a map worker. */
  readonly mapMs: number;
}

/** What one batch took, and what of it the consumer saw. */
export interface BatchTimes extends StageTimes {
  /** Inside `next()`, inline transform included: the data wait of this batch. */
  readonly waitMs: number;
  /** In the inline transform. */
  readonly transformMs: number;
}

/** What a loader did since it was made. */
export interface LoaderStats {
  readonly batches: number;
  readonly rows: number;
  /** Bad rows that were skipped, by `rowErrors`; none of `rows`. */
  readonly rowsSkipped: number;
  /** Bytes of the batches given. */
  readonly bytes: number;
  /** From the first `next()` to now or to the end of the last iteration, pauses between iterations left out. */
  readonly elapsedMs: number;
  /** Inside `next()`, all batches together; `waitShare` of the elapsed time, from 0 to 1. */
  readonly waitMs: number;
  readonly waitShare: number;
  /** Sums over all batches; stages of different batches overlap, so they may exceed the elapsed time. */
  readonly stages: StageTimes & { readonly transformMs: number };
  /** Batches that were ready when the last one was taken. */
  readonly queueDepth: number;
  /** Bytes that the loader held behind the last batch, the most it held in any epoch, and `memoryBytesMax`, null for none. */
  readonly memory: { readonly heldBytes: number; readonly peakBytes: number; readonly bytesMax: number | null };
  /** How many batches are read ahead, and why so many. Null before the first batch. */
  readonly readAhead: ReadAheadFigures | null;
  /** Threads of the feeder that read, decode and draw; 0 before the first batch and without a feeder. */
  readonly decodeThreads: number;
  /**
   * How well batches are mixed, from 0 to 1: distinct places of 1,024 rows that a batch draws on, against what a full
   * shuffle of the epoch would. Null before the first batch that was looked at.
   */
  readonly shuffleQuality: number | null;
  /** What limits the loop, in a line. */
  readonly verdict: string;
}

/** Rows of a place, for the quality of a shuffle. */
const placeRows = 1024;
/** One batch of so many is looked at for its mixing, and of small ones one of so many rows. */
const [lookBatches, lookRows] = [16, 4096];
/** Share of waiting below which the loader keeps up. */
const keepsUpShare = 0.02;

/** A batch as it is counted. */
export interface CollectedBatch {
  readonly bytes: number;
  readonly rowIds: RowIds;
  /** Bad rows of it that were skipped. */
  readonly skipped: number;
  readonly times: BatchTimes;
  /** Batches that are ready behind it. */
  readonly queueDepth: number;
  /** Places of 1,024 rows that there are. */
  readonly places: number;
  /** How the pass stands behind it. */
  readonly figures: PassFigures;
}

/** Adds up what batches took. */
export class StatsCollector {
  #batches = 0;
  #rows = 0;
  #rowsSkipped = 0;
  #bytes = 0;
  #waitMs = 0;
  #elapsedMs = 0;
  #sinceMs: number | undefined;
  #stages = { readMs: 0, shuffleMs: 0, mapMs: 0, transformMs: 0 };
  #queueDepth = 0;
  #quality = { sum: 0, looks: 0 };
  /** Rows before the next batch that is looked at. */
  #lookAt = 0;
  readonly #bytesMax: number | null;
  #heldBytes = 0;
  #peakBytes = 0;
  #readAhead: ReadAheadFigures | null = null;
  #decodeThreads = 0;

  constructor(memoryBytesMax: number | undefined) {
    this.#bytesMax = memoryBytesMax ?? null;
  }

  /** An iteration begins. */
  begin(): void {
    this.#sinceMs ??= monotonicMs();
  }

  /** It ended, or was left. */
  end(): void {
    if (this.#sinceMs !== undefined) this.#elapsedMs += monotonicMs() - this.#sinceMs;
    this.#sinceMs = undefined;
  }

  /** A batch was made ready for the consumer. */
  add({ bytes, rowIds, skipped, times, queueDepth, places, figures }: CollectedBatch): void {
    if (this.#rows >= this.#lookAt && places > 0 && rowIds.length > 0) {
      this.#look(rowIds, places);
      this.#lookAt = this.#rows + Math.max(lookRows, lookBatches * rowIds.length);
    }
    this.#batches++;
    this.#rows += rowIds.length;
    this.#rowsSkipped += skipped;
    this.#bytes += bytes;
    this.#waitMs += times.waitMs;
    this.#stages.readMs += times.readMs;
    this.#stages.shuffleMs += times.shuffleMs;
    this.#stages.mapMs += times.mapMs;
    this.#stages.transformMs += times.transformMs;
    this.#queueDepth = queueDepth;
    const { threads, heldBytes, peakBytes, readAhead } = figures;
    this.#heldBytes = heldBytes;
    this.#peakBytes = Math.max(peakBytes, this.#peakBytes);
    this.#readAhead = readAhead;
    this.#decodeThreads = threads;
  }

  stats(feeder: boolean, mapWorkers: number): LoaderStats {
    const elapsedMs = this.#elapsedMs + (this.#sinceMs === undefined ? 0 : monotonicMs() - this.#sinceMs);
    const waitShare = elapsedMs === 0 ? 0 : Math.min(1, this.#waitMs / elapsedMs);
    const stages = { ...this.#stages };
    return {
      batches: this.#batches,
      rows: this.#rows,
      rowsSkipped: this.#rowsSkipped,
      bytes: this.#bytes,
      elapsedMs,
      waitMs: this.#waitMs,
      waitShare,
      stages,
      queueDepth: this.#queueDepth,
      memory: { heldBytes: this.#heldBytes, peakBytes: this.#peakBytes, bytesMax: this.#bytesMax },
      readAhead: this.#readAhead,
      decodeThreads: this.#decodeThreads,
      shuffleQuality: this.#quality.looks === 0 ? null : this.#quality.sum / this.#quality.looks,
      verdict: verdictOf({ batches: this.#batches, waitMs: this.#waitMs, waitShare, stages, feeder, mapWorkers }),
    };
  }

  #look(rowIds: RowIds, places: number): void {
    const { shards, rows } = rowIds;
    const found = new Set<number>();
    let last = -1;
    for (let at = 0; at < rowIds.length; at++) {
      const place = shards[at]! * 2 ** 32 + Math.floor(rows[at]! / placeRows);
      if (place !== last) found.add(place);
      last = place;
    }
    const expected = places * (1 - (1 - 1 / places) ** rowIds.length);
    this.#quality.sum += Math.min(1, found.size / expected);
    this.#quality.looks++;
  }
}

/** How many places of 1,024 rows shards of `rows` rows have. */
export function placesOf(rows: Iterable<number>): number {
  let places = 0;
  for (const count of rows) places += Math.ceil(count / placeRows);
  return places;
}

interface Measured {
  readonly batches: number;
  readonly waitMs: number;
  readonly waitShare: number;
  readonly stages: LoaderStats['stages'];
  readonly feeder: boolean;
  readonly mapWorkers: number;
}

/** The stage that most of the wait is for, and what would shorten it. */
export function verdictOf({ batches, waitMs, waitShare, stages, feeder, mapWorkers }: Measured): string {
  if (batches === 0) return 'No batch was taken yet.';
  const percent = (share: number): string => `${Math.round(share * 1000) / 10} %`;
  if (waitShare <= keepsUpShare) return `The loader keeps up: ${percent(waitShare)} of the time is data wait.`;
  const remedies: [name: string, ms: number, remedy: string][] = [
    ['the inline transform', stages.transformMs, 'a transform module with mapWorkers: 1 would take it off this thread'],
    ['reading', stages.readMs, feeder ? 'faster storage or fewer columns would help' : 'the feeder would read ahead'],
    ['shuffling and batching', stages.shuffleMs, feeder ? 'fewer columns would help' : 'the feeder would do it ahead'],
    ['map', stages.mapMs, `mapWorkers: ${mapWorkers + 1} would help where there are cores`],
  ];
  const inline = Math.min(stages.transformMs, waitMs);
  const ahead = stages.readMs + stages.shuffleMs + stages.mapMs;
  // What the inline transform does not explain is waiting for the stages before it, each by its share of their work.
  const shares = remedies.map(([name, ms, remedy], at) => {
    const own = at === 0 ? inline : ahead === 0 ? 0 : ((waitMs - inline) * ms) / ahead;
    return { name, share: own / waitMs, remedy };
  });
  const most = shares.reduce((best, next) => (next.share > best.share ? next : best));
  return (
    `${percent(waitShare)} of the time is data wait; ${percent(most.share)} of the wait is ${most.name}: ` +
    `${most.remedy}.`
  );
}

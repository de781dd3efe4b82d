import type { DrawnBatch } from './batch-stream.js';
import type { MapPlace } from './map-protocol.js';
import type { TimedResult } from './map-result.js';

/** Runs a transform module on batches: in map workers, or in this thread. */
export interface BatchMapper {
  /** Batches that may be under way, or mapped and waiting for their turn, at once: at least, and where they are small. */
  readonly ahead: { readonly min: number; readonly max: number };
  /** Begins a run of batches that belong together; the one before has ended. */
  begin(): void;
  /** Results come in any order. @throws SpiralError the error of this batch, whose position is the caller's to keep. */
  map(drawn: DrawnBatch, place: MapPlace, signal: AbortSignal): Promise<TimedResult>;
  /** Ends what it runs; `map` then rejects. A second call does nothing. */
  close(): Promise<void>;
}

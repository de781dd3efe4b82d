import type { HeldGroup } from './batch-group.js';
import type { MapPlace } from './map-protocol.js';
import type { TimedResult } from './map-result.js';
import type { RowIds } from './row-ids.js';

/** One of the batches that were drawn together: `rowIds.length` rows from row `from` on. */
export interface GroupPart {
  readonly from: number;
  readonly rowIds: RowIds;
  readonly place: MapPlace;
}

/** Rows of a group, as often as they are drawn. */
export type HeldRows = Pick<HeldGroup, 'batch' | 'rowIds' | 'redraw'>;

/** Runs a transform module on batches: in map workers, or in this thread. */
export interface BatchMapper {
  /** Batches that may be under way, or mapped and waiting for their turn, at once: at least, and where they are small. */
  readonly ahead: { readonly min: number; readonly max: number };
  /** Begins a run of batches that belong together; the one before has ended. */
  begin(): void;
  /** Batches that it should be given together: more than one where each takes little time. */
  readonly together: number;
  /**
   * What becomes of each part of a group. Results come in any order, and reject with the error of their batch, whose position
   * is the caller's to keep.
   */
  map(group: HeldRows, parts: readonly GroupPart[], signal: AbortSignal): readonly Promise<TimedResult>[];
  /** Ends what it runs; `map` then rejects. A second call does nothing. */
  close(): Promise<void>;
}

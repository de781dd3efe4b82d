import type { RecordBatch } from 'apache-arrow';
import type { BadRow } from './bad-row.js';
import type { WindowPlace } from './batch-stream.js';
import type { MapResult } from './map-result.js';
import type { RowIds } from './row-ids.js';
import type { StageTimes } from './stats.js';

/** A batch on its way to the consumer: its rows, or what a transform module made of them. */
export type SuppliedBatch = RowsBatch | MappedBatch;

/** A batch of rows. */
export interface RowsBatch extends BatchPlace {
  readonly batch: RecordBatch;
  /** Bytes of its values. */
  readonly bytes: number;
}

/** What a transform module made of a batch, packed: opened by the consumer's thread alone. */
export interface MappedBatch extends BatchPlace {
  readonly mapped: MapResult;
}

interface BatchPlace {
  readonly rowIds: RowIds;
  /** Rows of the batch that were skipped: they count as received, and are none of `rowIds`. */
  readonly bad: readonly BadRow[];
  /** Where the epoch stands after it. */
  readonly after: WindowPlace;
  readonly times: StageTimes;
}

/** How a pass stands, for statistics. */
export interface PassFigures {
  /** Threads of the feeder that read and draw; 0 where this process does. */
  readonly threads: number;
  /** Bytes that it holds: blocks, batches drawn, results of map workers; and the most that it held at once. */
  readonly heldBytes: number;
  readonly peakBytes: number;
  readonly readAhead: ReadAheadFigures;
}

/** How far a pass reads ahead. */
export interface ReadAheadFigures {
  readonly batches: number;
  /** Why so many. */
  readonly why: string;
}

/** The batches of a pass, wherever they are made: in this process, or in the feeder's thread. */
export interface BatchSupply<B extends SuppliedBatch = SuppliedBatch> {
  /** Samples before the first batch; fewer than were to be skipped where there are fewer. */
  readonly skipped: number;
  /** Where the epoch stands before the first batch. */
  readonly place: WindowPlace;
  /** Batches that are ready now. */
  readonly depth: number;
  /** The next batch, undefined at the epoch's end. */
  next(): Promise<B | undefined>;
  /** The next batch where it is ready, of full size and with no row skipped; undefined: `next` has to be asked. */
  ready?(): RowsBatch | undefined;
  figures(): PassFigures;
}

/** A pass whose batches are given. */
export interface PassInHand {
  readonly supply: BatchSupply;
  /** Places of 1,024 rows that there are. */
  readonly places: number;
  readonly signal: AbortSignal;
}

import type { PackedColumns, PackedDictionary } from '../arrow/packed-batch.js';
import type { TransformEntry } from './transform-module.js';

/** What a map worker is started with. */
export interface MapWorkerData {
  readonly transform: TransformEntry;
  /** The schema of all batches, as an Arrow IPC stream without any. */
  readonly schema: Uint8Array;
  readonly seed: number;
  /** Bad rows of a batch that are searched for. */
  readonly badRowsMax: number;
}

/** Batches for a map worker, a task each. */
export interface MapTask {
  /** Which run of batches it belongs to: dictionaries are numbered within one. */
  readonly stream: number;
  readonly columns: PackedColumns;
  /** Dictionaries that the worker has not seen in this stream. */
  readonly fresh: readonly PackedDictionary[];
  readonly rowIds: Float64Array;
  /** Their places in the epoch, and which of the rows are theirs. */
  readonly parts: readonly MapPart[];
}

/** Rows `from … from + rows` of what is sent, which are one batch. */
export interface MapPart {
  readonly from: number;
  readonly rows: number;
  readonly place: MapPlace;
}

/** Where a batch stands, as its transform is told. */
export interface MapPlace {
  readonly epoch: number;
  /** Batches before it, since epoch 0. */
  readonly step: number;
  readonly rank: number;
}

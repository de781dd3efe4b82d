import type { PackedColumns, PackedDictionary } from '../arrow/packed-batch.js';
import type { CallNode } from '../expr/node.js';

/** A batch of arguments for a udf worker. */
export interface UdfTask {
  /** The udf; what it returns is in its options. */
  readonly node: CallNode;
  readonly args: UdfColumns;
}

/** Columns as they cross, with all that is needed to unpack them: they belong to this task alone. */
export interface UdfColumns {
  /** The types, as an Arrow IPC stream without batches. */
  readonly schema: Uint8Array;
  readonly columns: PackedColumns;
  readonly dictionaries: readonly PackedDictionary[];
}

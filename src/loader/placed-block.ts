import type { BlockColumn } from '../arrow/stored-cells.js';
import type { WireError } from '../core/error-wire.js';
import type { BlockPlace } from './row-ids.js';

/** A decoded block with its place. */
export interface PlacedBlock {
  readonly columns: readonly BlockColumn[];
  readonly place: BlockPlace;
}

/** A stretch of rows none of which can be read; all of them count as if they had survived the filter. */
export interface DamagedBlock {
  readonly place: BlockPlace;
  readonly column: string | undefined;
  readonly error: WireError;
}

export function isReadable(block: PlacedBlock | DamagedBlock): block is PlacedBlock {
  return 'columns' in block;
}

import type { MemoryNeeds } from './memory-budget.js';

/** How many rows of a lane are read as one block. */
export interface BlockSizes {
  /** At least, for whichever windows they are. */
  readonly rowsMin: number;
  /** Rows beyond a window's own that are read with them where nothing is then left of what is stored together. */
  readonly spareRows: number;
}

/** What blocks are to be, memory allowing. */
export interface BlockWishes {
  /** Where a part of what is stored together may cost as much to read as all of it. */
  readonly together: BlockSizes;
  /** Where rows are read at little cost without those they are stored with. */
  readonly alone: BlockSizes;
}

/**
 * What a window does not need of a stored batch is read with the rest where it is a quarter of a window at most, so that
 * what is held beyond the window itself stays small beside it.
 */
const blocksPerWindow = 4;
/** Rows below which another read costs more than holding them. */
const blockRowsMin = 256;
/** Bytes of all lanes that are read together at least, so that small windows share reads. */
const sharedBytes = 512 * 1024;
/** The same where rows are read alone: windows from there on read their own rows and no others. */
const sharedAloneBytes = 128 * 1024;

/** How blocks are cut for `needs`: whole batches as they are stored where nothing is shuffled. */
export function blockWishes(needs: MemoryNeeds): BlockWishes {
  const sharedRows = rowsOf(sharedBytes, needs);
  if (!needs.shuffles) {
    const whole = { rowsMin: sharedRows, spareRows: Number.POSITIVE_INFINITY };
    return { together: whole, alone: whole };
  }
  const laneRows = needs.bufferRows / needs.lanes;
  const aloneRows = rowsOf(sharedAloneBytes, needs);
  const own = aloneRows < laneRows ? 0 : aloneRows;
  return {
    together: { rowsMin: sharedRows, spareRows: Math.max(sharedRows, Math.ceil(laneRows / blocksPerWindow)) },
    alone: { rowsMin: own, spareRows: own },
  };
}

/** `sizes` with at most `rows` beyond what a window wants. */
export function sparing({ rowsMin, spareRows }: BlockSizes, rows: number): BlockSizes {
  return { rowsMin: Math.min(rowsMin, rows), spareRows: Math.min(spareRows, rows) };
}

/** Rows of each lane of which all lanes together take about `bytes`. */
function rowsOf(bytes: number, { row, lanes }: MemoryNeeds): number {
  return Math.max(blockRowsMin, Math.floor(bytes / row.bytes / lanes));
}

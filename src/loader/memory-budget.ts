import { SpiralError } from '../core/errors.js';
import { groupBytesMax, inFlightBytesMax, sentGroupBytesMax, windowsAheadMax } from '../core/limits.js';
import { plainWindowRows } from '../sharding/epoch-order.js';
import { type BlockWishes, blockWishes, sparing } from './block-sizes.js';
import type { RowBytes } from './row-bytes.js';

/** What a loader holds follows from these. */
export interface MemoryNeeds {
  readonly row: RowBytes;
  /** Whether windows are permuted: only then is their size part of the order. */
  readonly shuffles: boolean;
  /** Rows of a shuffle window, as far as there are rows. */
  readonly windowRows: number;
  /** The same as it was asked for. */
  readonly bufferRows: number;
  readonly lanes: number;
  /** Rows of a chunk, on average. */
  readonly chunkRows: number;
  /** Rows that are stored together: what may have to be read for a part of it. */
  readonly storedRows: number;
  readonly batchRows: number;
  /** Whether a transform module runs. */
  readonly maps: boolean;
}

/** What each part of a loader may hold. It bounds what is done ahead, and never alters what is given. */
export interface MemoryBudget {
  /** The option; undefined: no limit but those of the parts. */
  readonly bytesMax: number | undefined;
  /** Rows of a window where nothing is shuffled. */
  readonly plainRows: number;
  /** Rows of the first of them in a pass. */
  readonly firstRows: number;
  /** Blocks of all windows, and what is read for them. */
  readonly blocksBytesMax: number;
  /** What is left of them for windows while reads are under way. */
  readonly windowsBytesMax: number;
  /** Rows of the largest shuffle window, as far as there are rows. */
  readonly windowRows: number;
  /** Bytes of a window, as far as they are known before it is read. */
  readonly windowBytes: number;
  readonly blocks: BlockWishes;
  /** Blocks that may be read at once. */
  readonly readsMax: number;
  /** Batches on the way to the consumer. */
  readonly inFlightBytesMax: number;
  /** Small batches that are drawn together. */
  readonly groupBytesMax: number;
  /** Small batches that are sent together. */
  readonly sentGroupBytesMax: number;
  /** Batches and results of map workers. */
  readonly mapBytesMax: number;
}

/** Groups of batches that a window is drawn in, so that these stay small beside it. */
const groupsPerWindow = 4;
/** Rows of the first plain window, at least: with fewer the second one would be waited for. */
const firstRowsMin = 256;
/** Bytes of a row's place: its block and number as they are found and as they are drawn, and the draw itself. */
const placeBytes = 20;
/** Bytes of a row's name as it crosses between threads. */
const nameBytes = 16;
/** Bytes by which a buffer may be longer than its rows need. */
const padBytes = 64;
/** Batches on the way to the consumer, at least; and besides them: what a batch keeps of the window before, the batch being drawn, the one in hand. */
const [onTheWay, besides] = [2, 3];
/** Batches of a transform: the batch and a copy, for when the worker dies. */
const mapped = 2;
/** By how much the memory of reads may exceed what is read, as `MemoryPool` rounds it up. */
const roundedShare = 1 + 1 / 8;
/** Reads at once that hide all the latency there is. */
const readsAtOnceMax = 64;

/**
 * Divides `bytesMax` among the parts of a loader: first one window and what reading it takes, then the batches on their
 * way, then the windows read ahead.
 *
 * @throws SpiralError `limit_exceeded` where not even one window and a few batches fit.
 */
export function memoryBudget(bytesMax: number | undefined, needs: MemoryNeeds): MemoryBudget {
  const { shuffles, windowRows, lanes } = needs;
  const blocks = blockWishes(needs);
  if (bytesMax === undefined) {
    const window = windowBytes(shuffles ? windowRows : plainWindowRows, needs);
    return {
      bytesMax,
      plainRows: plainWindowRows,
      firstRows: firstRows(plainWindowRows, needs),
      blocksBytesMax: Number.POSITIVE_INFINITY,
      windowsBytesMax: Number.POSITIVE_INFINITY,
      windowRows,
      windowBytes: window,
      blocks,
      readsMax: Number.POSITIVE_INFINITY,
      inFlightBytesMax,
      groupBytesMax: shuffles ? Math.min(groupBytesMax, window / groupsPerWindow) : groupBytesMax,
      sentGroupBytesMax,
      mapBytesMax: inFlightBytesMax,
    };
  }
  const least = leastMemory(needs);
  const { batch, scratch } = least;
  if (least.total > bytesMax) throw tooSmall(bytesMax, needs, least);
  const rest = bytesMax - least.total;
  const room = (share: number): number => Math.max(0, Math.min(inFlightBytesMax - onTheWay * batch, rest / share));
  const inFlight = onTheWay * batch + room(8);
  const map = needs.maps ? mapped * batch + room(8) : 0;
  // A group is drawn, and another one is in hand.
  const group = batch + Math.max(0, Math.min(groupBytesMax - batch, rest / 32));
  const forBlocks = bytesMax - inFlight - map - 2 * group - batch;
  const forWindows = forBlocks - scratch;
  const plainRows = shuffles ? plainWindowRows : plainRowsIn(forWindows / 2, needs);
  const window = windowBytes(shuffles ? windowRows : plainRows, needs);
  // A block that reaches into the next window is held twice: with what it left behind, then with what lies ahead in it.
  const spareBytes = 2 * lanes * needs.row.bytes * roundedShare;
  const spare = Math.floor(
    Math.min(blocks.together.spareRows, needs.storedRows, Math.max(0, forWindows - window) / 4 / spareBytes),
  );
  const left = Math.max(0, forWindows - window - spare * spareBytes);
  const ahead = Math.min(windowsAheadMax, Math.floor(shuffles ? left / window : left / window / 2));
  const readsMax = Math.min(readsAtOnceMax, 1 + Math.floor((left - ahead * window) / scratch));
  return {
    bytesMax,
    plainRows,
    firstRows: firstRows(plainRows, needs),
    blocksBytesMax: forBlocks,
    windowsBytesMax: forWindows - (readsMax - 1) * scratch,
    windowRows,
    windowBytes: window,
    blocks: { together: sparing(blocks.together, spare), alone: sparing(blocks.alone, spare) },
    readsMax,
    inFlightBytesMax: inFlight,
    groupBytesMax: group,
    sentGroupBytesMax: group,
    mapBytesMax: map,
  };
}

/** The least that a loader works in, by its parts. */
export interface LeastMemory {
  readonly total: number;
  readonly window: number;
  readonly windowRows: number;
  /** What reading a part of what is stored together takes meanwhile. */
  readonly scratch: number;
  readonly batch: number;
  readonly batches: number;
}

/** What `needs` take at least: one window, one stored batch to read it from, and a few batches. */
export function leastMemory(needs: MemoryNeeds): LeastMemory {
  const { row, shuffles, batchRows, storedRows, maps } = needs;
  const windowRows = shuffles ? needs.windowRows : Math.min(batchRows, plainWindowRows);
  const window = windowBytes(windowRows, needs);
  const scratch = Math.ceil(storedRows * row.bytes * roundedShare) + row.buffers * padBytes;
  const batch = Math.ceil(batchRows * (row.bytes + nameBytes)) + (row.buffers + 1) * padBytes;
  const batches = onTheWay + besides + (maps ? mapped : 0);
  return { total: window + scratch + batches * batch, window, windowRows, scratch, batch, batches };
}

/** What `rows` rows take that are read block by block. */
function windowBytes(rows: number, { row, chunkRows, storedRows, lanes }: MemoryNeeds): number {
  // Chunks are cut where they are not stored together, and windows cut them once more.
  const blocks = Math.min(rows, 2 * Math.ceil(rows / Math.max(1, Math.min(chunkRows, storedRows))) + 2 * lanes);
  return Math.ceil(rows * (row.bytes * roundedShare + placeBytes)) + blocks * row.buffers * padBytes;
}

/** The most rows of a plain window that takes no more than `bytes`, from one batch to the usual. */
function plainRowsIn(bytes: number, needs: MemoryNeeds): number {
  const least = Math.min(needs.batchRows, plainWindowRows);
  let rows = Math.min(plainWindowRows, Math.floor((plainWindowRows * bytes) / windowBytes(plainWindowRows, needs)));
  // Small windows are cut into more blocks for their rows.
  while (rows > least && windowBytes(rows, needs) > bytes) rows >>= 1;
  return Math.max(least, rows);
}

/** Rows of whole batches, so that no batch lies in two windows. */
function firstRows(plainRows: number, { batchRows }: MemoryNeeds): number {
  return Math.min(plainRows, batchRows * Math.ceil(firstRowsMin / batchRows));
}

function tooSmall(
  bytesMax: number,
  { row, shuffles, storedRows, batchRows }: MemoryNeeds,
  least: LeastMemory,
): SpiralError {
  const perRow = `${row.exact ? '' : 'about '}${Math.ceil(row.bytes)} bytes each`;
  const remedy = shuffles
    ? 'a smaller `shuffleBufferSize` (or `interleaveShards`), smaller batches or fewer columns'
    : 'smaller batches or fewer columns';
  return new SpiralError(
    'limit_exceeded',
    `Expected \`memoryBytesMax\` to be at least ${least.total} bytes, got ${bytesMax}: ${least.window} for a window of ` +
      `${least.windowRows} rows of ${perRow}, ${least.scratch} to read it from stored batches of up to ${storedRows} rows, ` +
      `and ${least.batches * least.batch} for ${least.batches} batches of ${batchRows} rows. Raise it, or use ${remedy}.`,
    {
      details: {
        name: 'memoryBytesMax',
        found: bytesMax,
        min: least.total,
        bytesPerRow: row.bytes,
        windowRows: least.windowRows,
      },
    },
  );
}

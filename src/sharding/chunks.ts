import { permutation, randomStream, type StreamLabel } from '../core/random.js';
import { type Piece, slicePiece } from './piece.js';

/**
 * The chunks of one rank's epoch in the order in which they are read, `lanes` at a time, as columns: chunk `c` is rows
 * `from[c] … from[c] + rows[c]` of shard `shard[c]`.
 */
export interface Chunks {
  readonly count: number;
  readonly shard: Uint32Array;
  readonly from: Float64Array;
  readonly rows: Uint32Array;
  /** Chunks whose rows are no stretch: row `i` of them is row `from + picks[i]` of the shard. */
  readonly picks: ReadonlyMap<number, Uint32Array>;
  /** `groupStart[g]` is the stream position at which the g-th group of `lanes` chunks begins; its last entry the end. */
  readonly groupStart: Float64Array;
  readonly lanes: number;
}

/**
 * Cuts `pieces` into chunks of `chunkRows` and puts them in the order that (seed, epoch, rank) gives; without
 * `chunkRows` each piece is one chunk and the order of the pieces stays.
 *
 * Empty pieces give no chunk. Memory: 24 bytes a chunk.
 */
export function cutChunks(
  pieces: readonly Piece[],
  lanes: number,
  chunkRows: number | undefined,
  labels: readonly StreamLabel[],
): Chunks {
  const filled = pieces.filter((piece) => piece.rows > 0);
  const size = chunkRows ?? Number.POSITIVE_INFINITY;
  const firsts = new Float64Array(filled.length + 1);
  for (const [at, piece] of filled.entries()) {
    firsts[at + 1] = firsts[at]! + (chunkRows === undefined ? 1 : Math.ceil(piece.rows / chunkRows));
  }
  const count = firsts.at(-1)!;
  const order = chunkRows === undefined ? undefined : permutation(count, randomStream('chunks', ...labels));
  const pieceOf = new Uint32Array(count);
  for (let at = 0; at < filled.length; at++) pieceOf.fill(at, firsts[at]!, firsts[at + 1]!);
  const shard = new Uint32Array(count);
  const from = new Float64Array(count);
  const rows = new Uint32Array(count);
  const picks = new Map<number, Uint32Array>();
  for (let place = 0; place < count; place++) {
    const number = order === undefined ? place : order[place]!;
    const piece = filled[pieceOf[number]!]!;
    const cut = number - firsts[pieceOf[number]!]!;
    const done = cut === 0 ? 0 : cut * size;
    shard[place] = piece.shard;
    from[place] = piece.from + done;
    rows[place] = Math.min(size, piece.rows - done);
    if (piece.picks === undefined) continue;
    const part = slicePiece(piece, done, done + rows[place]!);
    from[place] = part.from;
    if (part.picks !== undefined) picks.set(place, part.picks);
  }
  return { count, shard, from, rows, picks, groupStart: groupStarts(rows, lanes), lanes };
}

/** Chunk `chunk` as a piece. */
export function chunkPiece(chunks: Chunks, chunk: number): Piece {
  const picks = chunks.picks.get(chunk);
  const piece = { shard: chunks.shard[chunk]!, from: chunks.from[chunk]!, rows: chunks.rows[chunk]! };
  return picks === undefined ? piece : { ...piece, picks };
}

/**
 * The end of the last row of `chunk` that lies before `end`, both counted from the chunk's first row in its shard; of the
 * last row of all where `end` is left out.
 */
export function chunkEnd(chunks: Chunks, chunk: number, end: number = Number.POSITIVE_INFINITY): number {
  const picks = chunks.picks.get(chunk);
  if (picks === undefined) return Math.min(chunks.rows[chunk]!, end);
  let [low, high] = [0, picks.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (picks[middle]! < end) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? 0 : picks[low - 1]! + 1;
}

function groupStarts(rows: Uint32Array, lanes: number): Float64Array {
  const starts = new Float64Array(Math.ceil(rows.length / lanes) + 1);
  for (let group = 1; group < starts.length; group++) {
    let sum = starts[group - 1]!;
    const end = Math.min(rows.length, group * lanes);
    for (let chunk = (group - 1) * lanes; chunk < end; chunk++) sum += rows[chunk]!;
    starts[group] = sum;
  }
  return starts;
}

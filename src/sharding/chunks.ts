import { permutation, randomStream } from '../core/random.js';

/** Rows `from … from + rows` of the shard that is number `shard` in the global list. */
export interface Piece {
  readonly shard: number;
  readonly from: number;
  readonly rows: number;
}

/**
 * The chunks of one rank's epoch in the order in which they are read, `lanes` at a time, as columns: chunk `c` is rows
 * `from[c] … from[c] + rows[c]` of shard `shard[c]`.
 */
export interface Chunks {
  readonly count: number;
  readonly shard: Uint32Array;
  readonly from: Float64Array;
  readonly rows: Uint32Array;
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
  labels: readonly (string | number)[],
): Chunks {
  const size = chunkRows ?? Number.POSITIVE_INFINITY;
  let count = 0;
  for (const piece of pieces) count += Math.ceil(piece.rows / Math.min(size, Math.max(piece.rows, 1)));
  const order = chunkRows === undefined ? undefined : permutation(count, randomStream('chunks', ...labels));
  const shard = new Uint32Array(count);
  const from = new Float64Array(count);
  const rows = new Uint32Array(count);
  const placeOf = order === undefined ? undefined : inverse(order);
  let next = 0;
  for (const piece of pieces) {
    for (let done = 0; done < piece.rows; done += size) {
      const place = placeOf === undefined ? next : placeOf[next]!;
      shard[place] = piece.shard;
      from[place] = piece.from + done;
      rows[place] = Math.min(size, piece.rows - done);
      next++;
    }
  }
  return { count, shard, from, rows, groupStart: groupStarts(rows, lanes), lanes };
}

function inverse(order: Uint32Array): Uint32Array {
  const places = new Uint32Array(order.length);
  for (let at = 0; at < order.length; at++) places[order[at]!] = at;
  return places;
}

function groupStarts(rows: Uint32Array, lanes: number): Float64Array {
  const starts = new Float64Array(Math.ceil(rows.length / lanes) + 1);
  for (let chunk = 0; chunk < rows.length; chunk++) starts[Math.floor(chunk / lanes) + 1]! += rows[chunk]!;
  for (let group = 1; group < starts.length; group++) starts[group]! += starts[group - 1]!;
  return starts;
}

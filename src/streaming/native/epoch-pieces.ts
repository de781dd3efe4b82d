import type { Piece } from '../../sharding/piece.js';

/** A stream: its shards' samples, where these stand in the list of all streams' shards, and what an epoch takes of it. */
export interface TakenStream {
  readonly shardSizes: readonly number[];
  readonly firstShard: number;
  readonly samples: number;
  readonly choose: number;
}

/**
 * What an epoch takes of `streams`, shard by shard in `shardOrder` (of all streams' shards): each whole as often as its
 * stream is repeated whole, and of what is left over, the stretch whose turn it is.
 *
 * The stretches of the epochs follow one another round the stream, so that after some epochs each of its samples was given
 * equally often, but for one; none is drawn. Empty shards give nothing.
 */
export function epochPieces(streams: readonly TakenStream[], shardOrder: ArrayLike<number>, epoch: number): Piece[] {
  const turns = streams.map((stream) => turn(stream, epoch));
  const streamOf = new Uint32Array(shardOrder.length);
  for (const [at, { firstShard, shardSizes }] of streams.entries()) {
    streamOf.fill(at, firstShard, firstShard + shardSizes.length);
  }
  const pieces: Piece[] = [];
  const laid = streams.map(() => 0);
  for (let at = 0; at < shardOrder.length; at++) {
    const shard = shardOrder[at]!;
    const of = streamOf[shard]!;
    const { shardSizes, firstShard, samples } = streams[of]!;
    const rows = shardSizes[shard - firstShard]!;
    if (rows === 0) continue;
    const { repeats, begin, end } = turns[of]!;
    for (let time = 0; time < repeats; time++) pieces.push({ shard, from: 0, rows });
    const start = laid[of]!;
    laid[of] = start + rows;
    // A stretch that passes the stream's end goes on at its begin.
    for (const lap of [0, samples]) {
      const from = Math.max(start, begin - lap);
      const to = Math.min(start + rows, end - lap);
      if (from < to) pieces.push({ shard, from: from - start, rows: to - from });
    }
  }
  return pieces;
}

function turn({ samples, choose }: TakenStream, epoch: number): { repeats: number; begin: number; end: number } {
  if (samples === 0) return { repeats: 0, begin: 0, end: 0 };
  const rest = choose % samples;
  const begin = Number((BigInt(epoch) * BigInt(rest)) % BigInt(samples));
  return { repeats: Math.floor(choose / samples), begin, end: begin + rest };
}

/**
 * `pieces` cut into `count` parts of equal length; where they do not divide, the first parts have one more.
 *
 * Equal to a sample, so that sample g of an epoch that takes the parts in turn is number `floor(g / count)` of part `g %
 * count`, to the last one.
 */
export function cutParts(pieces: readonly Piece[], count: number): Piece[][] {
  const rows = pieces.reduce((sum, piece) => sum + piece.rows, 0);
  const parts: Piece[][] = [];
  let next = 0;
  let taken = 0;
  for (let part = 0; part < count; part++) {
    const own: Piece[] = [];
    let missing = partRows(rows, count, part);
    while (missing > 0) {
      const piece = pieces[next]!;
      const take = Math.min(missing, piece.rows - taken);
      own.push({ shard: piece.shard, from: piece.from + taken, rows: take });
      missing -= take;
      taken += take;
      if (taken < piece.rows) continue;
      next++;
      taken = 0;
    }
    parts.push(own);
  }
  return parts;
}

/** Samples of part `part` of `count` that `rows` are cut into. */
export function partRows(rows: number, count: number, part: number): number {
  return Math.ceil((rows - part) / count);
}

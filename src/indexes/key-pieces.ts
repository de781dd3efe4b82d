import { type Segment, Shard, type ShardOrigin } from '../sharding/shard.js';
import { type ByteList, stringAt } from '../table/byte-list.js';

/**
 * The rows of a scan as an index keeps them: in key order, cut into pieces that lie in one part of the scan each, the pieces
 * joined to ranges. Arrays have one value a piece.
 */
export interface KeyPieces {
  /** Names of the parts that have pieces, in order: '' where a part has none. */
  readonly names: readonly string[];
  /** The number of the part, in `names` and in the scan. */
  readonly parts: Uint32Array;
  /** Rows `from … to` of the part, counted as they are stored. */
  readonly from: Float64Array;
  readonly to: Float64Array;
  /** How many of them survive the filter. */
  readonly rows: Float64Array;
  /** The encoded key at which each begins: no row before has it or one above. */
  readonly begins: ByteList;
  /** The key behind the last piece; empty where there is none. */
  readonly end: Uint8Array;
  /** Ascending: the number of pieces up to the end of each range. */
  readonly ranges: Uint32Array;
}

/** Rows of one part that were counted. */
export interface KeyPiece extends Segment {
  readonly rows: number;
  readonly begin: Uint8Array;
}

/** The ranges of `pieces`, each with the number of rows that survive. */
export function keyShards(pieces: KeyPieces, origin: ShardOrigin): Shard[] {
  const shards: Shard[] = [];
  const beginOf = (at: number): Uint8Array =>
    at === pieces.parts.length ? pieces.end : stringAt(pieces.begins, at).slice();
  let at = 0;
  let begin = beginOf(0);
  for (const end of pieces.ranges) {
    const segments: Segment[] = [];
    let rows = 0;
    for (; at < end; at++) {
      const [part, from, to] = [pieces.parts[at]!, pieces.from[at]!, pieces.to[at]!];
      const last = segments.at(-1);
      if (last?.part === part && last.to === from) segments[segments.length - 1] = { ...last, to };
      else segments.push({ part, from, to });
      rows += pieces.rows[at]!;
    }
    const behind = beginOf(end);
    shards.push(new Shard({ begin, end: behind }, rows, segments, origin));
    begin = behind;
  }
  return shards;
}

/**
 * Rows of the shard that is number `shard` in the global list: `from … from + rows`, or where `picks` is there, rows
 * `from + picks[0]`, `from + picks[1]`, and so on.
 */
export interface Piece {
  readonly shard: number;
  readonly from: number;
  readonly rows: number;
  /** `rows` numbers, ascending: what a partly read window left over. */
  readonly picks?: Uint32Array;
}

/** Rows number `start … end` of `piece`. */
export function slicePiece({ shard, from, picks }: Piece, start: number, end: number): Piece {
  if (picks === undefined) return { shard, from: from + start, rows: end - start };
  return pickedPiece(shard, from, picks.subarray(start, end));
}

/** The rows `from + picks[i]` of `shard`, as a plain stretch where they are one. */
export function pickedPiece(shard: number, from: number, picks: Uint32Array): Piece {
  const first = picks[0] ?? 0;
  if (picks.length === 0 || picks.at(-1)! - first === picks.length - 1) {
    return { shard, from: from + first, rows: picks.length };
  }
  const moved = first === 0 ? picks : picks.map((pick) => pick - first);
  return { shard, from: from + first, rows: picks.length, picks: moved };
}

/** Rows of all `pieces`. */
export function pieceRows(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, { rows }) => sum + rows, 0);
}

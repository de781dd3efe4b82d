import { type Piece, pieceRows, slicePiece } from './piece.js';

/**
 * What becomes of ranks that were dealt unequal numbers of rows (law 4c). It follows from the rows of the shards alone, so
 * every rank knows it of all without a word between them.
 *
 * - `keep`: ranks differ, as in the reference.
 * - `drop`: every rank's epoch ends where that of the smallest does.
 * - `pad`: every rank's epoch is as long as that of the largest; the missing rows are its own again, from the start of its
 *   order on, and for a rank without rows those of the largest (of several, the first).
 * - `split`: shards are cut so that ranks differ by one row at most.
 */
export type Uneven = 'keep' | 'drop' | 'pad' | 'split';

export const unevenWords: readonly Uneven[] = ['keep', 'drop', 'pad', 'split'];

/** What one rank is dealt. */
export interface Hand {
  /** What it reads, in order: its own, or where it has none and pads, another's. */
  readonly pieces: readonly Piece[];
  /** Rows that are its own. */
  readonly own: number;
  /** Rows that its epoch gives: fewer than `own` where some are dropped, more where some are repeated. */
  readonly length: number;
}

/** Deals `list` to the ranks of a world: rank r takes r, r + W, r + 2 W … (law 4), then evened out as `uneven` says. */
export function dealHands(list: readonly Piece[], worldSize: number, uneven: Uneven): Hand[] {
  const dealt = Array.from({ length: worldSize }, (_, rank) => everyNth(list, rank, worldSize));
  const hands = (uneven === 'split' ? split(dealt.flat(), worldSize) : dealt).map((pieces) => {
    const own = pieceRows(pieces);
    return { pieces, own, length: own };
  });
  if (uneven !== 'drop' && uneven !== 'pad') return hands;
  const owns = hands.map(({ own }) => own);
  const length = owns.reduce((a, b) => (uneven === 'drop' ? Math.min(a, b) : Math.max(a, b)));
  const largest = hands[owns.indexOf(owns.reduce((a, b) => Math.max(a, b)))]!;
  return hands.map(({ pieces, own }) => ({ pieces: own === 0 ? largest.pieces : pieces, own, length }));
}

function everyNth(list: readonly Piece[], first: number, step: number): Piece[] {
  const own: Piece[] = [];
  for (let at = first; at < list.length; at += step) own.push(list[at]!);
  return own;
}

/**
 * Cuts the rows of `list`, in its order, into `count` stretches. Of ranks that were dealt equally, each keeps its shards
 * whole.
 */
function split(list: readonly Piece[], count: number): Piece[][] {
  const rows = pieceRows(list);
  const parts: Piece[][] = Array.from({ length: count }, () => []);
  let part = 0;
  let start = 0;
  for (const piece of list) {
    let taken = 0;
    while (taken < piece.rows) {
      const end = Math.floor((rows * (part + 1)) / count);
      const take = Math.min(piece.rows - taken, end - start);
      if (take > 0)
        parts[part]!.push(taken === 0 && take === piece.rows ? piece : slicePiece(piece, taken, taken + take));
      taken += take;
      start += take;
      if (start === end && part < count - 1) part++;
    }
  }
  return parts;
}

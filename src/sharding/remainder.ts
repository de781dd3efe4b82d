import { chunkPiece } from './chunks.js';
import type { EpochOrder } from './epoch-order.js';
import { type Piece, pickedPiece, slicePiece } from './piece.js';

/** What a rank has not received of the window it is in. */
export interface OpenWindow {
  /** Stream positions of the window. */
  readonly start: number;
  readonly next: number;
  /** For each of them 1 where its row is still to be given, else 0. */
  readonly left: Uint8Array;
}

/** The window around sample `sample` of `order` after the samples before it were given, where no filter drops rows. */
export function openWindow(order: EpochOrder, sample: number): OpenWindow {
  const end = Math.min(order.rows, order.lanes.rows);
  if (sample >= end) return { start: end, next: end, left: new Uint8Array(0) };
  const { start, end: next } = order.windowAt(sample);
  const left = new Uint8Array(next - start).fill(1);
  const permutation = order.permutationOf(start, next - start);
  for (let taken = 0; taken < sample - start; taken++) left[permutation?.[taken] ?? taken] = 0;
  return { start, next, left };
}

/**
 * The rows of its own that a rank's epoch still has to give: what is left of the window it is in as lists of rows, then
 * the rest of chunks that it has begun, then whole chunks. Rows that `order` repeats or drops are none of them.
 */
export function restPieces(order: EpochOrder, window: OpenWindow): Piece[] {
  const { chunks, lanes } = order;
  const end = Math.min(order.rows, lanes.rows);
  if (window.start >= end) return [];
  const lists = listsLeft(order, window);
  const from = lanes.progress(Math.min(window.next, end));
  const to = lanes.progress(end);
  const pieces: Piece[] = [];
  const chunkStop = Math.min(chunks.count, (to.group + 1) * chunks.lanes);
  for (let chunk = lists.first; chunk < chunkStop; chunk++) {
    const group = Math.floor(chunk / chunks.lanes);
    const lane = chunk % chunks.lanes;
    const begin = group < from.group ? chunks.rows[chunk]! : group === from.group ? from.rows[lane]! : 0;
    const stop = group === to.group ? to.rows[lane]! : chunks.rows[chunk]!;
    const list = lists.of.get(chunk);
    if (list !== undefined) pieces.push(list);
    if (begin >= stop) continue;
    const rest = slicePiece(chunkPiece(chunks, chunk), begin, stop);
    if (list !== undefined && joins(list, rest)) pieces[pieces.length - 1] = { ...list, rows: list.rows + rest.rows };
    else pieces.push(rest);
  }
  return pieces;
}

/**
 * What ranks have left as one list, in the order in which the old world would have come to it: the first piece of each
 * rank, the second of each, and so on.
 */
export function interleaved(rests: readonly (readonly Piece[])[]): Piece[] {
  const list: Piece[] = [];
  const longest = rests.reduce((most, { length }) => Math.max(most, length), 0);
  for (let at = 0; at < longest; at++) {
    for (const rest of rests) if (at < rest.length) list.push(rest[at]!);
  }
  return list;
}

/** The rows left of `window`, by chunk, and the first chunk that may have rows left. */
function listsLeft(order: EpochOrder, window: OpenWindow): { first: number; of: Map<number, Piece> } {
  const { start, next, left } = window;
  const { chunks } = order;
  const chunk = new Int32Array(next - start);
  const row = new Int32Array(next - start);
  order.locate(start, next, chunk, row);
  const rows = new Map<number, number[]>();
  for (let at = 0; at < left.length; at++) {
    if (left[at] === 0) continue;
    const list = rows.get(chunk[at]!);
    if (list === undefined) rows.set(chunk[at]!, [row[at]!]);
    else list.push(row[at]!);
  }
  const of = new Map<number, Piece>();
  for (const [at, list] of rows) {
    of.set(at, pickedPiece(chunks.shard[at]!, chunks.from[at]!, Uint32Array.from(list)));
  }
  return { first: order.lanes.groupAt(start) * chunks.lanes, of };
}

const joins = (first: Piece, second: Piece): boolean =>
  first.picks === undefined && second.picks === undefined && first.from + first.rows === second.from;

import { stretchAt } from '../core/search.js';
import type { Lane } from '../table/key-lane.js';
import { deletedKey, laneShift, type MergeEntries, type MergePiece, sameKey } from '../table/key-merge.js';
import type { KeySet } from '../table/key-run.js';

/** Rows of a set, and which of the rows that are wanted each of them is. */
export interface PlacedRows {
  readonly set: KeySet;
  /** Row `from + i` of the set is row `targets[i]`, or -1: its key is deleted, or it is not wanted. Ascending. */
  readonly from: number;
  readonly targets: Int32Array;
}

/** Rows `from … from + rows` of a set. */
export interface SetSpan {
  readonly set: KeySet;
  readonly from: number;
  readonly rows: number;
}

/** Rows that are each one row of one lane. */
export interface LaneRows {
  /** For each of them its lane, shifted by `laneShift`: the next row of it. */
  readonly entries: MergeEntries;
  /** What rows of each lane they are. */
  readonly lanes: readonly (readonly SetSpan[])[];
}

/** Rows `from … to` of `piece`; undefined where keys of them are in several lanes, or deleted. */
export function laneRows(
  entries: MergeEntries,
  lanes: readonly Lane[],
  piece: MergePiece,
  from: number,
  to: number,
): LaneRows | undefined {
  const { start, skipped } = findRow(entries, lanes.length, from);
  const end = start + to - from;
  if (end > entries.length || (end < entries.length && (entries[end]! & sameKey) !== 0)) return undefined;
  const counts = new Int32Array(lanes.length);
  let flags = 0;
  for (let at = start; at < end; at++) {
    const entry = entries[at]!;
    flags |= entry;
    counts[entry >> laneShift]!++;
  }
  if ((flags & (sameKey | deletedKey)) !== 0) return undefined;
  ends.set(entries, { row: to, start: end, skipped: counts.map((count, lane) => count + skipped[lane]!) });
  const spans = lanes.map((lane, at) => setSpans(lane, piece.from[at]! + skipped[at]!, counts[at]!));
  return { entries: entries.subarray(start, end), lanes: spans };
}

/** The rows of lanes that make rows `from … to` of `piece`, counted from `from`. */
export function placeRows(
  entries: MergeEntries,
  lanes: readonly Lane[],
  piece: MergePiece,
  from: number,
  to: number,
): PlacedRows[] {
  const { start, skipped } = findRow(entries, lanes.length, from);
  const targets = lanes.map((_, lane) => new Int32Array(piece.to[lane]! - piece.from[lane]! - skipped[lane]!));
  const counts = new Int32Array(lanes.length);
  let row = from - 1;
  let target = -1;
  let at = start;
  for (; at < entries.length; at++) {
    const entry = entries[at]!;
    if ((entry & sameKey) === 0) {
      if ((entry & deletedKey) !== 0) target = -1;
      else {
        if (++row === to) break;
        target = row - from;
      }
    }
    const lane = entry >> laneShift;
    targets[lane]![counts[lane]!++] = target;
  }
  if (row === to) ends.set(entries, { row, start: at, skipped: counts.map((count, lane) => count + skipped[lane]!) });
  return lanes.flatMap((lane, number) => {
    const begin = piece.from[number]! + skipped[number]!;
    return inSets(lane, begin, targets[number]!.subarray(0, counts[number]));
  });
}

/** The same rows of sets, of rows `from … to` only those that are `picked` (ascending), numbered in that order. */
export function onlyPicked(placed: readonly PlacedRows[], picked: Int32Array, from: number, to: number): PlacedRows[] {
  const numbers = new Int32Array(to - from).fill(-1);
  for (let at = 0; at < picked.length; at++) numbers[picked[at]! - from] = at;
  return placed.map((rows) => ({
    ...rows,
    targets: rows.targets.map((target) => (target < 0 ? -1 : numbers[target]!)),
  }));
}

/** The entry at which row `row` begins, and how many rows of each lane lie before it. */
interface RowPlace {
  readonly row: number;
  readonly start: number;
  readonly skipped: Int32Array;
}

/** Where rows of a piece were last found to end: who reads a piece in turns goes on there. */
const ends = new WeakMap<MergeEntries, RowPlace>();

function findRow(entries: MergeEntries, lanes: number, row: number): RowPlace {
  const end = ends.get(entries);
  if (end?.row === row) return end;
  const skipped = new Int32Array(lanes);
  let start = 0;
  for (let left = row; start < entries.length; start++) {
    const entry = entries[start]!;
    if ((entry & (sameKey | deletedKey)) === 0 && left-- === 0) break;
    skipped[entry >> laneShift]!++;
  }
  return { row, start, skipped };
}

function inSets(lane: Lane, from: number, targets: Int32Array): PlacedRows[] {
  let at = 0;
  return setSpans(lane, from, targets.length).map((span) => {
    const own = targets.subarray(at, at + span.rows);
    at += span.rows;
    return { set: span.set, from: span.from, targets: own };
  });
}

/** `rows` rows of a lane from row `from` on, in its sets. */
function setSpans({ sets, starts }: Lane, from: number, rows: number): SetSpan[] {
  const spans: SetSpan[] = [];
  for (let at = from; at < from + rows; ) {
    const number = stretchAt(starts, at);
    const end = Math.min(from + rows, starts[number + 1]!);
    spans.push({ set: sets[number]!, from: at - starts[number]!, rows: end - at });
    at = end;
  }
  return spans;
}

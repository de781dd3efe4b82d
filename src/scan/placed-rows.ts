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
  for (let at = start; at < entries.length; at++) {
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
function findRow(entries: MergeEntries, lanes: number, row: number): { start: number; skipped: Int32Array } {
  const skipped = new Int32Array(lanes);
  let start = 0;
  for (let left = row; start < entries.length; start++) {
    const entry = entries[start]!;
    if ((entry & (sameKey | deletedKey)) === 0 && left-- === 0) break;
    skipped[entry >> laneShift]!++;
  }
  return { start, skipped };
}

function inSets({ sets, starts }: Lane, from: number, targets: Int32Array): PlacedRows[] {
  const placed: PlacedRows[] = [];
  for (let at = 0; at < targets.length; ) {
    const number = stretchAt(starts, from + at);
    const end = Math.min(targets.length, starts[number + 1]! - from);
    placed.push({ set: sets[number]!, from: from + at - starts[number]!, targets: targets.subarray(at, end) });
    at = end;
  }
  return placed;
}

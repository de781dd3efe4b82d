import { Heap } from '../core/heap.js';
import { compareKeys } from './key-compare.js';
import { firstOf, type KeyRun, type KeySet } from './key-run.js';

/** Sets whose keys do not cross, one behind the other: their rows are counted through, and ascend. */
export interface Lane {
  readonly sets: readonly KeySet[];
  /** The row at which each set begins, and the end. */
  readonly starts: Float64Array;
  /** How many tables are put together in its run. */
  readonly tables: number;
}

/**
 * The sets of `run` in as few lanes as their overlaps allow; those of one write, which seldom cross, in one lane where they
 * can be, so that a small write among many large ones has a lane of its own.
 */
export function lanesOf(run: KeyRun): Lane[] {
  const lanes: KeySet[][] = [];
  const byWrite = new Map<string, number>();
  const writeOf = ({ layers: [first] }: KeySet): string => `${first!.table} ${first!.fragment.version}`;
  const free = new Heap<{ readonly lane: number; readonly last: KeySet }>(
    (a, b) => compareKeys(firstOf(a.last).keyMax, firstOf(b.last).keyMax) < 0,
  );
  const takes = (lane: number | undefined, set: KeySet): lane is number =>
    lane !== undefined && compareKeys(firstOf(lanes[lane]!.at(-1)!).keyMax, firstOf(set).keyMin) < 0;
  for (const set of run.sets) {
    let lane = byWrite.get(writeOf(set));
    if (!takes(lane, set)) {
      // Lanes that were taken in between stand in the heap with a set that is no longer their last.
      while (free.size > 0 && lanes[free.first!.lane]!.at(-1) !== free.first!.last) free.pop();
      lane = free.first?.lane;
      if (takes(lane, set)) free.pop();
      else lane = lanes.push([]) - 1;
    }
    lanes[lane]!.push(set);
    byWrite.set(writeOf(set), lane);
    free.push({ lane, last: set });
  }
  const tables = run.sets.reduce((most, { layers }) => Math.max(most, layers.at(-1)!.table + 1), 1);
  return lanes.map((sets) => ({ sets, starts: startsOf(sets), tables }));
}

function startsOf(sets: readonly KeySet[]): Float64Array {
  const starts = new Float64Array(sets.length + 1);
  for (const [at, set] of sets.entries()) starts[at + 1] = starts[at]! + firstOf(set).rows;
  return starts;
}

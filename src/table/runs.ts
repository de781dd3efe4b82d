import { compareKeys } from './key-compare.js';
import type { FragmentRef } from './operation.js';
import type { Run } from './run-cursor.js';
import type { ColumnSet } from './sorted-rows.js';

/** `fragments`, whose rows follow one another, as runs; `numbers` are those of the first row. */
export function runsFrom(fragments: readonly FragmentRef[], set: ColumnSet, numbers: Run['numbers']): Run[] {
  let { from } = numbers;
  return fragments.map((fragment) => {
    const run = { fragment, set, numbers: { ...numbers, from } };
    from += fragment.rows;
    return run;
  });
}

/** `runs` in key order, those whose keys cross, directly or through others, together. */
export function clustersOf(runs: readonly Run[]): Run[][] {
  const sorted = [...runs].sort((a, b) => compareKeys(a.fragment.keyMin, b.fragment.keyMin));
  const clusters: Run[][] = [];
  let end: Uint8Array | undefined;
  for (const run of sorted) {
    const { keyMin, keyMax } = run.fragment;
    if (end !== undefined && compareKeys(keyMin, end) <= 0) clusters.at(-1)!.push(run);
    else clusters.push([run]);
    if (end === undefined || compareKeys(keyMax, end) > 0) end = keyMax;
  }
  return clusters;
}

/** The most of `runs` that a merge has open at once. */
export function depthOf(runs: readonly Run[]): number {
  const begins = runs.map(({ fragment }) => fragment.keyMin).sort(compareKeys);
  const ends = runs.map(({ fragment }) => fragment.keyMax).sort(compareKeys);
  let [deepest, ended] = [0, 0];
  for (const [begun, begin] of begins.entries()) {
    while (compareKeys(ends[ended]!, begin) < 0) ended++;
    deepest = Math.max(deepest, begun + 1 - ended);
  }
  return deepest;
}

/** The runs of the set of columns that has most. */
export function largestSet(runs: readonly Run[]): Run[] {
  const bySet = new Map<ColumnSet, Run[]>();
  for (const run of runs) {
    const own = bySet.get(run.set);
    if (own === undefined) bySet.set(run.set, [run]);
    else own.push(run);
  }
  return [...bySet.values()].reduce<Run[]>((most, own) => (own.length > most.length ? own : most), []);
}

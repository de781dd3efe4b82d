import { compareKeys } from './key-compare.js';
import type { Fragment } from './version.js';

/** A fragment in its place among all of a version: of two cells that of the higher order is the newer. */
export interface Layer {
  readonly fragment: Fragment;
  readonly order: number;
}

/** Fragments over the same keys, oldest first: row `i` of each is row `i` of the others. */
export interface KeySet {
  readonly layers: readonly Layer[];
}

/** Sets whose ranges of keys overlap, directly or through others, in the order of their first keys. Most runs are one set. */
export interface KeyRun {
  readonly sets: readonly KeySet[];
}

const runsOf = new WeakMap<readonly Fragment[], readonly KeyRun[]>();

/**
 * The runs that the fragments of a version make, in the order of their keys: no key of one lies within another. Found once
 * for each version.
 */
export function keyRuns(fragments: readonly Fragment[]): readonly KeyRun[] {
  let runs = runsOf.get(fragments);
  if (runs === undefined) {
    runs = findRuns(fragments);
    runsOf.set(fragments, runs);
  }
  return runs;
}

/** Whether the keys of `set` are there as far as it knows: deleted never, or not since they were last written. */
export function isThere({ layers }: KeySet): boolean {
  return !layers.at(-1)!.fragment.deletes;
}

/** The fragment that the rows of `set` are counted by: the oldest. */
export function firstOf(set: KeySet): Fragment {
  return set.layers[0]!.fragment;
}

function findRuns(fragments: readonly Fragment[]): KeyRun[] {
  // What compaction puts in the place of older fragments stays as old as they are.
  const byAge = fragments.every(({ version }, at) => at === 0 || fragments[at - 1]!.version <= version)
    ? fragments
    : [...fragments].sort((a, b) => a.version - b.version);
  const layers = byAge.map((fragment, order): Layer => ({ fragment, order }));
  layers.sort((a, b) => compareKeys(a.fragment.keyMin, b.fragment.keyMin));
  const runs: KeyRun[] = [];
  for (let from = 0; from < layers.length; ) {
    let { keyMax } = layers[from]!.fragment;
    let to = from + 1;
    for (; to < layers.length; to++) {
      const { fragment } = layers[to]!;
      if (compareKeys(keyMax, fragment.keyMin) < 0) break;
      if (compareKeys(keyMax, fragment.keyMax) < 0) ({ keyMax } = fragment);
    }
    const run = to - from === 1 ? { sets: [{ layers: [layers[from]!] }] } : { sets: keySets(layers.slice(from, to)) };
    // Keys that were deleted and not written since are nowhere.
    if (run.sets.some(isThere)) runs.push(run);
    from = to;
  }
  return runs;
}

/** `layers`, in the order of their first keys, by the keys they have. */
function keySets(layers: readonly Layer[]): KeySet[] {
  const sets = new Map<string, Layer[]>();
  for (const layer of layers) {
    const { rows, keyDigest } = layer.fragment;
    const digest = Buffer.from(keyDigest.buffer, keyDigest.byteOffset, keyDigest.byteLength).toString('latin1');
    const key = `${rows} ${digest}`;
    const set = sets.get(key);
    if (set === undefined) sets.set(key, [layer]);
    else set.push(layer);
  }
  return Array.from(sets.values(), (set) => ({ layers: set.sort((a, b) => a.order - b.order) }));
}

import { compareKeys } from './key-compare.js';
import type { Fragment } from './version.js';

/**
 * A fragment in its place among all that are read together: of two cells of one table that of the higher order is the
 * newer. Those of a table come behind those of all tables before it.
 */
export interface Layer {
  readonly fragment: Fragment;
  readonly order: number;
  /** The number of its table. A deletion concerns cells of its own table alone. */
  readonly table: number;
}

/** Fragments over the same keys, in the order of `order`: row `i` of each is row `i` of the others. */
export interface KeySet {
  readonly layers: readonly Layer[];
}

/**
 * Sets whose ranges of keys overlap, directly or through others, in the order of their first keys. Most runs are one set.
 * Where there are several, and deletions among them, each is of one table.
 */
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
    runs = joinedRuns([fragments]);
    runsOf.set(fragments, runs);
  }
  return runs;
}

/** Whether a table has the keys of `set` as far as that knows: deleted never, or not since they were last written. */
export function isThere({ layers }: KeySet): boolean {
  return layers.some(({ fragment, table }, at) => !fragment.deletes && layers[at + 1]?.table !== table);
}

/** The layers of `set` with cells that no deletion in there takes away, of each table the newest first. */
export function* standingLayers({ layers }: KeySet): Generator<Layer, void> {
  let deleted = -1;
  for (let at = layers.length - 1; at >= 0; at--) {
    const layer = layers[at]!;
    if (layer.table === deleted) continue;
    if (layer.fragment.deletes) deleted = layer.table;
    else yield layer;
  }
}

/** The fragment that the rows of `set` are counted by: the first. */
export function firstOf(set: KeySet): Fragment {
  return set.layers[0]!.fragment;
}

/** The runs that the fragments of several tables with one key schema make together, as {@link keyRuns}. */
export function joinedRuns(tables: readonly (readonly Fragment[])[]): KeyRun[] {
  const layers = tables
    .flatMap((fragments, table) => byAge(fragments).map((fragment) => ({ fragment, table })))
    // No spread: V8 gives each object that is made by one a shape of its own, twice as large as what it holds.
    .map(({ fragment, table }, order): Layer => ({ fragment, order, table }));
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
    const run = { sets: to - from === 1 ? [{ layers: [layers[from]!] }] : runSets(layers.slice(from, to)) };
    // Keys that were deleted and not written since are nowhere.
    if (run.sets.some(isThere)) runs.push(run);
    from = to;
  }
  return runs;
}

/** What compaction puts in the place of older fragments stays as old as they are. */
function byAge(fragments: readonly Fragment[]): readonly Fragment[] {
  if (fragments.every(({ version }, at) => at === 0 || fragments[at - 1]!.version <= version)) return fragments;
  return [...fragments].sort((a, b) => a.version - b.version);
}

/** The sets of a run. Where deletions have to be looked up key by key, a row of a set must not be there in one table alone. */
function runSets(layers: readonly Layer[]): KeySet[] {
  const sets = keySets(layers, false);
  if (sets.length === 1 || layers.every(({ table }) => table === layers[0]!.table)) return sets;
  return layers.some(({ fragment }) => fragment.deletes) ? keySets(layers, true) : sets;
}

/** `layers`, in the order of their first keys, by the keys they have and, where asked for, by their tables. */
function keySets(layers: readonly Layer[], byTable: boolean): KeySet[] {
  const sets = new Map<string, Layer[]>();
  for (const layer of layers) {
    const { rows, keyDigest } = layer.fragment;
    const table = byTable ? layer.table : '';
    const digest = Buffer.from(keyDigest.buffer, keyDigest.byteOffset, keyDigest.byteLength).toString('latin1');
    const key = `${table} ${rows} ${digest}`;
    const set = sets.get(key);
    if (set === undefined) sets.set(key, [layer]);
    else set.push(layer);
  }
  return Array.from(sets.values(), (set) => ({ layers: set.sort((a, b) => a.order - b.order) }));
}

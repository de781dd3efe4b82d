import type { DataType } from 'apache-arrow';
import { SpiralError } from '../core/errors.js';
import { compareKeys } from './key-compare.js';
import { keyText } from './key-values.js';
import type { FragmentRef } from './operation.js';

/** What tells which keys a fragment has. */
export type KeyRange = Pick<FragmentRef, 'rows' | 'keyMin' | 'keyMax' | 'keyDigest'>;

/** The fragments over one run of keys, oldest first: row `i` of each is row `i` of the others. */
export interface KeyRun<F extends KeyRange = KeyRange> {
  readonly fragments: readonly F[];
  readonly range: KeyRange;
}

/** The table that runs are of, for messages. */
export interface KeyedTable {
  readonly name: string;
  readonly keyTypes: readonly DataType[];
}

/**
 * The runs that `fragments`, oldest first, make, in the order of their keys.
 *
 * @throws SpiralError `overlapping_writes` where the keys of two runs cross.
 */
export function keyRuns<F extends KeyRange>(fragments: readonly F[], table: KeyedTable): KeyRun<F>[] {
  const stacks = new Map<string, F[]>();
  for (const fragment of fragments) {
    const key = `${fragment.rows} ${Buffer.from(fragment.keyDigest).toString('hex')}`;
    const stack = stacks.get(key);
    if (stack === undefined) stacks.set(key, [fragment]);
    else stack.push(fragment);
  }
  const runs = Array.from(stacks.values(), (stack): KeyRun<F> => ({ fragments: stack, range: stack[0]! }));
  runs.sort((a, b) => compareKeys(a.range.keyMin, b.range.keyMin));
  for (let at = 1; at < runs.length; at++) {
    const [before, after] = [runs[at - 1]!.range, runs[at]!.range];
    if (compareKeys(before.keyMax, after.keyMin) >= 0) throw crossing(table, before, after.keyMin, after.keyMax);
  }
  return runs;
}

/** The number of the first of `ranges`, in key order, whose keys do not all lie below `key`; their count where all do. */
export function rangeAt(ranges: readonly KeyRange[], key: Uint8Array): number {
  let from = 0;
  let to = ranges.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (compareKeys(ranges[middle]!.keyMax, key) < 0) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** Those of `fragments` that have keys in `keyMin … keyMax` and do not cross one another, in key order. */
export function rangesIn(
  fragments: readonly KeyRange[],
  { keyMin, keyMax }: Pick<KeyRange, 'keyMin' | 'keyMax'>,
): KeyRange[] {
  const met = fragments.filter(
    (range) => compareKeys(range.keyMin, keyMax) <= 0 && compareKeys(range.keyMax, keyMin) >= 0,
  );
  met.sort((a, b) => compareKeys(a.keyMin, b.keyMin));
  const ranges: KeyRange[] = [];
  for (const range of met) {
    const before = ranges.at(-1);
    if (before === undefined || compareKeys(before.keyMax, range.keyMin) < 0) ranges.push(range);
  }
  return ranges;
}

/** The error for keys `from … to`, some of them inside `run` and not just those of it. */
function crossing(table: KeyedTable, run: KeyRange, from: Uint8Array, to: Uint8Array): SpiralError {
  const [low, high, first, last] = [run.keyMin, run.keyMax, from, to].map((key) => keyText(key, table.keyTypes));
  return new SpiralError(
    'overlapping_writes',
    `Expected every write to ${table.name} to have a range of keys of its own, or just the keys of an earlier one, but ` +
      `keys from ${first} to ${last} cross the ${run.rows} rows from ${low} to ${high}. Write rows behind or before ` +
      'these, or all of them again.',
    { details: { table: table.name, there: [low, high], written: [first, last] } },
  );
}

import { compareKeys } from './key-compare.js';
import type { FragmentRef } from './operation.js';

/** What tells which keys a fragment has. */
export type KeyRange = Pick<FragmentRef, 'rows' | 'keyMin' | 'keyMax' | 'keyDigest'>;

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

/** Those of `fragments` that may have keys in `keyMin … keyMax`: of several with the very same keys one. */
export function rangesIn(
  fragments: readonly KeyRange[],
  { keyMin, keyMax }: Pick<KeyRange, 'keyMin' | 'keyMax'>,
): KeyRange[] {
  const ranges = new Map<string, KeyRange>();
  for (const range of fragments) {
    if (compareKeys(range.keyMin, keyMax) > 0 || compareKeys(range.keyMax, keyMin) < 0) continue;
    const { rows, keyDigest } = range;
    const digest = Buffer.from(keyDigest.buffer, keyDigest.byteOffset, keyDigest.byteLength).toString('latin1');
    ranges.set(`${rows} ${digest}`, range);
  }
  return [...ranges.values()];
}

/** `ranges` in key order; of those that overlap only the ones with more rows. */
export function rangesApart(ranges: readonly KeyRange[]): KeyRange[] {
  const kept: KeyRange[] = [];
  for (const range of [...ranges].sort((a, b) => b.rows - a.rows)) {
    const at = rangeAt(kept, range.keyMin);
    const next = kept[at];
    if (next === undefined || compareKeys(range.keyMax, next.keyMin) < 0) kept.splice(at, 0, range);
  }
  return kept;
}

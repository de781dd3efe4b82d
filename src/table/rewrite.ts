import type { CompactOperation, FragmentId } from './operation.js';
import { placedFragment } from './placed-fragment.js';
import type { Fragment } from './version.js';

/** `fragment` as a key of maps. */
export function fragmentKey({ commit, ordinal }: FragmentId): string {
  return `${commit}.${ordinal}`;
}

/** A fragment that `operation` replaces and that is not, or not any more, among `fragments`; undefined where all are. */
export function conflictingRewrite(
  operation: CompactOperation,
  fragments: readonly Fragment[],
): FragmentId | undefined {
  const there = new Set(fragments.map(fragmentKey));
  for (const { replaced } of operation.rewrites) {
    const gone = replaced.find((id) => !there.delete(fragmentKey(id)));
    if (gone !== undefined) return gone;
  }
  return undefined;
}

/**
 * `fragments`, oldest first, after the compaction `operation` of version `commit`; new ones are numbered from `ordinal` on.
 * Cells keep their age: what takes the place of fragments is as new as the newest of them, so that a write that came in
 * beside the compaction stays newer. Undefined where the operation names fragments or columns that are not there.
 */
export function rewriteFragments(
  fragments: readonly Fragment[],
  operation: CompactOperation,
  nextColumnId: number,
  commit: number,
  ordinal: number,
): { fragments: Fragment[]; ordinal: number } | undefined {
  if (operation.columns.some((id) => id >= nextColumnId)) return undefined;
  const places = new Map(fragments.map((fragment, at) => [fragmentKey(fragment), at]));
  const replaced = new Set<number>();
  const put = new Map<number, Fragment[]>();
  for (const rewrite of operation.rewrites) {
    let [version, place] = [0, 0];
    for (const id of rewrite.replaced) {
      const at = places.get(fragmentKey(id));
      if (at === undefined || replaced.has(at)) return undefined;
      replaced.add(at);
      version = Math.max(version, fragments[at]!.version);
      place = Math.max(place, at);
    }
    put.set(
      place,
      rewrite.fragments.map((fragment) =>
        placedFragment(fragment, operation.columns, version, { commit, ordinal: ordinal++ }),
      ),
    );
  }
  const rewritten = fragments.flatMap((fragment, at) => put.get(at) ?? (replaced.has(at) ? [] : [fragment]));
  return { fragments: rewritten, ordinal };
}

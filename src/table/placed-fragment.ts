import type { FragmentId, FragmentRef } from './operation.js';
import type { Fragment } from './version.js';

/** `fragment` of an operation over the columns numbered `ids`, with cells of `version`. */
export function placedFragment(
  fragment: FragmentRef,
  ids: readonly number[],
  version: number,
  id: FragmentId,
): Fragment {
  const files = fragment.files.map((file) => ({ ...file, columns: file.columns.map((index) => ids[index]!) }));
  return { ...fragment, ...id, version, files };
}

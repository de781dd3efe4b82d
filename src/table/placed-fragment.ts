import type { DeleteOperation, FragmentId, FragmentRef, WriteOperation } from './operation.js';
import type { Fragment } from './version.js';

/** The fragments of an operation of version `version`, the first of them number `ordinal` of all of that commit. */
export function placedFragments(
  operation: WriteOperation | DeleteOperation,
  version: number,
  ordinal: number,
): Fragment[] {
  const ids = operation.columns.map(({ id }) => id);
  return operation.fragments.map((fragment, at) => ({
    ...placedFragment(fragment, ids, version, { commit: version, ordinal: ordinal + at }),
    deletes: operation.kind === 'delete',
  }));
}

/** `fragment` of an operation over the columns numbered `ids`, with cells of `version`. */
export function placedFragment(
  fragment: FragmentRef,
  ids: readonly number[],
  version: number,
  id: FragmentId,
): Fragment {
  const files = fragment.files.map((file) => ({ ...file, columns: file.columns.map((index) => ids[index]!) }));
  return { ...fragment, ...id, version, deletes: false, files };
}

import { SpiralError, shown } from '../core/errors.js';
import { listHeldMax } from '../core/limits.js';
import { comparePaths } from './object-path.js';

/** An object of a list that may come in another order than that of bytes, or a mark that a folder begins. */
export interface ListedPath {
  readonly path: string;
  readonly isFolder: boolean;
}

/**
 * The objects of `list` in the order of their paths' UTF-8 bytes. Some stores list by UTF-16 units, which is another order
 * for signs beyond U+FFFF alone; some folder by folder, with a mark for each, so that `a/x` comes before `a-b`. From the
 * first such sign or mark on all is held, and sorted at the end; nothing before it can be out of order.
 *
 * @throws SpiralError `limit_exceeded` for more than are held.
 */
export async function* inByteOrder<T extends ListedPath>(list: AsyncIterable<T>, where: string): AsyncGenerator<T> {
  const held: T[] = [];
  let holds = false;
  for await (const found of list) {
    holds ||= found.isFolder || /\p{Surrogate}|[\u{10000}-\u{10ffff}]/u.test(found.path);
    if (found.isFolder) continue;
    if (!holds) yield found;
    else if (held.push(found) > listHeldMax) throw tooMany(where);
  }
  yield* held.sort((a, b) => comparePaths(a.path, b.path));
}

function tooMany(where: string): SpiralError {
  return new SpiralError(
    'limit_exceeded',
    `Expected at most ${listHeldMax} objects in ${shown(where)}, whose store lists them in an order of its own. Use an account ` +
      'without a hierarchical namespace, or fewer objects in one folder.',
    { details: { uri: where, max: listHeldMax } },
  );
}

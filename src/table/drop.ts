import { SpiralError, shown } from '../core/errors.js';
import { columnTree, nodeAt } from './column.js';
import type { DropOperation } from './operation.js';
import type { TableVersion } from './version.js';

/**
 * The operation that drops the columns at `paths`, dotted; undefined where there are none.
 *
 * @throws SpiralError `unknown_column` if any is not there, `invalid_argument` for a key column, a struct, or what is no
 * list of paths.
 */
export function dropOperation(version: TableVersion, name: string, paths: unknown): DropOperation | undefined {
  if (!Array.isArray(paths) || !paths.every((path) => typeof path === 'string')) {
    throw new SpiralError(
      'invalid_argument',
      `Expected an array of column paths, got ${shown(paths)}. Pass ['a', 'meta.size'].`,
      { details: { table: name } },
    );
  }
  const tree = columnTree(version.columns);
  const columns = [...new Set(paths)].map((path) => {
    const node = nodeAt(tree, path.split('.'), name);
    if (!('column' in node) || version.keys.includes(node.column)) {
      throw new SpiralError(
        'invalid_argument',
        `Expected a column of ${name} that is no key and no struct, got '${path}'.`,
        { details: { table: name, column: path } },
      );
    }
    return { path: node.column.path, id: node.column.id };
  });
  return columns.length === 0 ? undefined : { kind: 'drop', columns };
}

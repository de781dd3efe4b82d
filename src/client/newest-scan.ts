import { SpiralError } from '../core/errors.js';
import type { ExprNode } from '../expr/node.js';
import { isFileSetId } from '../scan/file-set.js';
import { fileRecipe, scanRecipe, tablesIn } from '../scan/recipe.js';
import { Scan } from './scan.js';
import type { Warehouse } from './warehouse.js';

/**
 * A scan of the tables in `projection` and `where`, each at its newest version or the last one at or before `asof`
 * (microseconds since the epoch), or of files.
 *
 * @throws SpiralError `invalid_expression`, `unknown_column`, `type_mismatch`, `unknown_table`, `version_not_found`; `corrupt_file`
 * where keys have to be merged and a file of them is damaged.
 */
export async function newestScan(
  warehouse: Warehouse,
  projection: ExprNode,
  options: {
    readonly where?: ExprNode | undefined;
    readonly asof?: number | undefined;
    readonly udfWorkers?: number | undefined;
  } = {},
): Promise<Scan> {
  const { where, asof, udfWorkers = 0 } = options;
  const tables = tablesIn(projection, where);
  const [tableId] = tables as [string];
  if (isFileSetId(tableId)) {
    if (asof === undefined) {
      const recipe = fileRecipe(await warehouse.fileSet(tableId), projection, where);
      return new Scan(await warehouse.openScan(recipe, udfWorkers), warehouse.scanLimits);
    }
    throw new SpiralError(
      'invalid_argument',
      'Expected no `asof` for a scan of files, which have no history. Leave it out.',
    );
  }
  const pinned = await Promise.all(
    tables.map(async (id) => {
      const table = await warehouse.openTable(id);
      const { version } = asof === undefined ? await table.latest() : await table.asof(asof);
      return { table: id, version };
    }),
  );
  const scan = await warehouse.openScan(scanRecipe(pinned, projection, where), udfWorkers);
  return new Scan(scan, warehouse.scanLimits);
}

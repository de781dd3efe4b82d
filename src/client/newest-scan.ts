import { SpiralError } from '../core/errors.js';
import type { ExprNode } from '../expr/node.js';
import { isFileSetId } from '../scan/file-set.js';
import { fileRecipe, onlyTable, scanRecipe } from '../scan/recipe.js';
import { Scan } from './scan.js';
import type { Warehouse } from './warehouse.js';

/**
 * A scan of the one table in `projection`, at its newest version or the last one at or before `asof` (microseconds since
 * the epoch).
 *
 * @throws SpiralError `invalid_expression`, `unknown_column`, `unknown_table`, `version_not_found`; `corrupt_file`
 * where keys have to be merged and a file of them is damaged.
 */
export async function newestScan(warehouse: Warehouse, projection: ExprNode, asof?: number): Promise<Scan> {
  const tableId = onlyTable(projection);
  const readahead = warehouse.settings['limits.batch_readahead'];
  if (isFileSetId(tableId)) {
    if (asof === undefined) {
      return new Scan(await warehouse.openScan(fileRecipe(await warehouse.fileSet(tableId), projection)), readahead);
    }
    throw new SpiralError(
      'invalid_argument',
      'Expected no `asof` for a scan of files, which have no history. Leave it out.',
    );
  }
  const table = await warehouse.openTable(tableId);
  const { version } = asof === undefined ? await table.latest() : await table.asof(asof);
  const scan = await warehouse.openScan(scanRecipe(tableId, version, projection));
  return new Scan(scan, readahead);
}

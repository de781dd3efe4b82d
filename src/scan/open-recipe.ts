import { type FileEnvironment, openFileScan } from './file-scan.js';
import { type OpenScan, openScan, type ScanEnvironment } from './open-scan.js';
import { isFileRecipe, type ScanRecipe } from './recipe.js';

/** Opens a scan of a table or of files. @throws SpiralError as `openScan` and `openFileScan`. */
export function openRecipe(recipe: ScanRecipe, environment: ScanEnvironment & FileEnvironment): Promise<OpenScan> {
  return isFileRecipe(recipe) ? openFileScan(recipe, environment) : openScan(recipe, environment);
}

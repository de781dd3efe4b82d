import { createHash } from 'node:crypto';
import { SpiralError, shown } from '../core/errors.js';
import { type ExprNode, tablesOf } from '../expr/node.js';

/**
 * A scan as plain JSON: any thread or machine that reaches the warehouse can open it again and reads the same rows. It
 * pins the table's version and holds neither credentials nor a position (law 24).
 */
export interface ScanRecipe {
  readonly format: 1;
  readonly table: string;
  readonly version: number;
  readonly projection: ExprNode;
}

/** The newest recipe format that this version reads and writes. */
const recipeFormat = 1;

/** The recipe of a scan of one table at one version. */
export function scanRecipe(table: string, version: number, projection: ExprNode): ScanRecipe {
  return { format: recipeFormat, table, version, projection };
}

/**
 * The recipe that `json` holds.
 *
 * @throws SpiralError `invalid_state` for anything that `stateJson()` did not write.
 */
export function parseRecipe(json: string): ScanRecipe {
  let raw: ScanRecipe;
  try {
    raw = JSON.parse(json) as ScanRecipe;
  } catch (cause) {
    throw new SpiralError('invalid_state', `Expected the JSON of a scan, got ${shown(json)}.`, { cause });
  }
  const whole =
    typeof raw === 'object' && raw !== null && typeof raw.table === 'string' && raw.projection !== undefined;
  if (!whole || !Number.isSafeInteger(raw.version)) {
    throw new SpiralError('invalid_state', `Expected the JSON that \`stateJson()\` gave, got ${shown(json)}.`);
  }
  if (raw.format > recipeFormat) {
    throw new SpiralError(
      'state_version',
      `Expected a scan of format ${recipeFormat}, got format ${raw.format}. It was written by a newer spiral-loader.`,
      { details: { expected: recipeFormat, found: raw.format } },
    );
  }
  return raw;
}

/**
 * The one table of `projection`.
 *
 * @throws SpiralError `invalid_expression` for none or more than one.
 */
export function onlyTable(projection: ExprNode): string {
  const tables = [...tablesOf(projection)];
  if (tables.length === 1) return tables[0]!;
  throw new SpiralError(
    'invalid_expression',
    `Expected projections over one table, got ${tables.length === 0 ? 'none' : tables.join(', ')}.`,
    { details: { tables } },
  );
}

/** What names the scan in a loader's state, field by field. */
export function recipeIdentity(recipe: ScanRecipe): Record<string, string | number | null> {
  const text = JSON.stringify(recipe.projection);
  const projection = createHash('sha256').update(text).digest('hex').slice(0, 16);
  return { table: recipe.table, version: recipe.version, projection };
}

import { createHash } from 'node:crypto';
import { SpiralError, shown } from '../core/errors.js';
import { type ExprNode, partsOf, tablesOf } from '../expr/node.js';
import { parseNode } from '../expr/parse-node.js';
import { type FileSet, fileSetId, fileSetIdentity, parseFileSet } from './file-set.js';
import type { ScanQuery } from './query-plan.js';

/**
 * A scan as plain JSON: any thread or machine that reaches the warehouse can open it again and reads the same rows. It
 * pins the table's version and holds neither credentials nor a position (law 24).
 */
export interface ScanRecipe extends ScanQuery {
  /** 1 where columns are only picked, as releases without filters and functions read it, else 2. */
  readonly format: 1 | 2;
  readonly table: string;
  readonly version: number;
  /** Of a scan of files, which `table` is the id of then, and `version` 1. */
  readonly files?: FileSet;
}

/** Whether a scan of `recipe` loads modules of the user's. */
export function loadsModules({ projection, where }: ScanRecipe): boolean {
  const loads = (node: ExprNode): boolean => (node.kind === 'call' && node.fn === 'udf') || partsOf(node).some(loads);
  return loads(projection) || (where !== undefined && loads(where));
}

/** The recipe of a scan of files. */
export type FileRecipe = ScanRecipe & { readonly files: FileSet };

/** Whether `recipe` is one of files. */
export function isFileRecipe(recipe: ScanRecipe): recipe is FileRecipe {
  return recipe.files !== undefined;
}

/** The newest recipe format that this version reads and writes. */
const recipeFormat = 2;

/** The recipe of a scan of one table at one version. */
export function scanRecipe(table: string, version: number, projection: ExprNode, where?: ExprNode): ScanRecipe {
  const format = where === undefined && onlyPicks(projection) ? 1 : recipeFormat;
  return { format, table, version, projection, ...(where === undefined ? {} : { where }) };
}

/** Whether `node` computes nothing. */
function onlyPicks(node: ExprNode): boolean {
  const { kind } = node;
  return kind !== 'aux' && kind !== 'literal' && kind !== 'call' && partsOf(node).every(onlyPicks);
}

/** The recipe of a scan of files. */
export function fileRecipe(files: FileSet, projection: ExprNode, where?: ExprNode): FileRecipe {
  return { ...scanRecipe(fileSetId(files), 1, projection, where), files };
}

/**
 * The recipe that `json` holds.
 *
 * @throws SpiralError `invalid_state` for anything that `stateJson()` did not write; `state_version` for a newer format.
 */
export function parseRecipe(json: string): ScanRecipe {
  const raw = parsed(json) as { [Key in keyof ScanRecipe]?: unknown } | null;
  if (typeof raw !== 'object' || raw === null || !isWhole(raw.format)) throw notRecipe(json);
  if (raw.format > recipeFormat) {
    throw new SpiralError(
      'state_version',
      `Expected a scan of format ${recipeFormat}, got format ${raw.format}. It was written by a newer spiral-loader: ` +
        'update this one.',
      { details: { expected: recipeFormat, found: raw.format } },
    );
  }
  const { table, version } = raw;
  if (typeof table !== 'string' || !isWhole(version)) throw notRecipe(json);
  try {
    const projection = parseNode(raw.projection);
    const where = raw.where === undefined ? undefined : parseNode(raw.where);
    if (onlyTable(projection, where) !== table) throw new Error('The projection is over another table.');
    if (raw.files === undefined) return scanRecipe(table, version, projection, where);
    const files = parseFileSet(raw.files);
    if (fileSetId(files) !== table) throw new Error('The files are others than the projection is over.');
    return fileRecipe(files, projection, where);
  } catch (cause) {
    throw notRecipe(json, cause);
  }
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw notRecipe(json, cause);
  }
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

function notRecipe(json: string, cause?: unknown): SpiralError {
  return new SpiralError('invalid_state', `Expected the JSON that a scan's \`stateJson()\` gave, got ${shown(json)}.`, {
    cause,
  });
}

/**
 * The one table that `projection` and `where` are over.
 *
 * @throws SpiralError `invalid_expression` for none or more than one.
 */
export function onlyTable(projection: ExprNode, where?: ExprNode): string {
  const tables = [...new Set([...tablesOf(projection), ...(where === undefined ? [] : tablesOf(where))])];
  if (tables.length === 1) return tables[0]!;
  throw new SpiralError(
    'invalid_expression',
    `Expected a projection and a filter over one table, got ${tables.length === 0 ? 'none' : tables.join(', ')}.`,
    { details: { tables } },
  );
}

/** What names the scan in a loader's state, field by field. */
export function recipeIdentity(recipe: ScanRecipe): Record<string, string | number | null> {
  // The id of files names their contents, which are a field of their own.
  const id = JSON.stringify(recipe.table);
  const digest = (node: ExprNode): string => {
    const text = JSON.stringify(node).replaceAll(id, isFileRecipe(recipe) ? '"files"' : id);
    return createHash('sha256').update(text).digest('hex').slice(0, 16);
  };
  const projection = digest(recipe.projection);
  const filter = recipe.where === undefined ? {} : { filter: digest(recipe.where) };
  if (isFileRecipe(recipe)) return { ...fileSetIdentity(recipe.files), projection, ...filter };
  return { table: recipe.table, version: recipe.version, projection, ...filter };
}

import { createHash } from 'node:crypto';
import { SpiralError, shown } from '../core/errors.js';
import { type ExprNode, partsOf, tablesOf } from '../expr/node.js';
import { parseNode } from '../expr/parse-node.js';
import { type FileSet, fileSetId, fileSetIdentity, isFileSetId, parseFileSet } from './file-set.js';
import type { ScanQuery } from './query-plan.js';

/**
 * A scan as plain JSON: any thread or machine that reaches the warehouse can open it again and reads the same rows. It
 * pins the versions of its tables and holds neither credentials nor a position (law 24).
 */
export interface ScanRecipe extends ScanQuery, PinnedTable {
  /** 3 of several tables; of one 1 where columns are only picked, as releases without filters and functions read it, else 2. */
  readonly format: 1 | 2 | 3;
  /** The tables that are joined to the first. */
  readonly joined?: readonly PinnedTable[];
  /** Of a scan of files, which `table` is the id of then, and `version` 1. */
  readonly files?: FileSet;
}

/** A table at the version that a scan reads. */
export interface PinnedTable {
  readonly table: string;
  readonly version: number;
}

/** The tables of `recipe`. */
export function pinnedTables({ table, version, joined = [] }: ScanRecipe): readonly PinnedTable[] {
  return [{ table, version }, ...joined];
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
const recipeFormat = 3;

/** The recipe of a scan of `tables`, at least one. */
export function scanRecipe(tables: readonly PinnedTable[], projection: ExprNode, where?: ExprNode): ScanRecipe {
  const [{ table, version }, ...joined] = tables as readonly [PinnedTable, ...PinnedTable[]];
  const query = { projection, ...(where === undefined ? {} : { where }) };
  if (joined.length > 0) return { format: recipeFormat, table, version, joined, ...query };
  return { format: where === undefined && onlyPicks(projection) ? 1 : 2, table, version, ...query };
}

/** Whether `node` computes nothing. */
function onlyPicks(node: ExprNode): boolean {
  const { kind } = node;
  return kind !== 'aux' && kind !== 'literal' && kind !== 'call' && partsOf(node).every(onlyPicks);
}

/** The recipe of a scan of files. */
export function fileRecipe(files: FileSet, projection: ExprNode, where?: ExprNode): FileRecipe {
  return { ...scanRecipe([{ table: fileSetId(files), version: 1 }], projection, where), files };
}

type Raw = { [Key in keyof ScanRecipe]?: unknown };

/**
 * The recipe that `json` holds.
 *
 * @throws SpiralError `invalid_state` for anything that `stateJson()` did not write; `state_version` for a newer format.
 */
export function parseRecipe(json: string): ScanRecipe {
  const raw = parsed(json) as Raw | null;
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
    const named = tablesIn(projection, where);
    if (raw.joined !== undefined) return joinedRecipe({ table, version }, raw, projection, where);
    if (named.some((id) => id !== table)) throw new Error('The projection is over another table.');
    if (raw.files === undefined) return scanRecipe([{ table, version }], projection, where);
    const files = parseFileSet(raw.files);
    if (fileSetId(files) !== table) throw new Error('The files are others than the projection is over.');
    return fileRecipe(files, projection, where);
  } catch (cause) {
    throw notRecipe(json, cause);
  }
}

function joinedRecipe(first: PinnedTable, raw: Raw, projection: ExprNode, where: ExprNode | undefined): ScanRecipe {
  if (raw.files !== undefined || !Array.isArray(raw.joined) || raw.joined.length === 0) {
    throw new Error('The joined tables are none.');
  }
  const tables = [first];
  for (const { table, version } of raw.joined as readonly { [Key in keyof PinnedTable]?: unknown }[]) {
    if (typeof table !== 'string' || !isWhole(version)) throw new Error('A joined table is none.');
    tables.push({ table, version });
  }
  const ids = new Set(tables.map(({ table }) => table));
  if (ids.size < tables.length) throw new Error('A table is joined twice.');
  if (tablesIn(projection, where).some((id) => !ids.has(id))) throw new Error('The projection is over another table.');
  return scanRecipe(tables, projection, where);
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
  const why = cause instanceof SpiralError ? ` ${cause.message}` : '';
  return new SpiralError(
    'invalid_state',
    `Expected the JSON that a scan's \`stateJson()\` gave, got ${shown(json)}.${why}`,
    { cause },
  );
}

/**
 * The tables that `projection` and `where` are over, at least one, in the order in which they name them first; or the one
 * set of files.
 *
 * @throws SpiralError `invalid_expression` for none, and for files beside anything else.
 */
export function tablesIn(projection: ExprNode, where?: ExprNode): string[] {
  const tables = [...new Set([...tablesOf(projection), ...(where === undefined ? [] : tablesOf(where))])];
  if (tables.length === 0) {
    throw new SpiralError(
      'invalid_expression',
      'Expected a projection and a filter over a table or over files, got none. Name a column of one.',
      { details: { tables } },
    );
  }
  if (tables.length === 1 || !tables.some(isFileSetId)) return tables;
  throw new SpiralError(
    'invalid_expression',
    `Expected a projection and a filter over tables, or over the files of one \`files()\`, got ${tables.join(' and ')}. ` +
      'Files have no key in common with others: write them to a table with one, and scan that.',
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
  // The first is `table` at `version`, the second `table2` at `version2`.
  const pinned = pinnedTables(recipe).flatMap(({ table, version }, at): [string, string | number][] => {
    const number = at === 0 ? '' : at + 1;
    return [
      [`table${number}`, table],
      [`version${number}`, version],
    ];
  });
  return { ...Object.fromEntries(pinned), projection, ...filter };
}

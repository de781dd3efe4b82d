import { isSpiralError, SpiralError } from '../core/errors.js';
import { effectsOf } from '../expr/bound.js';
import type { ExprNode } from '../expr/node.js';
import { nodeText } from '../expr/node-text.js';
import { isFileSetId } from '../scan/file-set.js';
import { openScan, type ScanEnvironment } from '../scan/open-scan.js';
import { planScan } from '../scan/plan.js';
import { type ScanRecipe, scanRecipe, tablesIn } from '../scan/recipe.js';
import { originOf } from '../scan/shard-origin.js';
import type { Shard } from '../sharding/shard.js';
import type { TableStore } from '../table/table-store.js';
import { isKept } from '../table/upkeep-log.js';
import type { TableVersion } from '../table/version.js';
import { countPieces } from './count-pieces.js';
import { type KeyPieces, keyShards } from './key-pieces.js';
import type { KeySpaceSync, SyncLog } from './sync-log.js';

/** What a key-space index is over: ranges of about `granularity` of the rows of one table for which `where` is true. */
export interface KeySpace {
  /** As it stands in messages. */
  readonly name: string;
  readonly table: string;
  readonly granularity: number;
  readonly projection: ExprNode;
  readonly where?: ExprNode | undefined;
}

/** How an index is synced. */
export interface SyncOptions {
  /** Whether the version was asked for: then it holds although a later one was synced before. */
  readonly chosen: boolean;
  readonly signal: AbortSignal | undefined;
}

/**
 * The one table that `projection` and `where` are over.
 *
 * @throws SpiralError `invalid_expression` for several, for files, and for none.
 */
export function keySpaceTable(projection: ExprNode, where: ExprNode | undefined): string {
  const [table, ...others] = tablesIn(projection, where) as [string, ...string[]];
  if (others.length === 0 && !isFileSetId(table)) return table;
  throw new SpiralError(
    'invalid_expression',
    others.length > 0
      ? `Expected the projections and the filter of an index to be over one table, got ${[table, ...others].join(' and ')}. Make ` +
          'an index for each.'
      : 'Expected the projections of an index to be over a table, got files. Write them to a table with a key, and index that.',
    { details: { tables: [table, ...others] } },
  );
}

/**
 * Checks what an index would be over, for `version` of its table.
 *
 * @throws SpiralError as `planScan`; `invalid_expression` for auxiliary columns, and for a filter that runs code or fetches.
 */
export function checkKeySpace({ name, projection, where }: KeySpace, table: string, version: TableVersion): void {
  const plan = planScan([{ name: table, version }], { projection, where });
  if (plan.aux.size > 0) {
    throw new SpiralError(
      'invalid_expression',
      `Expected the index '${name}' to read columns of ${table} alone, got the auxiliary columns ${[...plan.aux.keys()].join(', ')}, ` +
        'which only a key table has. Leave them out.',
      { details: { index: name, table, aux: [...plan.aux.keys()] } },
    );
  }
  const effect = plan.where === undefined ? undefined : effectsOf(plan.where)[0];
  if (effect === undefined) return;
  throw new SpiralError(
    'invalid_expression',
    `Expected the filter of the index '${name}' to follow from the columns of ${table}, got ${nodeText(effect.node)}, which may leave ` +
      'other rows each time. Write what it gives to a column first, and filter by that.',
    { details: { index: name, table, expression: nodeText(effect.node) } },
  );
}

/** A scan of the rows of `index` at `version`. */
export function keySpaceRecipe({ table, projection, where }: KeySpace, version: number): ScanRecipe {
  return scanRecipe([{ table, version }], projection, where);
}

/**
 * Makes the ranges of `index` those of `version` of its table, and gives the sync that holds then: that of another where it
 * was first, or synced a later version. Of what is as it was in the last sync nothing is read again, and nothing at all
 * where that was of this version.
 *
 * @throws SpiralError `limit_exceeded`; `unknown_column` and `type_mismatch` where the table has other columns by now; as
 * reading a scan, and as `Log.commit`. The last sync then holds.
 */
export async function syncKeySpace(
  index: KeySpace,
  log: SyncLog,
  { version, time }: Pick<TableVersion, 'version' | 'time'>,
  environment: ScanEnvironment,
  { chosen, signal }: SyncOptions,
): Promise<KeySpaceSync> {
  const last = await log.newest();
  const known = last === undefined ? undefined : await knownPieces(index, log, last, signal);
  if (known !== undefined && last!.version === version) return last!;
  const scan = await openScan(keySpaceRecipe(index, version), environment);
  const { pieces } = await countPieces(scan, index.granularity, known, signal);
  const supersedes = (newest: KeySpaceSync): boolean => {
    if (known === undefined && newest.sync === last?.sync) return true;
    return newest.version !== version && (chosen || newest.version < version);
  };
  return log.add(pieces, { version, asof: time }, supersedes, signal);
}

/** The pieces of `sync`; undefined where they are damaged, as they can be counted again. */
async function knownPieces(
  { granularity }: KeySpace,
  log: SyncLog,
  sync: KeySpaceSync,
  signal: AbortSignal | undefined,
): Promise<KeyPieces | undefined> {
  try {
    return await log.read(sync, granularity, signal);
  } catch (error) {
    if (isSpiralError(error, 'corrupt_log', 'not_found')) return undefined;
    throw error;
  }
}

/**
 * The ranges of `index` as of `sync`, for scans of that version under its filter.
 *
 * @throws SpiralError `version_vacuumed`; as `SyncLog.read`.
 */
export async function keySpaceShards(
  index: KeySpace,
  log: SyncLog,
  sync: KeySpaceSync,
  table: TableStore,
  signal?: AbortSignal,
): Promise<Shard[]> {
  const upkeep = await table.upkeep.now();
  if (!isKept(upkeep, sync.version)) {
    throw new SpiralError(
      'version_vacuumed',
      `Expected version ${sync.version} of ${table.name}, which the index '${index.name}' was synced at (asof ${sync.asof}), but vacuum ` +
        `has removed it and kept versions from ${upkeep.floor} on. Sync the index again; to keep the version of one, tag it: ` +
        '`table.tag(name, index.asof)`.',
      {
        details: { index: index.name, table: table.name, version: sync.version, asof: sync.asof, floor: upkeep.floor },
      },
    );
  }
  const pieces = await log.read(sync, index.granularity, signal);
  return keyShards(pieces, originOf(keySpaceRecipe(index, sync.version)));
}

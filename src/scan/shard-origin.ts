import { createHash } from 'node:crypto';
import { SpiralError } from '../core/errors.js';
import type { Shard, ShardOrigin } from '../sharding/shard.js';
import type { ScanRecipe } from './recipe.js';

/** What shards that are counted in a scan of `recipe`, of one table, are of. */
export function originOf({ table, version, where }: ScanRecipe): ShardOrigin {
  const filter = where === undefined ? null : createHash('sha256').update(JSON.stringify(where)).digest('hex');
  return { table, version, filter };
}

/**
 * @param name names what the scan is of, for messages.
 * @throws SpiralError `invalid_shards` for shards that are known to be of another table, version or filter than `recipe`.
 */
export function checkOrigins(recipe: ScanRecipe, name: string, shards: readonly Shard[]): void {
  if (shards.every(({ origin }) => origin === undefined)) return;
  const own = originOf(recipe);
  const several = recipe.joined !== undefined;
  for (const [at, { origin }] of shards.entries()) {
    if (origin === undefined) continue;
    const { table, version, filter } = origin;
    if (!several && table === own.table && version === own.version && filter === own.filter) continue;
    const why =
      several || table !== own.table
        ? `is of the table ${table} alone. Scan that table`
        : version !== own.version
          ? `is of version ${version}. Scan with \`{ asof: index.asof }\`, or sync the index`
          : 'was counted under another filter. Scan with the filter of its index, or take `computeShards` with this one';
    throw new SpiralError(
      'invalid_shards',
      `Expected shards of ${name} at version ${own.version}, as it is scanned, but shard ${at} ${why}.`,
      { details: { shard: at, expected: own, found: origin } },
    );
  }
}

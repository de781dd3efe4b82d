import { SpiralError } from '../core/errors.js';
import type { OpenedSource } from './elastic.js';
import type { LoaderSettings } from './options.js';
import type { LoaderSource } from './source.js';
import { checkStateSource, type LoaderState } from './state.js';

/**
 * Opens `source` for a loader with `settings`, resumed from `state` where there is one.
 *
 * @throws SpiralError `state_mismatch` for another source than the state's, `invalid_shards`, `no_rows` and
 * `batch_too_large` for what it cannot give, `unsupported` for an `uneven` that needs row counts which a filter hides.
 */
export async function openLoaderSource(
  source: LoaderSource,
  settings: LoaderSettings,
  state: LoaderState | undefined,
): Promise<OpenedSource> {
  if (state !== undefined) checkStateSource(state, source.identity);
  const open = await source.openSource({ verify: settings.verify });
  if (state !== undefined) checkStateSource(state, { ...source.identity, ...open.identity });
  if (open.inEpoch !== undefined) checkUnordered(settings);
  const { shards = open.shards, batchSize, batchSizeChosen, uneven, world } = settings;
  if (shards !== open.shards) open.checkShards(shards);
  const rows = shards.reduce((sum, shard) => sum + shard.physicalRows, 0);
  if (rows === 0) {
    throw new SpiralError('no_rows', 'Expected rows to load, found none: the scan is empty. Write rows first.', {
      details: { source: source.identity },
    });
  }
  // A state's own batch size was good for the loader that it is of: only one that is chosen anew is judged.
  const known = !open.filtered && open.inEpoch === undefined;
  if (batchSizeChosen && batchSize !== state?.batchSize && known && batchSize > rows) {
    throw new SpiralError(
      'batch_too_large',
      `Expected \`batchSize\` to be at most ${rows}, the rows there are, got ${batchSize}.`,
      { details: { batchSize, rows } },
    );
  }
  if (open.filtered && uneven !== 'keep' && world.worldSize > 1) {
    throw new SpiralError(
      'unsupported',
      `Expected \`uneven: 'keep'\`, as a filter hides where the rows are that ranks would be evened out by, got '${uneven}'. ` +
        'Write the filtered rows to a table of their own and load that, or keep ranks uneven, take shards of like sizes ' +
        'from `computeShards`, and stop every rank after the same number of batches, which `plan()` then tells.',
      { details: { uneven } },
    );
  }
  const filled = shards.filter((shard) => shard.physicalRows > 0).length;
  if (uneven === 'drop' && filled < world.worldSize) {
    throw new SpiralError(
      'no_rows',
      `Expected a shard with rows for each of ${world.worldSize} ranks, as \`uneven: 'drop'\` cuts all to the smallest, ` +
        `found ${filled}: every rank's epoch would be empty. Use \`uneven: 'split'\`, or fewer ranks.`,
      { details: { shards: filled, worldSize: world.worldSize } },
    );
  }
  return { source: open, shards };
}

/** Refuses what would order the rows of a source that does so itself. */
function checkUnordered({
  shards,
  shuffleBufferSize,
  interleaveShards,
  shuffleChunkRows,
  uneven,
}: LoaderSettings): void {
  const given = { shards, shuffleBufferSize, interleaveShards, shuffleChunkRows, uneven };
  const plain = {
    shards: undefined,
    shuffleBufferSize: 0,
    interleaveShards: 1,
    shuffleChunkRows: undefined,
    uneven: 'keep',
  };
  const name = (Object.keys(plain) as (keyof typeof plain)[]).find((option) => given[option] !== plain[option]);
  if (name === undefined) return;
  throw new SpiralError(
    'invalid_argument',
    `Expected no \`${name}\` for a loader of this source, which orders its samples itself. Say it where the source is made: ` +
      '`shuffle`, `shuffleSeed`, `shuffleBlockSize`, `uneven`.',
    { details: { option: name } },
  );
}

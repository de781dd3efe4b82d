import fc from 'fast-check';
import { SpiralDataLoader } from '../../src/loader/data-loader.js';
import type { DataLoaderOptions } from '../../src/loader/options.js';
import type { LoaderState } from '../../src/loader/state.js';
import { World } from '../../src/sharding/world.js';
import { MemorySource, type MemorySourceSettings, samplesOf } from './memory-source.js';

/** Shards of 0 to 50 rows, in batches of 1 to 20. */
export const arbRows: fc.Arbitrary<MemorySourceSettings> = fc.record({
  shards: fc
    .array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 7 })
    .filter((shards) => shards.some((rows) => rows > 0)),
  batchRows: fc.integer({ min: 1, max: 20 }),
});

/** The same, some of them under a filter. */
export const arbFiltered: fc.Arbitrary<MemorySourceSettings> = fc
  .tuple(arbRows, fc.option(fc.integer({ min: 2, max: 5 }), { nil: undefined }))
  .map(([settings, modulus]) =>
    modulus === undefined ? settings : { ...settings, keep: (shard, row) => (shard + row) % modulus !== 0 },
  );

/** Ways to shuffle. */
export const arbShuffle: fc.Arbitrary<DataLoaderOptions> = fc
  .record({
    seed: fc.integer(),
    epoch: fc.nat(3),
    shuffleShards: fc.boolean(),
    shuffleBufferSize: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 60 })),
    interleaveShards: fc.integer({ min: 1, max: 4 }),
    shuffleChunkRows: fc.option(fc.integer({ min: 1, max: 20 }), { nil: undefined }),
    batchSize: fc.integer({ min: 1, max: 12 }),
  })
  .map(({ shuffleChunkRows, ...options }) =>
    shuffleChunkRows === undefined ? options : { ...options, shuffleChunkRows },
  );

export const rowsOf = ({ shards }: MemorySourceSettings): number => shards.reduce((sum, rows) => sum + rows, 0);

/** A loader over a fresh source, with a batch size that the rows allow. */
export function loaderOf(settings: MemorySourceSettings, options: DataLoaderOptions): SpiralDataLoader {
  const batchSize = Math.min(options.batchSize ?? 32, rowsOf(settings));
  return new SpiralDataLoader(new MemorySource(settings), { ...options, batchSize });
}

/** A loader of each rank. */
export function ranksOf(
  settings: MemorySourceSettings,
  options: DataLoaderOptions,
  worldSize: number,
): SpiralDataLoader[] {
  return Array.from({ length: worldSize }, (_, rank) =>
    loaderOf(settings, { ...options, world: new World({ rank, worldSize }) }),
  );
}

/** Every row that the filter lets through. */
export function survivors({ shards, keep }: MemorySourceSettings): string[] {
  return shards.flatMap((rows, shard) =>
    Array.from({ length: rows }, (_, row) => row)
      .filter((row) => keep?.(shard, row) ?? true)
      .map((row) => `${shard}:${row}`),
  );
}

/**
 * What each rank gives in the next `most` batches, taken in turn, batch by batch; and their states then. A rank whose epoch
 * has ended stands aside, from the beginning on where it is not in `epoch`.
 */
export async function lockstep(
  loaders: readonly SpiralDataLoader[],
  most: number = Number.POSITIVE_INFINITY,
  epoch?: number,
): Promise<{ given: string[][]; states: LoaderState[] }> {
  const given: string[][] = loaders.map(() => []);
  if (most > 0) {
    const runs = loaders.map((loader) => loader[Symbol.asyncIterator]());
    const going = new Set([...loaders.keys()].filter((rank) => epoch === undefined || loaders[rank]!.epoch === epoch));
    for (let batch = 0; batch < most && going.size > 0; batch++) {
      for (const rank of going) {
        const next = await runs[rank]!.next();
        if (next.done) going.delete(rank);
        else given[rank]!.push(...samplesOf(next.value));
      }
    }
    const states = loaders.map((loader) => throughJson(loader.stateDict()));
    await Promise.all(runs.map((run) => run.return(undefined)));
    return { given, states };
  }
  return { given, states: loaders.map((loader) => throughJson(loader.stateDict())) };
}

export const throughJson = (state: LoaderState): LoaderState => JSON.parse(JSON.stringify(state)) as LoaderState;

/** The code of the error that `work` rejects with. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'no error',
    (error: { code?: string }) => error.code ?? String(error),
  );
}

import type { RecordBatch } from 'apache-arrow';
import { knownOptions, wholeNumber } from '../core/check.js';
import { SpiralError, shown } from '../core/errors.js';
import { inFlightBatchesMax, inFlightBytesMax } from '../core/limits.js';
import type { Shard } from '../sharding/shard.js';
import { World } from '../sharding/world.js';
import type { TransformContext } from './transform.js';

/** What a loader does. Options left out take the default named, or on resume the state's value. */
export interface DataLoaderOptions<T = RecordBatch> {
  /** Shards to read, of all ranks together. Default: the scan's natural shards. */
  shards?: readonly Shard[];
  /** Deals the shards anew each epoch, by (seed, epoch). Default true. */
  shuffleShards?: boolean;
  /** Seed of everything that is drawn. Default 42, the reference's. */
  seed?: number;
  /** Rows of this rank to pass over at the beginning. Default 0. */
  skipSamples?: number;
  /** Rows of a shuffle window; 0 shuffles nothing within shards. Default 0. */
  shuffleBufferSize?: number;
  /** Rows of a batch; the last one of an epoch may have fewer. Default 32. */
  batchSize?: number;
  /** Batches to read ahead where nothing is shuffled; a shuffle reads one window ahead. Default 2. */
  batchReadahead?: number;
  /** Goes on with the next epoch at the end of one. Default false. */
  infinite?: boolean;
  /** Makes what is given out of a batch, on this thread. Returns null to drop the batch. */
  transformFn?: (batch: RecordBatch, context: TransformContext) => T | null | Promise<T | null>;
  /** Which rank of how many. Default: 0 of 1. */
  world?: World;
  /** Epoch to begin with. Default 0. */
  epoch?: number;
  /** Leaves out an epoch's last batch where it is short. Default false. */
  dropLast?: boolean;
  /** Chunks read row by row in turn. Default 1. */
  interleaveShards?: number;
  /** Rows of a chunk: shards are cut into chunks, whose order is drawn. Default: a whole shard is one chunk. */
  shuffleChunkRows?: number;
  /**
   * Makes batches in a thread of their own, so that they are ready however long a training step blocks this one. Default
   * true, for every source that a thread can open again; the batches are the same either way.
   */
  feeder?: boolean;
  /** Ends the iteration with `cancelled`. */
  signal?: AbortSignal;
}

/** What making the batches of an epoch needs to know. */
export interface PassSettings {
  readonly shuffleShards: boolean;
  readonly seed: number;
  readonly shuffleBufferSize: number;
  readonly batchSize: number;
  readonly batchReadahead: number;
  readonly world: World;
  readonly interleaveShards: number;
  readonly shuffleChunkRows: number | undefined;
  /** Batches, and their bytes, on the way from the feeder to the consumer. */
  readonly inFlightBatchesMax: number;
  readonly inFlightBytesMax: number;
}

/** Options with their defaults in place. */
export interface LoaderSettings extends PassSettings {
  readonly shards: readonly Shard[] | undefined;
  /** Whether the caller chose the batch size: only then is one larger than the data an error. */
  readonly batchSizeChosen: boolean;
  readonly infinite: boolean;
  readonly dropLast: boolean;
  readonly feeder: boolean;
  readonly signal: AbortSignal | undefined;
}

const names: readonly (keyof DataLoaderOptions)[] = [
  'shards',
  'shuffleShards',
  'seed',
  'skipSamples',
  'shuffleBufferSize',
  'batchSize',
  'batchReadahead',
  'infinite',
  'transformFn',
  'world',
  'epoch',
  'dropLast',
  'interleaveShards',
  'shuffleChunkRows',
  'feeder',
  'signal',
];

/**
 * Checks `options` and fills in defaults.
 *
 * @throws SpiralError `invalid_size`, `invalid_argument`, `invalid_world`: the first option that is wrong.
 */
export function loaderSettings<T>(options: DataLoaderOptions<T>): LoaderSettings {
  knownOptions('A data loader', options, names);
  if (options.transformFn !== undefined && typeof options.transformFn !== 'function') {
    throw new SpiralError(
      'invalid_transform',
      `Expected \`transformFn\` to be a function of a record batch, got ${shown(options.transformFn)}.`,
    );
  }
  if (options.world !== undefined && !(options.world instanceof World)) {
    throw new SpiralError('invalid_world', `Expected \`world\` to be a World, got ${shown(options.world)}.`);
  }
  const { shuffleChunkRows } = options;
  return {
    shards: options.shards,
    shuffleShards: flag('shuffleShards', options.shuffleShards, true),
    seed: wholeNumber('seed', options.seed ?? 42, { min: Number.MIN_SAFE_INTEGER }),
    shuffleBufferSize: wholeNumber('shuffleBufferSize', options.shuffleBufferSize ?? 0, { max: rowsMax, unit: 'rows' }),
    batchSize: wholeNumber('batchSize', options.batchSize ?? 32, { min: 1, max: rowsMax, unit: 'rows' }),
    batchSizeChosen: options.batchSize !== undefined,
    batchReadahead: wholeNumber('batchReadahead', options.batchReadahead ?? 2, { max: 100_000, unit: 'batches' }),
    infinite: flag('infinite', options.infinite, false),
    world: options.world ?? new World({ rank: 0, worldSize: 1 }),
    dropLast: flag('dropLast', options.dropLast, false),
    interleaveShards: wholeNumber('interleaveShards', options.interleaveShards ?? 1, { min: 1, max: lanesMax }),
    shuffleChunkRows:
      shuffleChunkRows === undefined
        ? undefined
        : wholeNumber('shuffleChunkRows', shuffleChunkRows, { min: 1, max: rowsMax, unit: 'rows' }),
    feeder: flag('feeder', options.feeder, true),
    inFlightBatchesMax,
    inFlightBytesMax,
    signal: options.signal,
  };
}

/** Rows that the 32-bit indices of a window or batch can count. */
const rowsMax = 2 ** 31 - 1;
/** Lanes hold a block each. */
const lanesMax = 65_536;

function flag(name: string, value: unknown, otherwise: boolean): boolean {
  if (value === undefined) return otherwise;
  if (typeof value === 'boolean') return value;
  throw new SpiralError('invalid_argument', `Expected \`${name}\` to be true or false, got ${shown(value)}.`, {
    details: { name, found: value },
  });
}

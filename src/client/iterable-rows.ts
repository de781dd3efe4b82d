import { batchRows } from '../arrow/rows.js';
import { knownOptions, wholeNumber } from '../core/check.js';
import { SpiralError, shown } from '../core/errors.js';
import { deriveSeed, uniqueId } from '../core/random.js';
import { SpiralDataLoader } from '../loader/data-loader.js';
import type { LoaderSource } from '../loader/source.js';
import type { Shard } from '../sharding/shard.js';

/** How rows are shuffled within their shards; shards are then dealt in an order of the seed's as well. */
export interface ShuffleConfig {
  /** Rows that are shuffled together. */
  readonly bufferSize: number;
  /** Rows that are drawn at once, at most. Default: a sixteenth of `bufferSize`. Changes no order. */
  readonly maxBatchSize?: number;
  /** Default: drawn from the system's randomness for each iteration. */
  readonly seed?: number;
}

/** How rows are iterated. */
export interface IterableOptions {
  /** Shards to read, in this order unless shuffled. Default: the scan's natural shards. */
  readonly shards?: readonly Shard[];
  /** Default: none, rows come shard by shard in the order of their keys. */
  readonly shuffle?: ShuffleConfig;
  /** Batches read ahead. Default 2. */
  readonly batchReadahead?: number;
  /** Begins again at the end, in another order where rows are shuffled. Default false. */
  readonly infinite?: boolean;
}

/** Rows that are read together where nothing is shuffled. */
const plainBatchRows = 1024;

/**
 * The rows of `source` as objects, one by one; each iteration begins at the first. Leaving the loop ends the reading.
 *
 * @throws SpiralError `invalid_argument`, `invalid_size`: the first option that is wrong.
 */
export function iterableRows(source: LoaderSource, options: IterableOptions): AsyncIterable<Record<string, unknown>> {
  knownOptions('toIterableDataset', options, ['shards', 'shuffle', 'batchReadahead', 'infinite']);
  const { shards, shuffle, infinite = false } = options;
  const batchReadahead = wholeNumber('batchReadahead', options.batchReadahead ?? 2, { max: 100_000 });
  if (typeof infinite !== 'boolean') throw wrong('infinite', 'true or false', infinite);
  const order = shuffle === undefined ? { shuffleBufferSize: 0, batchSize: plainBatchRows } : shuffled(shuffle);
  return {
    async *[Symbol.asyncIterator]() {
      // A loader refuses to have no rows, or fewer than a batch has.
      const rows = await rowsOf(source, shards);
      if (rows === 0 && !infinite) return;
      const seed = shuffle?.seed ?? deriveSeed(uniqueId(''));
      await using loader = new SpiralDataLoader(source, {
        ...(shards === undefined ? {} : { shards }),
        shuffleShards: shuffle !== undefined,
        ...order,
        batchSize: Math.max(1, Math.min(order.batchSize, rows)),
        seed,
        batchReadahead,
        infinite,
        feeder: false,
      });
      for await (const batch of loader) yield* batchRows(batch);
    },
  };
}

async function rowsOf(source: LoaderSource, given: readonly Shard[] | undefined): Promise<number> {
  const shards = given ?? (await source.openSource()).shards;
  return shards.reduce((sum, shard) => sum + shard.physicalRows, 0);
}

function shuffled(shuffle: ShuffleConfig): { shuffleBufferSize: number; batchSize: number } {
  if (typeof shuffle !== 'object' || shuffle === null) throw wrong('shuffle', '{ bufferSize, … }', shuffle);
  knownOptions('shuffle', shuffle, ['bufferSize', 'maxBatchSize', 'seed']);
  const shuffleBufferSize = wholeNumber('shuffle.bufferSize', shuffle.bufferSize, { min: 1, unit: 'rows' });
  const most = shuffle.maxBatchSize ?? Math.max(1, Math.floor(shuffleBufferSize / 16));
  if (shuffle.seed !== undefined) wholeNumber('shuffle.seed', shuffle.seed);
  return { shuffleBufferSize, batchSize: wholeNumber('shuffle.maxBatchSize', most, { min: 1, unit: 'rows' }) };
}

function wrong(name: string, expected: string, found: unknown): SpiralError {
  return new SpiralError('invalid_argument', `Expected \`${name}\` to be ${expected}, got ${shown(found)}.`, {
    details: { name, found },
  });
}

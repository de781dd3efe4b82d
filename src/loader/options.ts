import type { RecordBatch } from 'apache-arrow';
import { knownOptions, oneOf, wholeNumber } from '../core/check.js';
import { SpiralError, shown } from '../core/errors.js';
import { inFlightBatchesMax, transformTimeoutMs, workerMemoryBytesMax } from '../core/limits.js';
import { type Verify, verifyWords } from '../core/verify.js';
import { type Uneven, unevenWords } from '../sharding/deal.js';
import type { Shard } from '../sharding/shard.js';
import { checkedWorld, World } from '../sharding/world.js';
import type { EpochPast } from './elastic-past.js';
import { checkMetrics, type LoaderMeter } from './metrics.js';
import { badRowsMax, type RowErrorSettings, type RowErrors, rowErrorSettings } from './row-errors.js';
import type { InlineTransform, TransformContext } from './transform.js';
import { refuseHosted, type TransformEntry, type TransformModule, transformEntry } from './transform-module.js';

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
  /**
   * One word for a shuffle across the whole epoch in the memory of two windows: `shuffleShards: true`,
   * `shuffleChunkRows: 1024`, `interleaveShards: 8` and `shuffleBufferSize: 8192`, each where it is not given itself. A batch
   * then draws on 8 to 16 chunks of the epoch. States hold what the word stands for.
   */
  shuffle?: 'epoch';
  /** Rows of a batch; the last one of an epoch may have fewer. Default 32. */
  batchSize?: number;
  /**
   * Batches to read ahead where nothing is shuffled; a shuffle reads one window ahead. Default: 2, and more while the loop
   * waits for reading again and again, up to 16 MiB; `stats().readAhead` says how many.
   */
  batchReadahead?: number;
  /** Goes on with the next epoch at the end of one. Default false. */
  infinite?: boolean;
  /**
   * Makes what is given out of a batch; returns null to drop the batch. A function runs on this thread, inside `next()`. A
   * module, see `transformModule`, runs in map workers or, without any, in the feeder's thread; its results are copied.
   */
  transformFn?: ((batch: RecordBatch, context: TransformContext) => T | null | Promise<T | null>) | TransformModule;
  /** Threads that run a transform module, results staying in order. Default 0: the thread that makes the batches does. */
  mapWorkers?: number;
  /**
   * Milliseconds that a transform module may take for a batch. A map worker is then replaced and the batch tried once more;
   * without map workers only what the transform awaits is bounded. Default 10 minutes.
   */
  transformTimeoutMs?: number;
  /** Bytes of a map worker's own heap and buffers above which it is replaced between batches. Default 1 GiB. */
  workerMemoryBytesMax?: number;
  /**
   * Bytes that the loader may hold beside the batch in hand: blocks of the window it draws from, blocks read ahead, batches
   * in map workers and on their way. What is left after one window and a few batches goes into reading ahead, so the batches
   * are the same under any limit. Columns of varying length are estimated by the average of the data files, and nothing is
   * read ahead past the limit whatever they take. A limit too small for one window is refused before the first read. The
   * heaps of threads are not counted. Default: no limit but those of the parts.
   */
  memoryBytesMax?: number;
  /** Which rank of how many. Default: 0 of 1. */
  world?: World;
  /** Epoch to begin with. Default 0. */
  epoch?: number;
  /** Leaves out an epoch's last batch where it is short. Default false. */
  dropLast?: boolean;
  /** Ends the iteration when `step` has reached it, in whatever epoch; the state is then right behind that batch. */
  maxSteps?: number;
  /**
   * What becomes of ranks that were dealt unequal numbers of rows. Default 'keep', as the reference: they differ.
   * Recommended: 'split', which cuts shards so that ranks differ by one row at most. 'drop' ends every rank's epoch with
   * that of the smallest, 'pad' repeats rows up to the largest. Under a filter only 'keep' is possible.
   */
  uneven?: Uneven;
  /** Chunks read row by row in turn. Default 1. */
  interleaveShards?: number;
  /** Rows of a chunk: shards are cut into chunks, whose order is drawn. Default: a whole shard is one chunk. */
  shuffleChunkRows?: number;
  /**
   * Makes batches in a thread of their own, so that they are ready however long a training step blocks this one. Default
   * true, for every scan; the batches are the same either way. A store that only this thread reaches (`memory://`, or an
   * object of yours) is read by this thread for the feeder: it then reads ahead only while this thread is not blocked.
   */
  feeder?: boolean;
  /**
   * Threads of the feeder that read, decode and draw, in turn, so that the batches are the same with any number; each may
   * hold what one holds. 'auto' begins with one and adds another where the loop waits for data more than half of the time
   * and half a core is idle, at most 8: for compressed tables, far stores and small windows. There is one under a filter, with a transform module (see `mapWorkers`) and with
   * `memoryBytesMax`. It is not part of a state. Default 'auto'.
   */
  decodeThreads?: number | 'auto';
  /**
   * When the checksums of stored buffers are checked: on their 'first' read by a thread of the feeder (by this process without
   * a feeder), 'always', or 'never', which may give wrong values of a damaged file. It alters no batch and is not part of a
   * state. Default: the client's setting `verify`, which is 'first'.
   */
  verify?: Verify;
  /**
   * Path of a file that gets a Chrome trace of what each batch took, to be opened in Perfetto or `chrome://tracing`: written
   * at the end of each iteration and by `close()`, up to 100,000 batches. Each rank needs a file of its own. Default: none.
   */
  trace?: string;
  /**
   * Shows rows, rows a second, data wait and time left in one line of stderr, rewritten at most five times a second; nothing
   * where stderr is no terminal. Default false.
   */
  progress?: boolean;
  /**
   * Records OpenTelemetry metrics of every batch (`spiral.loader.rows`, `spiral.loader.wait` …) with this meter; `true`:
   * with one of the process's meter provider, which takes the optional package `@opentelemetry/api`. Default false.
   */
  metrics?: boolean | LoaderMeter;
  /**
   * Skips rows on which the transform throws, and rows whose stored bytes are damaged, up to `max`; one more ends the loader
   * with `too_many_row_errors`. A skipped row keeps its place and counts as received, so batches with bad rows are shorter,
   * and those without a good row are not given. See the guide on bad rows. Default: the first ends the loader.
   */
  rowErrors?: RowErrors;
  /** Ends the iteration with `cancelled`. */
  signal?: AbortSignal;
}

/** What making the batches of an epoch needs to know. */
export interface PassSettings {
  readonly shuffleShards: boolean;
  readonly seed: number;
  readonly shuffleBufferSize: number;
  readonly batchSize: number;
  readonly batchReadahead: number | undefined;
  readonly memoryBytesMax: number | undefined;
  readonly world: World;
  readonly interleaveShards: number;
  readonly shuffleChunkRows: number | undefined;
  readonly uneven: Uneven;
  /** What other worlds gave of an epoch before this one. */
  readonly past: EpochPast | undefined;
  /** Batches on the way from the feeder to the consumer. */
  readonly inFlightBatchesMax: number;
  /** Whether rows whose stored bytes are damaged are skipped. */
  readonly skipDamaged: boolean;
  /** The transform module, if that is what the transform is. */
  readonly map: MapSettings | undefined;
  /** Undefined: as the source has it. */
  readonly verify: Verify | undefined;
}

/** What running a transform module needs to know. */
export interface MapSettings {
  readonly transform: TransformEntry;
  readonly mapWorkers: number;
  readonly transformTimeoutMs: number;
  readonly workerMemoryBytesMax: number;
  readonly seed: number;
  /** Bad rows of a batch that are searched for; 0: what the transform throws ends the loader. */
  readonly badRowsMax: number;
}

/** Options with their defaults in place. */
export interface LoaderSettings extends PassSettings {
  readonly shards: readonly Shard[] | undefined;
  /** Whether the caller chose the batch size: only then is one larger than the data an error. */
  readonly batchSizeChosen: boolean;
  readonly infinite: boolean;
  readonly dropLast: boolean;
  readonly maxSteps: number | undefined;
  readonly feeder: boolean;
  readonly decodeThreads: number | 'auto';
  readonly trace: string | undefined;
  readonly progress: boolean;
  readonly metrics: boolean | LoaderMeter;
  readonly rowErrors: RowErrorSettings | undefined;
  readonly signal: AbortSignal | undefined;
}

const names: readonly (keyof DataLoaderOptions)[] = [
  'shards',
  'shuffleShards',
  'seed',
  'skipSamples',
  'shuffleBufferSize',
  'shuffle',
  'batchSize',
  'batchReadahead',
  'infinite',
  'transformFn',
  'mapWorkers',
  'transformTimeoutMs',
  'workerMemoryBytesMax',
  'memoryBytesMax',
  'world',
  'epoch',
  'dropLast',
  'maxSteps',
  'uneven',
  'interleaveShards',
  'shuffleChunkRows',
  'feeder',
  'decodeThreads',
  'verify',
  'trace',
  'progress',
  'metrics',
  'rowErrors',
  'signal',
];

/**
 * Checks `options` and fills in defaults.
 *
 * @throws SpiralError `invalid_size`, `invalid_argument`, `invalid_world`: the first option that is wrong.
 */
export function loaderSettings<T>(options: DataLoaderOptions<T>): LoaderSettings {
  knownOptions('A data loader', options, names);
  const rowErrors = rowErrorSettings(options.rowErrors);
  const seed = wholeNumber('seed', options.seed ?? 42, { min: Number.MIN_SAFE_INTEGER });
  return {
    shards: options.shards,
    shuffleShards: flag('shuffleShards', options.shuffleShards, true),
    seed,
    shuffleBufferSize: wholeNumber('shuffleBufferSize', options.shuffleBufferSize ?? 0, { max: rowsMax, unit: 'rows' }),
    batchSize: wholeNumber('batchSize', options.batchSize ?? 32, { min: 1, max: rowsMax, unit: 'rows' }),
    batchSizeChosen: options.batchSize !== undefined,
    batchReadahead: optional('batchReadahead', options.batchReadahead, { max: 100_000, unit: 'batches' }),
    memoryBytesMax: optional('memoryBytesMax', options.memoryBytesMax, { min: 1, unit: 'bytes' }),
    infinite: flag('infinite', options.infinite, false),
    world: options.world === undefined ? new World({ rank: 0, worldSize: 1 }) : checkedWorld(options.world),
    dropLast: flag('dropLast', options.dropLast, false),
    maxSteps: optional('maxSteps', options.maxSteps, { unit: 'batches' }),
    uneven: oneOf('uneven', options.uneven ?? 'keep', unevenWords),
    past: undefined,
    interleaveShards: wholeNumber('interleaveShards', options.interleaveShards ?? 1, { min: 1, max: lanesMax }),
    shuffleChunkRows: optional('shuffleChunkRows', options.shuffleChunkRows, { min: 1, max: rowsMax, unit: 'rows' }),
    feeder: flag('feeder', options.feeder, true),
    decodeThreads: threads(options.decodeThreads),
    verify: options.verify === undefined ? undefined : oneOf('verify', options.verify, verifyWords),
    trace: tracePath(options.trace),
    progress: flag('progress', options.progress, false),
    metrics: checkMetrics(options.metrics),
    inFlightBatchesMax,
    rowErrors,
    skipDamaged: rowErrors !== undefined,
    map: mapSettings(options, seed, badRowsMax(rowErrors)),
    signal: options.signal,
  };
}

/** `options` for a loader beside this one, which shows and writes nothing and ends nowhere else. */
export function silentOptions<T>(options: DataLoaderOptions<T>): DataLoaderOptions<T> {
  const { maxSteps: _steps, trace: _trace, progress: _progress, metrics: _metrics, rowErrors, ...others } = options;
  return rowErrors === undefined ? others : { ...others, rowErrors: { max: rowErrors.max } };
}

/** The transform where it is a function. */
export function inlineTransform<T>({ transformFn }: DataLoaderOptions<T>): InlineTransform<T> | undefined {
  return typeof transformFn === 'function' ? transformFn : undefined;
}

function mapSettings<T>(options: DataLoaderOptions<T>, seed: number, badRowsMax: number): MapSettings | undefined {
  const { transformFn } = options;
  const limits = {
    mapWorkers: wholeNumber('mapWorkers', options.mapWorkers ?? 0, { max: mapWorkersMax }),
    transformTimeoutMs: wholeNumber('transformTimeoutMs', options.transformTimeoutMs ?? transformTimeoutMs, {
      min: 1,
      max: timerMsMax,
      unit: 'milliseconds',
    }),
    workerMemoryBytesMax: wholeNumber('workerMemoryBytesMax', options.workerMemoryBytesMax ?? workerMemoryBytesMax, {
      min: 1,
      unit: 'bytes',
    }),
  };
  if (typeof transformFn === 'object' && transformFn !== null && 'module' in transformFn) {
    const transform = transformEntry(transformFn);
    refuseHosted(transform);
    return { ...limits, transform, seed, badRowsMax };
  }
  if (transformFn !== undefined && typeof transformFn !== 'function') {
    throw new SpiralError(
      'invalid_transform',
      'Expected `transformFn` to be a function of a record batch or what `transformModule` makes, got ' +
        `${shown(transformFn)}.`,
    );
  }
  if (limits.mapWorkers === 0) return undefined;
  throw new SpiralError(
    'invalid_transform',
    `Expected \`transformFn\` to be a transform module, as \`mapWorkers\` is ${limits.mapWorkers}, got ` +
      `${shown(transformFn)}. A function cannot leave this thread: export it from a file of its own and pass ` +
      "transformModule(import.meta.url, 'name'), or leave out `mapWorkers`.",
    { details: { mapWorkers: limits.mapWorkers } },
  );
}

/** Threads beyond any machine's cores. */
const mapWorkersMax = 256;
const decodeThreadsMax = 64;
/** What a timer can count to. */
const timerMsMax = 2 ** 31 - 1;

/** Rows that the 32-bit indices of a window or batch can count. */
const rowsMax = 2 ** 31 - 1;
/** Lanes hold a block each. */
const lanesMax = 65_536;

function optional(name: string, value: unknown, range: Parameters<typeof wholeNumber>[2]): number | undefined {
  return value === undefined ? undefined : wholeNumber(name, value, range);
}

function flag(name: string, value: unknown, otherwise: boolean): boolean {
  if (value === undefined) return otherwise;
  if (typeof value === 'boolean') return value;
  throw new SpiralError('invalid_argument', `Expected \`${name}\` to be true or false, got ${shown(value)}.`, {
    details: { name, found: value },
  });
}

function threads(value: unknown = 'auto'): number | 'auto' {
  return value === 'auto' ? value : wholeNumber('decodeThreads', value, { min: 1, max: decodeThreadsMax });
}

function tracePath(value: unknown): string | undefined {
  if (value === undefined || (typeof value === 'string' && value !== '')) return value;
  throw new SpiralError('invalid_argument', `Expected \`trace\` to be the path of a file, got ${shown(value)}.`, {
    details: { name: 'trace', found: value },
  });
}

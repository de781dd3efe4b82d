import { knownOptions, oneOf, wholeNumber } from '../../core/check.js';
import { SpiralError } from '../../core/errors.js';
import type { SourceIdentity } from '../../loader/source.js';
import { World } from '../../sharding/world.js';
import type { BatchingMethod } from '../mosaic/mosaic-batching.js';
import { batchingMethods } from '../mosaic/mosaic-batching.js';
import type { PartitionAlgo } from '../mosaic/mosaic-partition.js';
import { type ShuffleAlgo, shuffleAlgos } from '../mosaic/mosaic-shuffle.js';
import type { SamplingMethod } from '../mosaic/stream-sampling.js';
import { type NativeUneven, nativeUnevenWords } from '../native/native-epoch.js';
import { epochSamples } from '../order/stream-weights.js';
import { SpiralStream } from '../table/spiral-stream.js';
import {
  type FetchOptions,
  fetchNames,
  placeNames,
  type StreamOptions,
  type StreamSettings,
  streamSettings,
  wanted,
} from './stream-options.js';

/** What a streaming data set is made with: MosaicML's options in camelCase, with its defaults but for `order`. */
export interface StreamingOptions extends FetchOptions {
  /**
   * 'native' (the default): the same sequence for every world, resumed at any sample, each sample once where `uneven` is
   * 'keep'. 'mosaic': MosaicML's order, sample for sample.
   */
  readonly order?: 'native' | 'mosaic' | undefined;
  /** The streams, weighted against each other, streams of tables among them; or one stream as `remote`, `local` and `split`. */
  readonly streams?: readonly (StreamOptions | SpiralStream)[] | undefined;
  readonly remote?: string | undefined;
  readonly local?: string | undefined;
  readonly split?: string | undefined;
  /** This process among those that train. Default: found from the environment, see `World.fromEnv`. */
  readonly world?: World | { readonly rank: number; readonly worldSize: number } | undefined;
  /** Samples of a rank's batch. Needed for `order: 'mosaic'`; else the default of `batches` and `toDataLoader`. */
  readonly batchSize?: number | undefined;
  /** Default false. */
  readonly shuffle?: boolean | undefined;
  /** Default 9176. */
  readonly shuffleSeed?: number | undefined;
  /** Samples that are mixed at a time. Default: 64 MiB of them; with `order: 'mosaic'` as MosaicML. */
  readonly shuffleBlockSize?: number | undefined;
  /** Samples of an epoch: a number, or '100k', '64M', '2b'. Default: what the streams' weights say. */
  readonly epochSize?: number | string | undefined;
  /** So many ranks in a row get the same samples. Default 1. */
  readonly replication?: number | undefined;
  /**
   * Bytes that fetched shards may take on this machine, or '50gb'; of several streams with a cache each gets an equal part.
   * Default: no limit. Not with streams of tables.
   */
  readonly cacheLimit?: number | string | undefined;
  /** Samples ahead of the shards in use that are fetched, in whole shards; 0: none. Default: 256 MiB of shards, and eight at least. */
  readonly predownload?: number | undefined;
  /** Values of 64-bit integers in sample objects: 'bigint' (the default), or 'number', which refuses those that it cannot hold. */
  readonly int64?: 'bigint' | 'number' | undefined;
  /** Whether `int` columns of JSON, CSV, TSV and XSV shards, which may have any number of digits, are read as text. Default false. */
  readonly intsAsText?: boolean | undefined;
  /** Only native: parts of the data that are read at the same time. Default 8. */
  readonly partitions?: number | undefined;
  /** Only native: what becomes of ranks that an epoch does not divide among equally. Default 'pad'. */
  readonly uneven?: NativeUneven | undefined;
  /** Only `order: 'mosaic'`, from here on; defaults are MosaicML's. */
  readonly shuffleAlgo?: ShuffleAlgo | undefined;
  readonly numCanonicalNodes?: number | undefined;
  readonly partitionAlgo?: PartitionAlgo | undefined;
  readonly samplingMethod?: SamplingMethod | undefined;
  readonly samplingGranularity?: number | undefined;
  readonly batchingMethod?: BatchingMethod | undefined;
  /** Ranks of a node. Default: LOCAL_WORLD_SIZE, else all are on one node. */
  readonly localWorldSize?: number | undefined;
  /** `num_workers` of the `DataLoader` whose order it is: batches come from them in turn. Default 1. */
  readonly numWorkers?: number | undefined;
}

const nativeNames = ['partitions', 'uneven'] as const;
const mosaicNames = [
  'shuffleAlgo',
  'numCanonicalNodes',
  'partitionAlgo',
  'samplingMethod',
  'samplingGranularity',
  'batchingMethod',
  'localWorldSize',
  'numWorkers',
] as const;
const names: readonly (keyof StreamingOptions)[] = [
  'order',
  'streams',
  ...placeNames,
  'world',
  'batchSize',
  'shuffle',
  'shuffleSeed',
  'shuffleBlockSize',
  'epochSize',
  'replication',
  'cacheLimit',
  'predownload',
  'int64',
  'intsAsText',
  ...fetchNames,
  ...nativeNames,
  ...mosaicNames,
];

/** The options with all that does not depend on the data in place: plain data. */
export interface StreamingSettings
  extends Omit<StreamingOptions, 'streams' | 'remote' | 'local' | 'split' | 'world' | keyof FetchOptions> {
  readonly order: 'native' | 'mosaic';
  readonly streams: readonly StreamSettings[];
  readonly shuffle: boolean;
  readonly shuffleSeed: number;
  readonly epochSize: number | undefined;
  readonly replication: number;
  readonly cacheLimit: number | undefined;
  readonly int64: 'bigint' | 'number';
  readonly intsAsText: boolean;
}

const defaultSeed = 9176;
const partitionAlgos: readonly PartitionAlgo[] = ['orig', 'relaxed'];
const samplingMethods: readonly SamplingMethod[] = ['balanced', 'fixed'];

/**
 * Checks `options` and fills in defaults; reads nothing but the environment.
 *
 * @throws SpiralError `invalid_argument`, `invalid_size`: the first option that is wrong.
 */
export function streamingSettings(options: StreamingOptions): StreamingSettings {
  if (typeof options !== 'object' || options === null) throw wanted('options as { remote, local, … }', options);
  if ('allowUnsafeTypes' in options) {
    throw new SpiralError(
      'unsupported',
      'Expected no `allowUnsafeTypes`: columns of pickled objects are never read, as that runs whatever code is in them. ' +
        "Write them again as 'json' or 'ndarray'.",
    );
  }
  knownOptions('A streaming data set', options, names);
  const order = oneOf('order', options.order ?? 'native', ['native', 'mosaic']);
  checkOrderOptions(order, options);
  const { shuffle = false, intsAsText = false } = options;
  if (typeof shuffle !== 'boolean') throw wanted('`shuffle` to be true or false', shuffle);
  if (typeof intsAsText !== 'boolean') throw wanted('`intsAsText` to be true or false', intsAsText);
  const { shuffleAlgo, partitionAlgo, samplingMethod, batchingMethod, uneven, epochSize } = options;
  const streams = streamsOf(options);
  if (options.cacheLimit !== undefined && streams.some(({ local }) => local === undefined)) {
    throw wanted('`local`, the folder of the cache, beside `remote` and `cacheLimit`', 'none');
  }
  return {
    order,
    streams,
    batchSize: optional('batchSize', options.batchSize),
    shuffle,
    shuffleSeed: wholeNumber('shuffleSeed', options.shuffleSeed ?? defaultSeed),
    shuffleBlockSize: optional('shuffleBlockSize', options.shuffleBlockSize),
    epochSize: epochSize === undefined ? undefined : epochSamples(epochSize),
    replication: wholeNumber('replication', options.replication ?? 1, { min: 1, unit: 'ranks' }),
    cacheLimit: options.cacheLimit === undefined ? undefined : bytesOf(options.cacheLimit),
    predownload:
      options.predownload === undefined
        ? undefined
        : wholeNumber('predownload', options.predownload, { unit: 'samples' }),
    int64: oneOf('int64', options.int64 ?? 'bigint', ['bigint', 'number']),
    intsAsText,
    partitions: optional('partitions', options.partitions),
    uneven: uneven === undefined ? undefined : oneOf('uneven', uneven, nativeUnevenWords),
    shuffleAlgo: shuffleAlgo === undefined ? undefined : oneOf('shuffleAlgo', shuffleAlgo, shuffleAlgos),
    numCanonicalNodes: optional('numCanonicalNodes', options.numCanonicalNodes),
    partitionAlgo: partitionAlgo === undefined ? undefined : oneOf('partitionAlgo', partitionAlgo, partitionAlgos),
    samplingMethod: samplingMethod === undefined ? undefined : oneOf('samplingMethod', samplingMethod, samplingMethods),
    samplingGranularity: optional('samplingGranularity', options.samplingGranularity),
    batchingMethod: batchingMethod === undefined ? undefined : oneOf('batchingMethod', batchingMethod, batchingMethods),
    localWorldSize: order === 'mosaic' ? localWorld(options.localWorldSize) : undefined,
    numWorkers: options.numWorkers === undefined ? undefined : wholeNumber('numWorkers', options.numWorkers),
  };
}

/** The world that `options` name, or else the environment. */
export function worldOf({ world }: StreamingOptions): World {
  if (world === undefined) return World.fromEnv();
  if (world instanceof World) return world;
  if (typeof world !== 'object' || world === null) throw wanted('`world` to be a World or { rank, worldSize }', world);
  return new World({ rank: world.rank, worldSize: world.worldSize });
}

/** What of `settings` decides which samples an epoch gives, and in which order: a state of other ones is refused. */
export function orderIdentity(settings: StreamingSettings): SourceIdentity {
  const { order, shuffle, shuffleBlockSize = null, epochSize = null, replication } = settings;
  const weights = settings.streams.map(({ proportion, repeat, choose }) => [proportion, repeat, choose]);
  const common = { order, shuffle: String(shuffle), shuffleBlockSize, epochSize, replication };
  const all = { ...common, streams: JSON.stringify(weights) };
  if (order === 'native') {
    const { shuffleSeed, partitions = null, uneven = 'pad' } = settings;
    return { ...all, shuffleSeed, partitions, uneven };
  }
  const { shuffleAlgo = 'py1e', partitionAlgo = 'relaxed', samplingMethod = 'balanced' } = settings;
  const { samplingGranularity = 1, batchingMethod = 'random' } = settings;
  return { ...all, shuffleAlgo, partitionAlgo, samplingMethod, samplingGranularity, batchingMethod };
}

function checkOrderOptions(order: 'native' | 'mosaic', options: StreamingOptions): void {
  const foreign = order === 'native' ? mosaicNames : nativeNames;
  const name = foreign.find((option) => options[option] !== undefined);
  if (name === undefined) return;
  const remedy =
    order === 'native'
      ? `Leave it out, as the native order has no need of it, or say \`order: 'mosaic'\` for MosaicML's order.`
      : `Leave it out, or say \`order: 'native'\`.`;
  throw new SpiralError('invalid_argument', `Expected no \`${name}\` with \`order: '${order}'\`. ${remedy}`, {
    details: { option: name, order },
  });
}

function streamsOf(options: StreamingOptions): StreamSettings[] {
  const { streams, remote, local, split } = options;
  if (streams === undefined) return [streamSettings({ remote, local, split }, options, 'the data set')];
  const beside = placeNames.find((place) => options[place] !== undefined);
  if (beside !== undefined)
    throw wanted('`streams`, or one stream as `remote` and `local`', `both, with \`${beside}\``);
  if (!Array.isArray(streams) || streams.length === 0) throw wanted('`streams` to be a list of at least one', streams);
  const settings = streams.map((given: StreamOptions | SpiralStream, at) => {
    const stream = given instanceof SpiralStream ? { stream: given } : given;
    return streamSettings(stream, options, `streams[${at}]`);
  });
  if (options.cacheLimit !== undefined && settings.some(({ stream }) => stream !== undefined)) {
    throw wanted(
      'no `cacheLimit` with a stream of a table, whose shards all stay until they are evicted',
      options.cacheLimit,
    );
  }
  return settings;
}

function localWorld(given: number | undefined): number | undefined {
  if (given !== undefined) return wholeNumber('localWorldSize', given, { min: 1, unit: 'ranks' });
  const text = process.env['LOCAL_WORLD_SIZE'];
  return text !== undefined && /^[1-9]\d*$/.test(text) ? Number(text) : undefined;
}

/** Bytes of a number, or of a text as '50gb', of which a kb has 1,024. */
export function bytesOf(limit: number | string): number {
  const match = typeof limit === 'string' ? /^(\d+(?:\.\d+)?)\s*([kmgt]?b?)$/i.exec(limit.trim()) : null;
  if (match === null) return wholeNumber('cacheLimit', limit, { min: 1, unit: "bytes, or a text as '50gb'" });
  const thousands = ' kmgt'.indexOf((match[2]![0] ?? ' ').toLowerCase().replace('b', ' '));
  return wholeNumber('cacheLimit', Math.floor(Number(match[1]) * 1024 ** thousands), { min: 1, unit: 'bytes' });
}

function optional(name: string, value: unknown): number | undefined {
  return value === undefined ? undefined : wholeNumber(name, value, { min: 1 });
}

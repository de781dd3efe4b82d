import { knownOptions, oneOf, wholeNumber } from '../../core/check.js';
import { SpiralError, shown } from '../../core/errors.js';
import { parseMdsIndex } from '../../format/mds-index.js';
import { bytesOf } from '../dataset/streaming-options.js';
import type { MosaicOrderOptions } from '../mosaic/mosaic-order.js';
import type { NativeOrderOptions } from '../native/native-order.js';
import type { StreamWeight } from '../order/stream-weights.js';

/** A shard as a simulation knows it. */
export interface SimulatedShard {
  readonly samples: number;
  /** Bytes as samples are read from it. */
  readonly rawBytes: number;
  /** Bytes as it is fetched, where it is compressed. */
  readonly zipBytes?: number | undefined;
}

/** A stream to simulate, by one of three: its index, its shards, or the number of shards that are all alike. */
export interface SimulatedStream extends StreamWeight {
  /** The text of an `index.json`. */
  readonly index?: string | undefined;
  readonly shards?: readonly SimulatedShard[] | undefined;
  readonly alike?: (SimulatedShard & { readonly count: number }) | undefined;
}

/** What is trained with, on what, and in which order: all numbers that a run follows from. */
export interface SimulateStreamOptions
  extends Omit<NativeOrderOptions, 'streams' | 'sampleBytes'>,
    Omit<MosaicOrderOptions, 'streams' | 'batchSize' | 'replication'> {
  readonly streams: readonly SimulatedStream[];
  /** Default 'native'. The options of the order are those of a streaming data set. */
  readonly order?: 'native' | 'mosaic' | undefined;
  /** Machines, each with a link and a cache of its own. Default 1. */
  readonly nodes?: number | undefined;
  /** Ranks (devices) of a node. Default 1. */
  readonly ranksPerNode?: number | undefined;
  /** Decides nothing but the order 'mosaic'. Default 1. */
  readonly workersPerRank?: number | undefined;
  /** Samples of a rank's batch. */
  readonly batchSize: number;
  /** Milliseconds that a training step takes once its batch is there. */
  readonly batchMs: number;
  /** Of the link of each node. */
  readonly bandwidthBytesPerSecond: number;
  /** Bytes that the shards of a node may take, also while one is unpacked; or '50gb'. Default: no limit. */
  readonly cacheLimit?: number | string | undefined;
  /** Samples ahead of those in use that are fetched for each rank, in whole shards. Default: 256 MiB for each rank, and eight shards at least. */
  readonly predownload?: number | undefined;
  /** Whether compressed files are kept beside the raw ones. Default false. */
  readonly keepZip?: boolean | undefined;
  /** Epochs in a row, with the cache that the one before left. Default 1. */
  readonly epochs?: number | undefined;
  /** Steps after which the simulation ends. Default: those of the epochs. */
  readonly maxSteps?: number | undefined;
}

const own = [
  'streams',
  'order',
  'nodes',
  'ranksPerNode',
  'workersPerRank',
  'batchSize',
  'batchMs',
  'bandwidthBytesPerSecond',
  'cacheLimit',
  'predownload',
  'keepZip',
  'epochs',
  'maxSteps',
] as const;
const ofBoth = ['epochSize', 'shuffle', 'shuffleSeed', 'shuffleBlockSize'] as const;
const ofNative = ['partitions', 'uneven'] as const;
const ofMosaic = [
  'shuffleAlgo',
  'numCanonicalNodes',
  'batchingMethod',
  'samplingMethod',
  'samplingGranularity',
  'partitionAlgo',
] as const;

/** The options with defaults, each stream's shards as a list, and the order's options by themselves. */
export interface SimulationSettings {
  readonly order: 'native' | 'mosaic';
  readonly streams: readonly (StreamWeight & { readonly shardSizes: readonly number[] })[];
  /** Shards of all streams. */
  readonly shards: readonly SimulatedShard[];
  readonly orderOptions: Omit<NativeOrderOptions, 'streams'> & Omit<MosaicOrderOptions, 'streams' | 'batchSize'>;
  readonly nodes: number;
  readonly ranksPerNode: number;
  readonly workersPerRank: number;
  readonly batchSize: number;
  readonly batchMs: number;
  readonly bandwidthBytesPerSecond: number;
  /** Infinity where there is none. */
  readonly cacheLimit: number;
  readonly predownload: number | undefined;
  readonly keepZip: boolean;
  readonly epochs: number;
  /** Infinity where there is none. */
  readonly maxSteps: number;
}

/**
 * @throws SpiralError `invalid_argument` or `invalid_size` for the first option that is wrong; as `parseMdsIndex` for an
 * index that is none.
 */
export function simulationSettings(options: SimulateStreamOptions): SimulationSettings {
  if (typeof options !== 'object' || options === null) throw wanted('options as { streams, batchSize, … }', options);
  const order = oneOf('order', options.order ?? 'native', ['native', 'mosaic']);
  const orderNames = [...ofBoth, ...(order === 'native' ? ofNative : ofMosaic)];
  knownOptions(`A simulation with order: '${order}'`, options, [...own, ...orderNames]);
  const { streams, keepZip = false, cacheLimit, maxSteps } = options;
  if (!Array.isArray(streams) || streams.length === 0) throw wanted('`streams` to be a list of at least one', streams);
  if (typeof keepZip !== 'boolean') throw wanted('`keepZip` to be true or false', keepZip);
  const shards = (streams as readonly SimulatedStream[]).map(shardsOf);
  const given = orderNames.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]);
  const count = (name: 'nodes' | 'ranksPerNode' | 'workersPerRank' | 'epochs'): number =>
    wholeNumber(name, options[name] ?? 1, { min: 1 });
  return {
    order,
    streams: streams.map(({ proportion, repeat, choose }: SimulatedStream, at) => ({
      shardSizes: shards[at]!.map(({ samples }) => samples),
      proportion,
      repeat,
      choose,
    })),
    shards: shards.flat(),
    orderOptions: Object.fromEntries(given),
    nodes: count('nodes'),
    ranksPerNode: count('ranksPerNode'),
    workersPerRank: count('workersPerRank'),
    batchSize: wholeNumber('batchSize', options.batchSize, { min: 1, unit: 'samples' }),
    batchMs: above('batchMs', options.batchMs, 'milliseconds'),
    bandwidthBytesPerSecond: above('bandwidthBytesPerSecond', options.bandwidthBytesPerSecond, 'bytes a second'),
    cacheLimit: cacheLimit === undefined ? Number.POSITIVE_INFINITY : bytesOf(cacheLimit),
    predownload:
      options.predownload === undefined
        ? undefined
        : wholeNumber('predownload', options.predownload, { unit: 'samples' }),
    keepZip,
    epochs: count('epochs'),
    maxSteps: maxSteps === undefined ? Number.POSITIVE_INFINITY : wholeNumber('maxSteps', maxSteps, { min: 1 }),
  };
}

const streamNames = ['index', 'shards', 'alike', 'proportion', 'repeat', 'choose'];

function shardsOf(stream: SimulatedStream, at: number): SimulatedShard[] {
  if (typeof stream !== 'object' || stream === null) throw wanted(`stream ${at} to be an object`, stream);
  knownOptions(`Stream ${at}`, stream, streamNames);
  const { index, shards, alike } = stream;
  if ([index, shards, alike].filter((one) => one !== undefined).length !== 1) {
    throw wanted(`one of \`index\`, \`shards\` and \`alike\` in stream ${at}`, stream);
  }
  if (index !== undefined) {
    if (typeof index !== 'string') throw wanted(`\`index\` of stream ${at} to be the text of an index.json`, index);
    return parseMdsIndex(index, `the index of stream ${at}`).map(({ samples, rawData, zipData, rawMeta, zipMeta }) => ({
      samples,
      rawBytes: rawData.bytes + (rawMeta?.bytes ?? 0),
      ...(zipData === undefined ? {} : { zipBytes: zipData.bytes + (zipMeta?.bytes ?? 0) }),
    }));
  }
  if (alike !== undefined) {
    const { count, ...shard } = alike;
    checkShard(shard, `\`alike\` of stream ${at}`);
    return Array<SimulatedShard>(wholeNumber(`count of \`alike\` of stream ${at}`, count)).fill(shard);
  }
  if (!Array.isArray(shards)) throw wanted(`\`shards\` of stream ${at} to be a list`, shards);
  for (const [number, shard] of shards.entries()) checkShard(shard, `shard ${number} of stream ${at}`);
  return [...shards];
}

function checkShard(shard: SimulatedShard, where: string): void {
  if (typeof shard !== 'object' || shard === null) throw wanted(`${where} to be { samples, rawBytes }`, shard);
  knownOptions(where, shard, ['samples', 'rawBytes', 'zipBytes']);
  wholeNumber(`samples of ${where}`, shard.samples, { max: 0xffff_ffff });
  wholeNumber(`rawBytes of ${where}`, shard.rawBytes);
  if (shard.zipBytes !== undefined) wholeNumber(`zipBytes of ${where}`, shard.zipBytes);
}

function above(name: string, value: unknown, unit: string): number {
  if (typeof value === 'number' && value > 0 && value < Number.POSITIVE_INFINITY) return value;
  throw new SpiralError('invalid_size', `Expected \`${name}\` to be a number above 0 (${unit}), got ${shown(value)}.`, {
    details: { name, found: value },
  });
}

function wanted(what: string, found: unknown): SpiralError {
  return new SpiralError('invalid_argument', `Expected ${what}, got ${shown(found)}.`, { details: { found } });
}

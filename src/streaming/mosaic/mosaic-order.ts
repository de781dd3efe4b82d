import { knownOptions, oneOf, wholeNumber } from '../../core/check.js';
import { SpiralError, shown } from '../../core/errors.js';
import { shardStarts } from '../order/shard-spans.js';
import { checkStreams, epochSamples, mixStreams, type StreamPart, type StreamWeight } from '../order/stream-weights.js';
import {
  type BatchingMethod,
  batchedOrder,
  batchingMethods,
  type EpochOrder,
  type EpochSamples,
} from './mosaic-batching.js';
import type { MosaicWorld, PartitionAlgo } from './mosaic-partition.js';
import { checkPosition, type MosaicPosition } from './mosaic-position.js';
import { epochShuffle, type ShuffleAlgo, shuffleAlgos } from './mosaic-shuffle.js';
import { replicatedRank } from './replicated-rank.js';
import { type SampledStream, type SamplingMethod, sampleStreams } from './stream-sampling.js';

/** One stream: samples of each of its shards, and its weight. */
export interface MosaicStream extends StreamWeight {
  readonly shardSizes: readonly number[];
}

/** What decides MosaicML's order, under its names in camelCase and with its defaults. */
export interface MosaicOrderOptions {
  readonly streams: readonly MosaicStream[];
  /** Samples of a rank's batch. */
  readonly batchSize: number;
  /** Samples of an epoch: a number, or '100k', '64M', '2b'. Default: what the streams' weights say. */
  readonly epochSize?: number | string | undefined;
  /** Default false. */
  readonly shuffle?: boolean | undefined;
  /** Default 'py1e'. */
  readonly shuffleAlgo?: ShuffleAlgo | undefined;
  /** Default 9176. */
  readonly shuffleSeed?: number | undefined;
  /** Samples. Default: 4,000,000 by canonical node, at least 262,144. */
  readonly shuffleBlockSize?: number | undefined;
  /** Default: the nodes; 64 times as many for py1s and py2s. */
  readonly numCanonicalNodes?: number | undefined;
  /** Default 'random'. */
  readonly batchingMethod?: BatchingMethod | undefined;
  /** Default 'balanced'. */
  readonly samplingMethod?: SamplingMethod | undefined;
  /** Default 1. */
  readonly samplingGranularity?: number | undefined;
  /** Default 'relaxed'. */
  readonly partitionAlgo?: PartitionAlgo | undefined;
  /** So many ranks in a row get the same samples. Default 1. */
  readonly replication?: number | undefined;
}

const optionNames: readonly (keyof MosaicOrderOptions)[] = [
  'streams',
  'batchSize',
  'epochSize',
  'shuffle',
  'shuffleAlgo',
  'shuffleSeed',
  'shuffleBlockSize',
  'numCanonicalNodes',
  'batchingMethod',
  'samplingMethod',
  'samplingGranularity',
  'partitionAlgo',
  'replication',
];

const defaultSeed = 9176;
const blockSamples = 4_000_000;
const blockSamplesMin = 262_144;

/** An order with its options checked and its streams mixed: of every epoch and any world. */
export class MosaicOrder {
  readonly #options: MosaicOrderOptions;
  readonly #parts: readonly StreamPart[];
  /** Samples of an epoch, over all ranks, before any are repeated or dropped to fit them. */
  readonly epochSize: number;
  /** The seed of the first pass; a position's comes before it. */
  readonly shuffleSeed: number;

  /**
   * @throws SpiralError `invalid_argument` for an unknown option or word and for weights that do not go together,
   * `invalid_size` for numbers out of range, `no_rows` where an epoch has no samples.
   */
  constructor(options: MosaicOrderOptions) {
    checkOptions(options);
    this.#options = options;
    this.shuffleSeed = options.shuffleSeed ?? defaultSeed;
    const sizes = options.streams.map(({ shardSizes }) => shardSizes.reduce((a, b) => a + b, 0));
    const epochSize = options.epochSize === undefined ? undefined : epochSamples(options.epochSize);
    this.#parts = mixStreams(options.streams, sizes, epochSize, this.shuffleSeed);
    this.epochSize = this.#parts.reduce((sum, { choose }) => sum + choose, 0);
  }

  /** So many ranks in a row get the same samples. */
  get replication(): number {
    return this.#options.replication ?? 1;
  }

  /** Samples that an epoch takes of each stream. */
  get choose(): number[] {
    return this.#parts.map(({ choose }) => choose);
  }

  /** The first sample of each shard of all streams, and last, their end. */
  get shardStarts(): Float64Array {
    return shardStarts(this.#options.streams.flatMap(({ shardSizes }) => shardSizes));
  }

  /** Canonical nodes of a run that begins on so many nodes. */
  canonicalNodes(nodes: number): number {
    const { numCanonicalNodes, shuffleAlgo } = this.#options;
    return numCanonicalNodes ?? (shuffleAlgo === 'py1s' || shuffleAlgo === 'py2s' ? 64 * nodes : nodes);
  }

  /**
   * What is left of the epoch at `position`, by rank and place of `world`, which `replication` has shrunk (see {@link replicatedRank}).
   *
   * Holds 4 bytes a sample of the epoch where it shuffles, as many again where streams are sampled.
   *
   * @throws SpiralError as {@link batchedOrder} and {@link epochShuffle} do; `invalid_state` for a position out of range.
   */
  epoch(position: MosaicPosition, world: MosaicWorld): EpochOrder {
    const { batchingMethod = 'random', samplingMethod = 'balanced', shuffle = false } = this.#options;
    checkPosition(position);
    const seed = BigInt(position.shuffleSeed ?? this.shuffleSeed);
    const canonicalNodes = position.numCanonicalNodes ?? this.canonicalNodes(world.nodes);
    // Unshuffled epochs take the same number of each shard and turn by turn the same streams, but other samples.
    const pickSeed = samplingMethod === 'balanced' ? seed + BigInt(position.epoch) : seed;
    const drawSeed = shuffle ? pickSeed : seed;
    const sampledStreams = this.#sampledStreams();
    const samplesOfStreams = (streams: readonly SampledStream[], proportion: number): EpochSamples => {
      const sampled = sampleStreams(streams, this.#options.samplingGranularity ?? 1, drawSeed, pickSeed);
      const order = shuffle
        ? epochShuffle(this.#options.shuffleAlgo ?? 'py1e', {
            shardSizes: sampled.units,
            canonicalNodes,
            seed,
            epoch: position.epoch,
            blockSize: this.#blockSize(canonicalNodes, proportion),
          })
        : undefined;
      const { ids, first } = sampled;
      const sampleAt = (place: number): number => {
        const unshuffled = order === undefined ? place : order[place]!;
        return ids === undefined ? first + unshuffled : ids[unshuffled]!;
      };
      return { samples: sampled.samples, proportion, sampleAt };
    };
    const streams =
      batchingMethod === 'random'
        ? [samplesOfStreams(sampledStreams, 1)]
        : sampledStreams.map((stream, at) => samplesOfStreams([stream], this.#parts[at]!.proportion));
    return this.#batched(position, world, streams);
  }

  /**
   * Samples that the ranks of `world` are given more than once in what is left of the epoch at `position`, by padding.
   *
   * Walks the places of all ranks, and holds a bit for each sample of the epoch; shuffles nothing.
   *
   * @throws SpiralError as {@link batchedOrder} does; `invalid_state` for a position out of range.
   */
  repeats(position: MosaicPosition, world: MosaicWorld): number {
    checkPosition(position);
    let first = 0;
    const plain = this.#parts.map(({ choose, proportion }): EpochSamples => {
      const start = first;
      first += choose;
      return { samples: choose, proportion, sampleAt: (place) => start + place };
    });
    const mixed: EpochSamples = { samples: first, proportion: 1, sampleAt: (place) => place };
    const { batchingMethod = 'random' } = this.#options;
    const order = this.#batched(position, world, batchingMethod === 'random' ? [mixed] : plain);
    const seen = new Uint8Array(Math.ceil(first / 8));
    let repeats = 0;
    for (let place = 0; place < order.rankLength; place++) {
      for (let rank = 0; rank < world.nodes * world.ranksPerNode; rank++) {
        const sample = order.at(Math.floor(rank / world.ranksPerNode), rank % world.ranksPerNode, place);
        if (sample < 0) continue;
        const at = Math.floor(sample / 8);
        if ((seen[at]! & (1 << (sample % 8))) !== 0) repeats++;
        else seen[at]! |= 1 << (sample % 8);
      }
    }
    return repeats;
  }

  #batched(position: MosaicPosition, world: MosaicWorld, streams: readonly EpochSamples[]): EpochOrder {
    const { batchSize, batchingMethod = 'random', samplingMethod = 'balanced', shuffle = false } = this.#options;
    const seed = BigInt(position.shuffleSeed ?? this.shuffleSeed);
    return batchedOrder(batchingMethod, {
      streams,
      world,
      batchSize,
      canonicalNodes: position.numCanonicalNodes ?? this.canonicalNodes(world.nodes),
      partitionAlgo: this.#options.partitionAlgo ?? 'relaxed',
      initialNodes: position.initialPhysicalNodes,
      sampleInEpoch: position.sampleInEpoch,
      batchSeed: shuffle && samplingMethod === 'balanced' ? seed + BigInt(position.epoch) : seed,
    });
  }

  /**
   * The batches of one rank, each the samples it takes, in the order in which MosaicML's loader gives them: its workers in
   * turn. Only the epoch's last may be short.
   *
   * @throws SpiralError as {@link epoch} does, before the first batch; `invalid_world` where ranks and `replication` do not
   * fit.
   */
  *batches(position: MosaicPosition, world: MosaicWorld, rank: number): Generator<number[], void, undefined> {
    const { batchSize } = this.#options;
    const own = replicatedRank(world, rank, this.replication);
    const order = this.epoch(position, own.world);
    for (let start = 0; start < order.rankLength; start += batchSize) {
      const batch: number[] = [];
      for (let place = start; place < start + batchSize; place++) {
        const sample = order.at(own.node, own.rankOfNode, place);
        if (sample >= 0) batch.push(sample);
      }
      if (batch.length > 0) yield batch;
    }
  }

  /**
   * Where a run stands when each rank has been given `samples` more since `position`: what `stateDict` saves.
   *
   * Canonical nodes, seed and first nodes are kept from then on, as the order depends on them.
   */
  after(position: MosaicPosition, world: MosaicWorld, samples: number): MosaicPosition {
    const ranks = (world.nodes * world.ranksPerNode) / this.replication;
    const { nodes } = replicatedRank(world, 0, this.replication).world;
    return {
      epoch: position.epoch,
      sampleInEpoch: position.sampleInEpoch + samples * ranks,
      numCanonicalNodes: position.numCanonicalNodes ?? this.canonicalNodes(nodes),
      shuffleSeed: position.shuffleSeed ?? this.shuffleSeed,
      initialPhysicalNodes: position.initialPhysicalNodes ?? nodes,
    };
  }

  #sampledStreams(): SampledStream[] {
    let first = 0;
    return this.#options.streams.map(({ shardSizes }, stream) => {
      const sampled = { first, shardSizes, choose: this.#parts[stream]!.choose };
      first += shardSizes.reduce((a, b) => a + b, 0);
      return sampled;
    });
  }

  #blockSize(canonicalNodes: number, proportion: number): number {
    const whole =
      this.#options.shuffleBlockSize ?? Math.max(Math.floor(blockSamples / canonicalNodes), blockSamplesMin);
    return Math.floor(whole * proportion);
  }
}

function checkOptions(options: MosaicOrderOptions): void {
  knownOptions("order: 'mosaic'", options, optionNames);
  checkStreams(options.streams);
  wholeNumber('batchSize', options.batchSize, { min: 1, unit: 'samples' });
  oneOf('shuffleAlgo', options.shuffleAlgo ?? 'py1e', shuffleAlgos);
  oneOf('batchingMethod', options.batchingMethod ?? 'random', batchingMethods);
  oneOf('samplingMethod', options.samplingMethod ?? 'balanced', ['balanced', 'fixed']);
  oneOf('partitionAlgo', options.partitionAlgo ?? 'relaxed', ['orig', 'relaxed']);
  if (typeof (options.shuffle ?? false) !== 'boolean') {
    throw new SpiralError(
      'invalid_argument',
      `Expected \`shuffle\` to be true or false, got ${shown(options.shuffle)}.`,
      {
        details: { found: options.shuffle },
      },
    );
  }
  wholeNumber('shuffleSeed', options.shuffleSeed ?? defaultSeed);
  for (const name of ['shuffleBlockSize', 'numCanonicalNodes', 'samplingGranularity', 'replication'] as const) {
    if (options[name] !== undefined) wholeNumber(name, options[name], { min: 1 });
  }
}

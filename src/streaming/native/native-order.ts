import { knownOptions, oneOf, wholeNumber } from '../../core/check.js';
import { SpiralError, shown } from '../../core/errors.js';
import { permutation, randomStream } from '../../core/random.js';
import type { World } from '../../sharding/world.js';
import type { MosaicStream } from '../mosaic/mosaic-order.js';
import type { SampleOrder } from '../order/sample-order.js';
import { shardStarts } from '../order/shard-spans.js';
import { checkStreams, epochSamples, mixStreams, type StreamPart } from '../order/stream-weights.js';
import { cutParts, epochPieces, type TakenStream } from './epoch-pieces.js';
import { NativeEpoch, type NativeUneven, nativeUnevenWords } from './native-epoch.js';

/** What decides the native order. All of it must stay the same where a run is resumed; the world need not. */
export interface NativeOrderOptions {
  /** The shards of all streams, in order, and the streams' weights. */
  readonly streams: readonly MosaicStream[];
  /** Samples of an epoch: a number, or '100k', '64M', '2b'. Default: what the streams' weights say. */
  readonly epochSize?: number | string | undefined;
  /** Default false: the parts in turn, each as it stands. */
  readonly shuffle?: boolean | undefined;
  /** Default 9176, as MosaicML's. */
  readonly shuffleSeed?: number | undefined;
  /**
   * Samples that are mixed at a time, over all parts; rounded up to a multiple of the parts. Default: 64 MiB of samples of
   * `sampleBytes`, at least 1,024 and at most 262,144.
   */
  readonly shuffleBlockSize?: number | undefined;
  /** Mean bytes of a sample. Default 1,024. */
  readonly sampleBytes?: number | undefined;
  /**
   * Parts that are read at the same time, at most one a shard. A rank of a world whose size divides them reads the shards of
   * its own parts alone. Default 8.
   */
  readonly partitions?: number | undefined;
  /**
   * Of ranks that an epoch does not divide among equally: `pad` (the default) fills the last place of those that have one
   * sample less by the last sample of the place's part again, `drop` leaves out the last samples, `keep` gives each sample
   * once to ranks that differ by one.
   */
  readonly uneven?: NativeUneven | undefined;
}

/** Where in a run, and who asks. */
export interface NativePosition {
  readonly epoch: number;
  /** Samples of the epoch that all ranks together have seen. Default 0. */
  readonly sampleInEpoch?: number | undefined;
  readonly world: World;
}

const optionNames: readonly (keyof NativeOrderOptions)[] = [
  'streams',
  'epochSize',
  'shuffle',
  'shuffleSeed',
  'shuffleBlockSize',
  'sampleBytes',
  'partitions',
  'uneven',
];

const defaultSeed = 9176;
const defaultPartitions = 8;
const defaultSampleBytes = 1024;
const blockBytes = 64 * 1024 * 1024;
const blockSamplesMin = 1024;
const blockSamplesMax = 262_144;

/**
 * The native order of samples: a function of options, epoch and position that no world changes. Nothing in it is as long as
 * the epoch: it holds some numbers a shard, and a window of each part that is asked for.
 *
 * The shards, in an order that the seed alone gives, so that parts keep theirs from epoch to epoch, are cut into equal parts.
 * An epoch takes the parts in turn, a sample of each; within a part it orders the shards anew and mixes a window at a time.
 */
export class NativeOrder {
  /** Samples of an epoch, each given once before ranks are filled up. */
  readonly epochSize: number;
  readonly partitions: number;
  /** Samples that are mixed at a time, over all parts. */
  readonly shuffleBlockSize: number;
  readonly #shuffleSeed: number;
  readonly #shuffle: boolean;
  readonly #uneven: NativeUneven;
  readonly #streams: readonly TakenStream[];
  readonly #shardOrder: Uint32Array;
  readonly #shardStarts: Float64Array;

  /**
   * @throws SpiralError `invalid_argument` for an unknown option or word and for weights that do not go together,
   * `invalid_size` for numbers out of range, `no_rows` where an epoch has no samples.
   */
  constructor(options: NativeOrderOptions) {
    checkOptions(options);
    const { streams, shuffle = false, uneven = 'pad', shuffleSeed = defaultSeed } = options;
    const sizes = streams.map(({ shardSizes }) => shardSizes.reduce((a, b) => a + b, 0));
    const epochSize = options.epochSize === undefined ? undefined : epochSamples(options.epochSize);
    const taken = mixStreams(streams, sizes, epochSize, shuffleSeed);
    this.#streams = takenStreams(streams, sizes, taken);
    this.epochSize = taken.reduce((sum, { choose }) => sum + choose, 0);
    const shards = streams.flatMap(({ shardSizes }) => shardSizes);
    this.partitions = Math.min(
      options.partitions ?? defaultPartitions,
      this.epochSize,
      Math.max(1, filledShards(this.#streams)),
    );
    const block = options.shuffleBlockSize ?? defaultBlock(options.sampleBytes ?? defaultSampleBytes);
    this.shuffleBlockSize = Math.ceil(block / this.partitions) * this.partitions;
    this.#shuffle = shuffle;
    this.#shuffleSeed = shuffleSeed;
    this.#uneven = uneven;
    this.#shardStarts = shardStarts(shards);
    this.#shardOrder = shuffle
      ? permutation(shards.length, randomStream('stream-shards', shuffleSeed))
      : Uint32Array.from(shards, (_, shard) => shard);
  }

  /** Samples that an epoch takes of each stream. */
  get choose(): number[] {
    return this.#streams.map(({ choose }) => choose);
  }

  /**
   * What a rank is given in what is left of an epoch at a position: exactly the positions from `sampleInEpoch` on, whichever
   * world gave those before. Takes time by the shards, not by the samples.
   *
   * @throws SpiralError `invalid_size` where epoch or position is no whole number of at least 0.
   */
  epoch({ epoch, sampleInEpoch = 0, world }: NativePosition): SampleOrder {
    wholeNumber('epoch', epoch);
    wholeNumber('sampleInEpoch', sampleInEpoch);
    return new NativeEpoch({
      parts: cutParts(epochPieces(this.#streams, this.#shardOrder, epoch), this.partitions),
      samples: this.epochSize,
      shardStarts: this.#shardStarts,
      uneven: this.#uneven,
      sampleInEpoch,
      world,
      seed: this.#shuffleSeed,
      epoch,
      windowSamples: this.#shuffle ? this.shuffleBlockSize / this.partitions : undefined,
    });
  }
}

function takenStreams(
  streams: readonly MosaicStream[],
  sizes: readonly number[],
  taken: readonly StreamPart[],
): TakenStream[] {
  let firstShard = 0;
  return streams.map(({ shardSizes }, at) => {
    const stream = { shardSizes, firstShard, samples: sizes[at]!, choose: taken[at]!.choose };
    firstShard += shardSizes.length;
    return stream;
  });
}

function filledShards(streams: readonly TakenStream[]): number {
  const taken = streams.filter(({ choose }) => choose > 0);
  return taken.reduce((sum, { shardSizes }) => sum + shardSizes.filter((size) => size > 0).length, 0);
}

function defaultBlock(sampleBytes: number): number {
  return Math.min(blockSamplesMax, Math.max(blockSamplesMin, Math.floor(blockBytes / Math.max(1, sampleBytes))));
}

function checkOptions(options: NativeOrderOptions): void {
  knownOptions("order: 'native'", options, optionNames);
  const { shuffle = false, sampleBytes = defaultSampleBytes } = options;
  checkStreams(options.streams);
  if (typeof shuffle !== 'boolean') throw wanted('`shuffle` to be true or false', shuffle);
  if (!(typeof sampleBytes === 'number' && sampleBytes >= 0)) {
    throw wanted('`sampleBytes` to be a number of bytes', sampleBytes);
  }
  oneOf('uneven', options.uneven ?? 'pad', nativeUnevenWords);
  wholeNumber('shuffleSeed', options.shuffleSeed ?? defaultSeed);
  for (const name of ['shuffleBlockSize', 'partitions'] as const) {
    if (options[name] !== undefined) wholeNumber(name, options[name], { min: 1 });
  }
}

function wanted(what: string, found: unknown): SpiralError {
  return new SpiralError('invalid_argument', `Expected ${what}, got ${shown(found)}.`, { details: { found } });
}

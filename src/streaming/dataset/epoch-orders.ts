import { SpiralError } from '../../core/errors.js';
import type { GivenRows } from '../../loader/source.js';
import { World } from '../../sharding/world.js';
import { MosaicOrder } from '../mosaic/mosaic-order.js';
import type { MosaicPosition } from '../mosaic/mosaic-position.js';
import { mosaicSampleOrder } from '../mosaic/mosaic-sample-order.js';
import { replicatedRank } from '../mosaic/replicated-rank.js';
import { NativeOrder } from '../native/native-order.js';
import type { SampleOrder } from '../order/sample-order.js';
import type { RankOrders } from '../samples/ordered-samples.js';
import type { SampleShards } from '../samples/sample-shards.js';
import type { StreamingSettings } from './streaming-options.js';

/** The order that a data set's settings ask for: of any epoch, position and world. */
export class EpochOrders {
  readonly #settings: StreamingSettings;
  readonly #native: NativeOrder | undefined;
  readonly #mosaic: MosaicOrder | undefined;

  /** `shardCounts`: shards of each stream. @throws SpiralError as `NativeOrder` and `MosaicOrder`. */
  constructor(settings: StreamingSettings, { shardSizes, sampleBytes }: SampleShards, shardCounts: readonly number[]) {
    this.#settings = settings;
    let first = 0;
    const streams = settings.streams.map(({ proportion, repeat, choose }, at) => {
      const sizes = shardSizes.slice(first, first + shardCounts[at]!);
      first += shardCounts[at]!;
      return { shardSizes: sizes, proportion, repeat, choose };
    });
    const { order, epochSize, shuffle, shuffleSeed, shuffleBlockSize } = settings;
    const common = { streams, epochSize, shuffle, shuffleSeed, shuffleBlockSize };
    if (order === 'native') {
      const { partitions, uneven } = settings;
      this.#native = new NativeOrder({ ...common, partitions, uneven, sampleBytes });
    } else {
      const { batchSize, shuffleAlgo, numCanonicalNodes, batchingMethod, samplingMethod } = settings;
      const { samplingGranularity, partitionAlgo, replication } = settings;
      this.#mosaic = new MosaicOrder({
        ...common,
        batchSize: batchSize!,
        shuffleAlgo,
        numCanonicalNodes,
        batchingMethod,
        samplingMethod,
        samplingGranularity,
        partitionAlgo,
        replication,
      });
    }
  }

  /** Samples of an epoch, over all ranks, before any are repeated or dropped to fit them. */
  get epochSize(): number {
    return (this.#native ?? this.#mosaic!).epochSize;
  }

  /** What the state fields of the order are, that options leave open, in a run that begins with `world`. */
  resolved(position: MosaicPosition, world: World): Required<MosaicPosition> {
    const { epoch, sampleInEpoch, initialPhysicalNodes } = position;
    const { nodes } = this.#shared(world).world;
    const mosaic = this.#mosaic;
    return {
      epoch,
      sampleInEpoch,
      numCanonicalNodes:
        position.numCanonicalNodes ?? (mosaic === undefined ? this.#native!.partitions : mosaic.canonicalNodes(nodes)),
      shuffleSeed: position.shuffleSeed ?? this.#settings.shuffleSeed,
      initialPhysicalNodes: initialPhysicalNodes ?? nodes,
    };
  }

  /** What each rank of `world` is given of the epoch from `position` on, of which `past` worlds gave a part meanwhile. */
  ranks(position: MosaicPosition, world: World, past: readonly GivenRows[]): RankOrders {
    const at = past.length === 0 ? position : this.#after(position, past);
    const orders = new Map<number, SampleOrder>();
    const { replication } = this.#settings;
    const { ranks } = this.#shared(world);
    const orderOf = (rank: number): SampleOrder => {
      const own = Math.floor(rank / replication);
      let order = orders.get(own);
      if (order === undefined) {
        order = this.#order(at, world, rank);
        orders.set(own, order);
      }
      return order;
    };
    const repeatsOf = (rank: number): number | null => {
      if (rank % replication > 0) return orderOf(rank).rankLength;
      if (this.#native === undefined && ranks > 1) return null;
      const { duplicates } = orderOf(rank);
      // Of several ranks each is filled up by one sample, the last ones first.
      return ranks === 1 ? duplicates : Math.floor(rank / replication) < ranks - duplicates ? 0 : 1;
    };
    return { orderOf, repeatsOf };
  }

  #order(at: MosaicPosition, world: World, rank: number): SampleOrder {
    if (this.#mosaic !== undefined) {
      return gapless(mosaicSampleOrder(this.#mosaic, at, this.#mosaicWorld(world.worldSize), rank));
    }
    const { replication } = this.#settings;
    const own = new World({ rank: Math.floor(rank / replication), worldSize: this.#shared(world).ranks });
    return this.#native!.epoch({ epoch: at.epoch, sampleInEpoch: at.sampleInEpoch, world: own });
  }

  /** The ranks that share an epoch, and as MosaicML counts them. */
  #shared({ worldSize }: World): { ranks: number; world: { nodes: number; ranksPerNode: number } } {
    const { replication } = this.#settings;
    const { world } = replicatedRank(this.#mosaicWorld(worldSize), 0, replication);
    return { ranks: worldSize / replication, world };
  }

  #mosaicWorld(worldSize: number): { nodes: number; ranksPerNode: number; workersPerRank: number } {
    const ranksPerNode = Math.min(worldSize, this.#settings.localWorldSize ?? worldSize);
    if (worldSize % ranksPerNode !== 0) {
      throw new SpiralError(
        'invalid_world',
        `Expected \`localWorldSize\` (${ranksPerNode} ranks a node) to divide the ${worldSize} ranks of the world.`,
        { details: { worldSize, localWorldSize: ranksPerNode } },
      );
    }
    const workersPerRank = Math.max(1, this.#settings.numWorkers ?? 1);
    return { nodes: worldSize / ranksPerNode, ranksPerNode, workersPerRank };
  }

  /** Where the epoch stands once the ranks of `past` worlds were given their rows, one world after the other. */
  #after(position: MosaicPosition, past: readonly GivenRows[]): MosaicPosition {
    if (this.#mosaic !== undefined && this.#settings.numCanonicalNodes === undefined) {
      throw new SpiralError(
        'unsupported',
        "Expected `numCanonicalNodes` beside `order: 'mosaic'` where a loader goes on in another world: the order depends on " +
          'it, and by default it follows from the world. Give it from the start, or use the native order.',
      );
    }
    let at = position;
    for (const { worldSize, rows } of past) {
      const world = new World({ rank: 0, worldSize });
      const shared = rows.filter((_, rank) => rank % this.#settings.replication === 0);
      const given = this.#native === undefined ? equalRows(shared) : this.#positions(at.sampleInEpoch, shared);
      const { sampleInEpoch } = at;
      at = { ...this.resolved(at, world), sampleInEpoch: given === undefined ? this.epochSize : sampleInEpoch + given };
    }
    return at;
  }

  /** Positions that were given from `from` on where rank r was given `rows[r]`; undefined: all. */
  #positions(from: number, rows: readonly (number | null)[]): number | undefined {
    const ranks = rows.length;
    const left = Math.max(0, this.epochSize - from);
    const ownOf = (rank: number): number => Math.max(0, Math.ceil((left - rank) / ranks));
    let next = Number.POSITIVE_INFINITY;
    for (const [rank, given] of rows.entries()) {
      if (given !== null && given < ownOf(rank)) next = Math.min(next, given * ranks + rank);
    }
    if (next === Number.POSITIVE_INFINITY) return undefined;
    for (const [rank, given] of rows.entries()) {
      const before = Math.max(0, Math.ceil((next - rank) / ranks));
      if (Math.min(given ?? ownOf(rank), ownOf(rank)) !== before) throw uneven(rank);
    }
    return next;
  }
}

function equalRows(rows: readonly (number | null)[]): number | undefined {
  const given = rows.find((count) => count !== null);
  if (given === undefined || given === null) return undefined;
  const other = rows.findIndex((count) => count !== given);
  if (other >= 0) throw uneven(other);
  return given * rows.length;
}

function uneven(rank: number): SpiralError {
  return new SpiralError(
    'state_mismatch',
    `Expected the states of all ranks to be of the same step, but rank ${rank} had received another number of samples. Save ` +
      'the states of all ranks together, after the same step.',
    { details: { rank } },
  );
}

/** `order` without its empty places. Holds 8 bytes a place. */
function gapless(order: SampleOrder): SampleOrder {
  const ids = new Float64Array(order.rankLength);
  order.samples(0, ids.length, ids);
  const filled = ids.filter((id) => id >= 0);
  return {
    rankLength: filled.length,
    samples: (from, to, into) => {
      into.fill(-1, 0, to - from);
      into.set(filled.subarray(from, Math.min(to, filled.length)));
    },
    get duplicates(): number {
      return order.duplicates;
    },
    shardsFrom: (place) => order.shardsFrom(place),
  };
}

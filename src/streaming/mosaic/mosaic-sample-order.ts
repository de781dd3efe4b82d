import { type SampleOrder, shardsOfSamples } from '../order/sample-order.js';
import type { MosaicOrder } from './mosaic-order.js';
import type { MosaicWorld } from './mosaic-partition.js';
import type { MosaicPosition } from './mosaic-position.js';
import { replicatedRank } from './replicated-rank.js';

/**
 * MosaicML's order, for one rank of `world`, of what is left of the epoch at `position`. Places run in the order of
 * training, and are -1 where MosaicML pads the blocks of its workers.
 *
 * Memory as `MosaicOrder.epoch`. `duplicates` takes time by the samples of all ranks, once, and a bit for each.
 *
 * @throws SpiralError as `MosaicOrder.epoch` does; `invalid_world` where ranks and `replication` do not fit.
 */
export function mosaicSampleOrder(
  order: MosaicOrder,
  position: MosaicPosition,
  world: MosaicWorld,
  rank: number,
): SampleOrder {
  const own = replicatedRank(world, rank, order.replication);
  const { rankLength, at } = order.epoch(position, own.world);
  let duplicates: number | undefined;
  const samples = (from: number, to: number, ids: Float64Array): void => {
    for (let place = from; place < to; place++) {
      ids[place - from] = place < rankLength ? at(own.node, own.rankOfNode, place) : -1;
    }
  };
  return {
    rankLength,
    samples,
    get duplicates(): number {
      duplicates ??= order.repeats(position, own.world);
      return duplicates;
    },
    shardsFrom: (place) => shardsOfSamples({ rankLength, samples }, order.shardStarts, place),
  };
}

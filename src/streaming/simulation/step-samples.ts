import { World } from '../../sharding/world.js';
import { MosaicOrder } from '../mosaic/mosaic-order.js';
import { NativeOrder } from '../native/native-order.js';
import type { SimulationSettings } from './simulate-options.js';

/** The samples of each step of one epoch, over all ranks. */
export interface StepSamples {
  readonly steps: number;
  /** Writes the samples of step `step` to `ids`: the first of each rank, then the second of each …; -1 where there is none. */
  read(step: number, ids: Float64Array): void;
}

/** What each epoch of a simulation gives, by the order that its settings ask for. */
export function stepSamples(settings: SimulationSettings): (epoch: number) => StepSamples {
  return settings.order === 'native' ? nativeSteps(settings) : mosaicSteps(settings);
}

/** Ranks take the positions of the epoch in turn: one rank of a world of one gives them in just this order. */
function nativeSteps({
  streams,
  shards,
  orderOptions,
  ...settings
}: SimulationSettings): (epoch: number) => StepSamples {
  const samples = shards.reduce((sum, shard) => sum + shard.samples, 0);
  const bytes = shards.reduce((sum, shard) => sum + shard.rawBytes, 0);
  const order = new NativeOrder({ ...orderOptions, streams, sampleBytes: samples === 0 ? 0 : bytes / samples });
  const { nodes, ranksPerNode, batchSize } = settings;
  const ranks = nodes * ranksPerNode;
  return (epoch) => {
    const alone = order.epoch({ epoch, world: new World({ rank: 0, worldSize: 1 }) });
    const { rankLength } = order.epoch({ epoch, world: new World({ rank: 0, worldSize: ranks }) });
    const given = Math.min(alone.rankLength, rankLength * ranks);
    return {
      steps: Math.ceil(rankLength / batchSize),
      read: (step, ids) => {
        const start = step * ranks * batchSize;
        const end = Math.max(start, Math.min(given, start + ids.length));
        alone.samples(start, end, ids);
        // What fills up ranks at the very end are samples of shards that are at hand.
        ids.fill(-1, end - start);
      },
    };
  };
}

function mosaicSteps({ streams, orderOptions, ...settings }: SimulationSettings): (epoch: number) => StepSamples {
  const { nodes, ranksPerNode, workersPerRank, batchSize } = settings;
  const order = new MosaicOrder({ ...orderOptions, streams, batchSize });
  const world = { nodes, ranksPerNode, workersPerRank };
  const ranks = nodes * ranksPerNode;
  return (epoch) => {
    const { rankLength, at } = order.epoch({ epoch, sampleInEpoch: 0 }, world);
    return {
      steps: Math.ceil(rankLength / batchSize),
      read: (step, ids) => {
        for (let index = 0; index < ids.length; index++) {
          const rank = index % ranks;
          const place = step * batchSize + Math.floor(index / ranks);
          ids[index] = at(Math.floor(rank / ranksPerNode), rank % ranksPerNode, place);
        }
      },
    };
  };
}

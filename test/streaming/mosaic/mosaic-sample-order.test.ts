import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchingMethods } from '../../../src/streaming/mosaic/mosaic-batching.js';
import { MosaicOrder } from '../../../src/streaming/mosaic/mosaic-order.js';
import { mosaicSampleOrder } from '../../../src/streaming/mosaic/mosaic-sample-order.js';
import type { SampleOrder } from '../../../src/streaming/order/sample-order.js';
import { lawRuns } from '../../laws.js';

const streams = [{ shardSizes: [40, 0, 31, 77] }, { shardSizes: [50, 66] }];
const starts = [0, 40, 40, 71, 148, 198, 264];
const upTo = (length: number): number[] => Array.from({ length }, (_, at) => at);

function idsOf(order: SampleOrder): number[] {
  const ids = new Float64Array(order.rankLength + 2);
  order.samples(0, ids.length, ids);
  expect([...ids.subarray(order.rankLength)]).toEqual([-1, -1]);
  return [...ids.subarray(0, order.rankLength)];
}

describe("MosaicML's order, as one rank is given it", () => {
  it('has its batches, counts what is given again, and names shards in the order of need', () => {
    const law = fc.property(
      fc.constantFrom(...batchingMethods),
      fc.boolean(),
      fc.constantFrom(1, 2, 4),
      fc.constantFrom(1, 2),
      fc.constantFrom(1, 2),
      fc.nat(250),
      fc.nat(60),
      (batchingMethod, shuffle, nodes, ranksPerNode, replication, sampleInEpoch, place) => {
        const options = { streams, batchSize: 3, batchingMethod, shuffle, numCanonicalNodes: 4, replication };
        const order = new MosaicOrder(options);
        const world = { nodes, ranksPerNode, workersPerRank: 2 };
        const position = { epoch: 2, sampleInEpoch };
        fc.pre(nodes * ranksPerNode >= replication);
        const given: number[] = [];
        let duplicates = 0;
        for (let rank = 0; rank < nodes * ranksPerNode; rank++) {
          const mine = mosaicSampleOrder(order, position, world, rank);
          const ids = idsOf(mine);
          const batches = [...order.batches(position, world, rank)];
          expect(ids.filter((id) => id >= 0)).toEqual(batches.flat());
          const from = Math.min(place, ids.length);
          const needed = ids.slice(from).filter((id) => id >= 0);
          const shards = needed.map((id) => starts.findLastIndex((start) => start <= id));
          expect([...mine.shardsFrom(from)]).toEqual([...new Set(shards)]);
          if (rank % replication === 0) given.push(...batches.flat());
          duplicates = mine.duplicates;
        }
        expect(duplicates).toBe(given.length - new Set(given).size);
      },
    );
    fc.assert(law, { numRuns: lawRuns(60, 3000) });
  });

  it('does not count what a stream repeats', () => {
    const order = new MosaicOrder({ streams: [{ shardSizes: [10], repeat: 2 }], batchSize: 4, shuffle: true });
    const mine = mosaicSampleOrder(
      order,
      { epoch: 0, sampleInEpoch: 0 },
      { nodes: 1, ranksPerNode: 1, workersPerRank: 1 },
      0,
    );
    const ids = idsOf(mine).filter((id) => id >= 0);
    expect(ids.toSorted((a, b) => a - b)).toEqual(upTo(20).map((at) => Math.floor(at / 2)));
    expect(mine.duplicates).toBe(0);
  });
});

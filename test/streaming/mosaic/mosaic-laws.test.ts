import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MosaicOrder, type MosaicOrderOptions } from '../../../src/streaming/mosaic/mosaic-order.js';
import { type MosaicWorld, partition } from '../../../src/streaming/mosaic/mosaic-partition.js';
import { positionOfState, stateOfPosition } from '../../../src/streaming/mosaic/mosaic-position.js';
import { epochShuffle, type ShuffleSettings, shuffleAlgos } from '../../../src/streaming/mosaic/mosaic-shuffle.js';
import { sampleStreams } from '../../../src/streaming/mosaic/stream-sampling.js';
import { lawRuns } from '../../laws.js';

interface Goldens {
  readonly py1b: readonly (ShuffleSettings & { ids: number[] })[];
}

const goldens = JSON.parse(readFileSync(new URL('../order/goldens/numpy.json', import.meta.url), 'utf8')) as Goldens;
const ascending = (numbers: Iterable<number>): number[] => [...numbers].sort((a, b) => a - b);
const upTo = (length: number): number[] => Array.from({ length }, (_, at) => at);
const refusal = (code: string): unknown => expect.objectContaining({ name: 'SpiralError', code });

/** The samples of each global batch, over all ranks. */
function globalBatches(order: MosaicOrder, world: MosaicWorld, sampleInEpoch = 0): number[][] {
  const ranks = world.nodes * world.ranksPerNode;
  const perRank = upTo(ranks).map((rank) => [...order.batches({ epoch: 1, sampleInEpoch }, world, rank)]);
  return perRank[0]!.map((_, batch) => perRank.flatMap((batches) => batches[batch] ?? []));
}

describe('a shuffle', () => {
  it('gives each sample once, whatever the shards, empty ones too', () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 12 });
    const settings = fc.record({
      shardSizes: sizes,
      canonicalNodes: fc.integer({ min: 1, max: 9 }),
      seed: fc.nat(),
      epoch: fc.nat(20),
      blockSize: fc.integer({ min: 2, max: 400 }),
    });
    fc.assert(
      fc.property(fc.constantFrom(...shuffleAlgos), settings, (algo, given) => {
        const samples = given.shardSizes.reduce((a, b) => a + b, 0);
        if (algo === 'py1e' && samples < given.canonicalNodes) {
          expect(() => epochShuffle(algo, given)).toThrow(refusal('no_rows') as Error);
          return;
        }
        const ids = epochShuffle(algo, given);
        expect(ascending(ids)).toEqual(upTo(samples));
        expect(epochShuffle(algo, given)).toEqual(ids);
      }),
      { numRuns: lawRuns(300, 20_000) },
    );
  });

  it('keeps the samples of a bucket through all epochs, but for naive', () => {
    for (const algo of shuffleAlgos.filter((one) => one !== 'naive')) {
      const bucket = (epoch: number, at: number): number[] =>
        ascending(
          epochShuffle(algo, {
            shardSizes: [40, 3, 17, 40, 100],
            canonicalNodes: 4,
            seed: 8,
            epoch,
            blockSize: 32,
          }).subarray(at * 50, at * 50 + 50),
        );
      for (const at of upTo(4)) expect(bucket(5, at)).toEqual(bucket(0, at));
    }
  });

  it('of py1b is as its description makes it with numpy', () => {
    for (const { ids, ...settings } of goldens.py1b) expect([...epochShuffle('py1b', settings)]).toEqual(ids);
  });

  it('refuses blocks that nothing can be drawn from', () => {
    const settings = { shardSizes: [10], canonicalNodes: 1, seed: 1, epoch: 0 };
    expect(() => epochShuffle('py1br', { ...settings, blockSize: 1 })).toThrow(refusal('invalid_size') as Error);
    expect(() => epochShuffle('py1e', { ...settings, blockSize: 0 })).toThrow(refusal('invalid_size') as Error);
    expect(() => epochShuffle('py1b', { ...settings, blockSize: 0 })).toThrow(refusal('invalid_size') as Error);
    expect(() => epochShuffle('naive', { ...settings, shardSizes: [2 ** 32], blockSize: 9 })).toThrow(
      refusal('limit_exceeded') as Error,
    );
  });
});

describe('a partition', () => {
  it('has the same global batches for every world of one global batch size, resumed too', () => {
    const cases = fc.record({
      samples: fc.integer({ min: 1, max: 900 }),
      canonicalNodes: fc.constantFrom(4, 8, 12),
      shuffleAlgo: fc.constantFrom(...shuffleAlgos.filter((algo) => algo !== 'py1e')),
      seen: fc.nat(8),
    });
    const worlds = [
      [1, 1, 24],
      [1, 8, 3],
      [2, 4, 3],
      [4, 1, 6],
      [4, 6, 1],
    ] as const;
    fc.assert(
      fc.property(
        cases,
        fc.integer({ min: 1, max: 3 }),
        ({ samples, canonicalNodes, shuffleAlgo, seen }, workersPerRank) => {
          const batches = worlds.map(([nodes, ranksPerNode, batchSize]) => {
            const order = new MosaicOrder({
              streams: [{ shardSizes: [samples] }],
              shuffle: true,
              shuffleAlgo,
              shuffleBlockSize: 50,
              numCanonicalNodes: canonicalNodes,
              batchSize,
            });
            return globalBatches(order, { nodes, ranksPerNode, workersPerRank }, seen * 24);
          });
          // The last batch is padded by rank, so that it alone may differ.
          const whole = batches.map((some) => some.slice(0, -1).map(ascending));
          const least = Math.min(...whole.map((some) => some.length));
          for (const some of whole) expect(some.slice(0, least)).toEqual(whole[0]!.slice(0, least));
        },
      ),
      { numRuns: lawRuns(60, 5000) },
    );
  });

  it('takes every sample, and each rank as many', () => {
    const cases = fc.record({
      samples: fc.integer({ min: 1, max: 400 }),
      canonicalNodes: fc.constantFrom(1, 2, 4, 64),
      nodes: fc.constantFrom(1, 2, 4),
      ranksPerNode: fc.integer({ min: 1, max: 5 }),
      workersPerRank: fc.integer({ min: 1, max: 3 }),
      batchSize: fc.integer({ min: 1, max: 9 }),
    });
    fc.assert(
      fc.property(cases, ({ samples, canonicalNodes, nodes, ranksPerNode, workersPerRank, batchSize }) => {
        const world = { nodes, ranksPerNode, workersPerRank };
        const make = (): ReturnType<typeof partition> =>
          partition('orig', { samples, canonicalNodes, world, batchSize });
        const length = Math.ceil(samples / canonicalNodes);
        const ratio = Math.max(1, nodes / canonicalNodes);
        if (samples > canonicalNodes && length < 2 * ratio) return;
        const { rankLength, at } = make();
        const rows = upTo(nodes * ranksPerNode).map((rank) =>
          upTo(rankLength)
            .map((place) => at(Math.floor(rank / ranksPerNode), rank % ranksPerNode, place))
            .filter((id) => id >= 0),
        );
        expect(new Set(rows.flat())).toEqual(new Set(upTo(samples)));
        expect(new Set(rows.map((row) => row.length)).size).toBe(1);
      }),
      { numRuns: lawRuns(200, 20_000) },
    );
  });
});

describe('an order', () => {
  const streams = [{ shardSizes: [30, 0, 41, 9] }, { shardSizes: [64] }, { shardSizes: [5, 5, 5, 5, 30] }];
  const options = fc.record({
    shuffle: fc.boolean(),
    shuffleAlgo: fc.constantFrom(...shuffleAlgos),
    batchingMethod: fc.constantFrom(
      'random' as const,
      'stratified' as const,
      'per_stream' as const,
      'device_per_stream' as const,
    ),
    samplingMethod: fc.constantFrom('balanced' as const, 'fixed' as const),
    partitionAlgo: fc.constantFrom('orig' as const, 'relaxed' as const),
    shuffleSeed: fc.nat(),
    epochSize: fc.constantFrom(undefined, 160, '0.2k', 777),
  });

  it('resumed at a batch is what was left, in a world that stays, by every method', () => {
    fc.assert(
      fc.property(options, fc.nat(12), fc.nat(3), (given, seen, rank) => {
        const order = new MosaicOrder({ ...given, streams, batchSize: 4, numCanonicalNodes: 2, shuffleBlockSize: 200 });
        const world = { nodes: 2, ranksPerNode: 2, workersPerRank: 1 };
        const whole = [...order.batches({ epoch: 3, sampleInEpoch: 0 }, world, rank)];
        const at = Math.min(seen, whole.length - 1);
        const position = order.after({ epoch: 3, sampleInEpoch: 0 }, world, 4 * at);
        const saved = positionOfState(JSON.parse(JSON.stringify(stateOfPosition(position))));
        const rest = [...order.batches(saved, world, rank)];
        // Padding to the ranks is cut anew, of what is left.
        expect(rest.slice(0, -1)).toEqual(whole.slice(at, -1));
        expect(rest.length).toBe(whole.length - at);
      }),
      { numRuns: lawRuns(120, 10_000) },
    );
  });

  it('gives ranks in a row the same samples under replication, and counts them once', () => {
    const order = new MosaicOrder({ streams, batchSize: 5, shuffle: true, replication: 4 });
    const world = { nodes: 2, ranksPerNode: 4, workersPerRank: 2 };
    const rows = upTo(8).map((rank) => [...order.batches({ epoch: 0, sampleInEpoch: 0 }, world, rank)]);
    for (const rank of upTo(8)) expect(rows[rank]).toEqual(rows[rank < 4 ? 0 : 4]);
    expect(rows[0]).not.toEqual(rows[4]);
    const pair = new MosaicOrder({ streams, batchSize: 5, shuffle: true });
    const alone = { nodes: 1, ranksPerNode: 2, workersPerRank: 2 };
    expect([...pair.batches({ epoch: 0, sampleInEpoch: 0 }, alone, 1)]).toEqual(rows[4]);
    expect(order.after({ epoch: 0, sampleInEpoch: 0 }, world, 10)).toEqual({
      epoch: 0,
      sampleInEpoch: 20,
      numCanonicalNodes: 1,
      shuffleSeed: 9176,
      initialPhysicalNodes: 1,
    });
    expect(() => [...order.batches({ epoch: 0, sampleInEpoch: 0 }, { ...alone, ranksPerNode: 3 }, 0)]).toThrow(
      refusal('invalid_world') as Error,
    );
  });

  it('takes whole streams without a list of them, and lists where they are sampled', () => {
    const stream = { first: 7, shardSizes: [3, 0, 4] };
    expect(sampleStreams([{ ...stream, choose: 7 }], 1, 0, 0)).toEqual({
      samples: 7,
      units: [3, 4],
      ids: undefined,
      first: 7,
    });
    const { ids, units } = sampleStreams([{ ...stream, choose: 16 }], 1, 0, 0);
    expect(units.reduce((a, b) => a + b, 0)).toBe(16);
    expect(new Set(ids)).toEqual(new Set(upTo(7).map((id) => id + 7)));
  });

  it('has defaults by shuffle: canonical nodes and their number', () => {
    const one = (more: Partial<MosaicOrderOptions>): MosaicOrder => new MosaicOrder({ streams, batchSize: 2, ...more });
    expect(one({}).canonicalNodes(3)).toBe(3);
    expect(one({ shuffleAlgo: 'py2s' }).canonicalNodes(3)).toBe(192);
    expect(one({ numCanonicalNodes: 6 }).canonicalNodes(3)).toBe(6);
    expect(one({ epochSize: '2k' }).epochSize).toBe(2000);
  });

  const refusals: readonly (readonly [string, unknown, string])[] = [
    ['no streams', { streams: [] }, 'invalid_argument'],
    ['a stream that is null', { streams: [null] }, 'invalid_argument'],
    ['a stream without sizes', { streams: [{ choose: 3 }] }, 'invalid_argument'],
    ['an unknown weight', { streams: [{ shardSizes: [1], weight: 2 }] }, 'invalid_argument'],
    ['streams without samples', { streams: [{ shardSizes: [] }] }, 'no_rows'],
    ['proportions that weigh nothing', { streams: [{ shardSizes: [1], proportion: 0 }] }, 'no_rows'],
    ['an empty stream that is asked for', { streams: [{ shardSizes: [0], choose: 3 }] }, 'no_rows'],
    ['two weights', { streams: [{ shardSizes: [1], choose: 3, repeat: 2 }] }, 'invalid_argument'],
    ['a negative weight', { streams: [{ shardSizes: [1], repeat: -1 }] }, 'invalid_size'],
    ['a weight that is no number', { streams: [{ shardSizes: [1], proportion: '1' }] }, 'invalid_size'],
    [
      'some proportions only',
      { streams: [{ shardSizes: [1], proportion: 1 }, { shardSizes: [1] }] },
      'invalid_argument',
    ],
    ['an epoch size beside choose', { streams: [{ shardSizes: [9], choose: 3 }], epochSize: 5 }, 'invalid_argument'],
    ['an epoch size in words', { epochSize: 'many' }, 'invalid_size'],
    ['an epoch size of 0', { epochSize: 0 }, 'invalid_size'],
    ['a shard of half a sample', { streams: [{ shardSizes: [0.5] }] }, 'invalid_size'],
    ['no batch size', { batchSize: undefined }, 'invalid_size'],
    ['an unknown shuffle', { shuffleAlgo: 'py3' }, 'invalid_argument'],
    ['an unknown batching', { batchingMethod: 'mixed' }, 'invalid_argument'],
    ['an unknown option', { shuffelSeed: 1 }, 'invalid_argument'],
    ['a negative seed', { shuffleSeed: -1 }, 'invalid_size'],
    ['a shuffle that is no boolean', { shuffle: 1 }, 'invalid_argument'],
    ['no replication', { replication: 0 }, 'invalid_size'],
  ];

  it.each(refusals)('refuses %s', (_, wrong, code) => {
    const given = { streams, batchSize: 4, ...(wrong as object) } as MosaicOrderOptions;
    expect(() => new MosaicOrder(given)).toThrow(refusal(code) as Error);
  });

  it('refuses positions and worlds that are none', () => {
    const order = new MosaicOrder({ streams, batchSize: 4, numCanonicalNodes: 4 });
    const world = { nodes: 1, ranksPerNode: 2, workersPerRank: 1 };
    const start = { epoch: 0, sampleInEpoch: 0 };
    for (const wrong of [{ epoch: -1 }, { sampleInEpoch: 0.5 }, { numCanonicalNodes: 0 }, { shuffleSeed: -1 }]) {
      expect(() => order.epoch({ ...start, ...wrong }, world)).toThrow(refusal('invalid_state') as Error);
    }
    for (const wrong of [null, [], 'x', {}, { epoch: 0, sample_in_epoch: 0, num_canonical_nodes: 2 }]) {
      expect(() => positionOfState(wrong)).toThrow(refusal('invalid_state') as Error);
    }
    const old = { epoch: 1, sample_in_epoch: 8, num_canonical_nodes: 2, shuffle_seed: 5 };
    expect(positionOfState(old)).toEqual({ epoch: 1, sampleInEpoch: 8, numCanonicalNodes: 2, shuffleSeed: 5 });
    expect(() => order.epoch(start, { ...world, nodes: 3 })).toThrow(refusal('invalid_world') as Error);
    expect(() => [...order.batches(start, world, 2)]).toThrow(refusal('invalid_world') as Error);
    expect(() => [...order.batches(start, { ...world, workersPerRank: 0 }, 0)]).toThrow(
      refusal('invalid_world') as Error,
    );
    const relaxed = { epoch: 0, sampleInEpoch: 8, initialPhysicalNodes: 5 };
    expect(() => order.epoch(relaxed, { ...world, nodes: 3 })).toThrow(refusal('invalid_world') as Error);
  });

  it('fills up a stratified batch, of streams that lose the same, from the later one', () => {
    const halves = [{ shardSizes: [40] }, { shardSizes: [40] }];
    const order = new MosaicOrder({ streams: halves, batchSize: 5, batchingMethod: 'stratified' });
    const world = { nodes: 1, ranksPerNode: 1, workersPerRank: 1 };
    const batches = [...order.batches({ epoch: 0, sampleInEpoch: 0 }, world, 0)];
    expect(batches).toHaveLength(Math.floor(40 / 3));
    for (const batch of batches) expect(batch.map((sample) => sample >= 40)).toEqual([false, false, true, true, true]);
  });

  it('past its end has nothing left', () => {
    const order = new MosaicOrder({ streams, batchSize: 4 });
    const world = { nodes: 1, ranksPerNode: 1, workersPerRank: 1 };
    expect([...order.batches({ epoch: 0, sampleInEpoch: 1000 }, world, 0)]).toEqual([]);
  });
});

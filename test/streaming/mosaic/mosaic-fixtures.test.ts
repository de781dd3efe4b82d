import { describe, expect, it } from 'vitest';
import { isSpiralError } from '../../../src/core/errors.js';
import { MosaicOrder, type MosaicOrderOptions } from '../../../src/streaming/mosaic/mosaic-order.js';
import { type PartitionAlgo, partition } from '../../../src/streaming/mosaic/mosaic-partition.js';
import { positionOfState, stateOfPosition } from '../../../src/streaming/mosaic/mosaic-position.js';
import { epochShuffle, type ShuffleAlgo } from '../../../src/streaming/mosaic/mosaic-shuffle.js';
import { shardShares } from '../../../src/streaming/mosaic/stream-sampling.js';
import type { Fields, Run } from '../mosaic-run.js';
import { fixturesNote, hasOrderFixtures, orderFixture, type PeerIds, tensorOf } from '../peer-fixtures.js';

type ShardSets = Readonly<Record<string, readonly number[]>>;

interface WorkCase extends PeerIds {
  readonly streams: readonly ({ readonly shards: string } & Fields)[];
  readonly kw: Fields & { readonly batch_size: number; readonly shuffle_algo?: string };
  readonly nodes: number;
  readonly ranks_per_node: number;
  readonly workers_per_rank: number;
  readonly epoch: number;
  readonly sample_in_epoch: number;
  readonly choose_per_stream?: readonly number[];
}

interface Fixture<T> {
  readonly shard_sets: ShardSets;
  readonly cases: readonly T[];
}

const camelCase = (name: string): string => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());

/** Options of ours from the peer's keyword arguments; null is its word for a default. */
function optionsOf(kw: Fields, streams: readonly Fields[]): MosaicOrderOptions {
  const given = Object.entries(kw).filter(([, value]) => value !== null);
  return {
    ...Object.fromEntries(given.map(([name, value]) => [camelCase(name), value])),
    streams,
  } as unknown as MosaicOrderOptions;
}

/** What `make` gives, or 'refused' where it throws an error of ours. */
function answer<T>(make: () => T): T | 'refused' {
  try {
    return make();
  } catch (error) {
    if (isSpiralError(error)) return 'refused';
    throw error;
  }
}

/** Cases whose answer is not the peer's; of those that the peer refused, the ones that were answered. */
function mismatches<T extends PeerIds>(
  cases: readonly T[],
  found: (one: T) => unknown,
): { wrong: object[]; answered: T[] } {
  const wrong: object[] = [];
  const answered: T[] = [];
  expect(cases.length).toBeGreaterThan(300);
  for (const one of cases) {
    const got = answer(() => found(one));
    if (one.error !== undefined && got !== 'refused') answered.push(one);
    if (one.error === undefined && JSON.stringify(got) !== JSON.stringify(one.ids))
      wrong.push({ ...one, ids: undefined, got });
  }
  return { wrong: wrong.slice(0, 3), answered };
}

describe.skipIf(!hasOrderFixtures)(`MosaicML's orders${fixturesNote}`, () => {
  it('partitions: orig and relaxed, every world, resumed or not', () => {
    type Case = PeerIds &
      Record<
        'num_samples' | 'ncn' | 'nodes' | 'ranks_per_node' | 'workers_per_rank' | 'batch_size' | 'drop_first',
        number
      > & {
        algo: PartitionAlgo;
        initial_nodes?: number | null;
      };
    const { cases } = orderFixture<Fixture<Case>>('get_partitions');
    const { wrong, answered } = mismatches(cases, (one) => {
      const world = { nodes: one.nodes, ranksPerNode: one.ranks_per_node, workersPerRank: one.workers_per_rank };
      const made = partition(one.algo, {
        samples: one.num_samples,
        canonicalNodes: one.ncn,
        world,
        batchSize: one.batch_size,
        dropFirst: one.drop_first,
        initialNodes: one.initial_nodes ?? undefined,
      });
      return tensorOf(made, world, one.batch_size);
    });
    expect(wrong).toEqual([]);
    expect(answered).toEqual([]);
  });

  it('shuffles', () => {
    type Case = {
      shards: string;
      algo: ShuffleAlgo;
      ncn: number;
      seed: number;
      epoch: number;
      block_size: number;
      ids?: number[];
      error?: string;
    };
    const { cases, shard_sets: sets } = orderFixture<Fixture<Case>>('get_shuffle');
    const { wrong, answered } = mismatches(cases as unknown as (PeerIds & Case)[], (one) => [
      ...epochShuffle(one.algo, {
        shardSizes: sets[one.shards]!,
        canonicalNodes: one.ncn,
        seed: one.seed,
        epoch: one.epoch,
        blockSize: one.block_size,
      }),
    ]);
    expect(wrong).toEqual([]);
    expect(answered).toEqual([]);
  });

  it('shares of shards', () => {
    type Case = {
      shards: string;
      choose: number;
      granularity: number;
      seed: number;
      epoch: number;
      use_epoch: boolean;
    };
    const { cases, shard_sets: sets } = orderFixture<Fixture<Case & PeerIds>>('get_sampling');
    const { wrong } = mismatches(cases, (one) =>
      shardShares(sets[one.shards]!, one.choose, one.granularity, one.use_epoch ? one.seed + one.epoch : one.seed),
    );
    expect(wrong).toEqual([]);
  });

  const epochOf = (one: WorkCase, sets: ShardSets): { shape: number[]; flat: number[] } => {
    const streams = one.streams.map(({ shards, ...weight }) => ({ ...weight, shardSizes: sets[shards]! }));
    const order = new MosaicOrder(optionsOf(one.kw, streams));
    if (one.choose_per_stream !== undefined) expect(order.choose).toEqual(one.choose_per_stream);
    const world = { nodes: one.nodes, ranksPerNode: one.ranks_per_node, workersPerRank: one.workers_per_rank };
    const epoch = order.epoch({ epoch: one.epoch, sampleInEpoch: one.sample_in_epoch }, world);
    return tensorOf(epoch, world, one.kw.batch_size);
  };

  it('epochs of one stream', () => {
    const { cases, shard_sets: sets } = orderFixture<Fixture<WorkCase>>('generate_work_single');
    expect(mismatches(cases, (one) => epochOf(one, sets))).toEqual({ wrong: [], answered: [] });
  });

  it('epochs of mixed streams, by every batching method; an error of the peer is an error but where it is its own', () => {
    const { cases, shard_sets: sets } = orderFixture<Fixture<WorkCase>>('generate_work_mixed');
    const { wrong, answered } = mismatches(cases, (one) => epochOf(one, sets));
    expect(wrong).toEqual([]);
    // py1s has no blocks, and yet the peer refuses the size of its blocks.
    expect(answered.length).toBeGreaterThan(0);
    for (const one of answered) {
      expect(one.kw.shuffle_algo).toBe('py1s');
      expect(one.message).toMatch(/increase the `shuffle_block_size`/);
    }
  });
});

describe.skipIf(!hasOrderFixtures)(`the real loader of MosaicML${fixturesNote}`, () => {
  it('gave these batches to every rank, and these states, and went on from them on other worlds', () => {
    const { cases, shard_sizes: shardSizes } = orderFixture<{ shard_sizes: number[]; cases: Run[] }>('e2e_dataloader');
    expect(cases.length).toBeGreaterThan(20);
    for (const { world_size: worldSize, nodes, cfg, ranks } of cases) {
      const order = new MosaicOrder(optionsOf({ ...cfg.kw, batch_size: cfg.batch_size }, [{ shardSizes }]));
      const world = { nodes, ranksPerNode: worldSize / nodes, workersPerRank: Math.max(1, cfg.num_workers) };
      for (const { rank, epochs, states, len_dataset: length } of ranks) {
        let position = cfg.load === undefined ? { epoch: 0, sampleInEpoch: 0 } : positionOfState(cfg.load);
        expect(Math.ceil(order.epochSize / worldSize)).toBe(length);
        for (const expected of epochs) {
          const batches = [...order.batches(position, world, rank)];
          expect(batches.slice(0, cfg.state_at)).toEqual(expected);
          for (const { after_batches: after, state } of states) {
            expect(stateOfPosition(order.after(position, world, after * cfg.batch_size))).toEqual(state);
          }
          position = { ...order.after(position, world, 0), epoch: position.epoch + 1, sampleInEpoch: 0 };
        }
      }
    }
  });
});

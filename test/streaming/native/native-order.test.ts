import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { World } from '../../../src/sharding/world.js';
import {
  NativeOrder,
  type NativeOrderOptions,
  type NativePosition,
} from '../../../src/streaming/native/native-order.js';
import type { SampleOrder } from '../../../src/streaming/order/sample-order.js';
import { lawRuns } from '../../laws.js';

const refusal = (code: string): unknown => expect.objectContaining({ name: 'SpiralError', code });
const ascending = (numbers: Iterable<number>): number[] => [...numbers].sort((a, b) => a - b);
const upTo = (length: number): number[] => Array.from({ length }, (_, at) => at);
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

function idsOf(order: SampleOrder, from = 0, to: number = order.rankLength): number[] {
  const ids = new Float64Array(to - from);
  order.samples(from, to, ids);
  return [...ids];
}

const at = (order: NativeOrder, rank: number, worldSize: number, rest: Omit<NativePosition, 'world'>): SampleOrder =>
  order.epoch({ ...rest, world: new World({ rank, worldSize }) });

/** The ranks' samples, place by place, as an epoch takes them; without the empty places of those that have fewer. */
function sequence(order: NativeOrder, worldSize: number, rest: Omit<NativePosition, 'world'>): number[] {
  const ranks = upTo(worldSize).map((rank) => idsOf(at(order, rank, worldSize, rest)));
  const longest = Math.max(...ranks.map(({ length }) => length));
  return upTo(longest).flatMap((place) => ranks.flatMap((ids) => ids.slice(place, place + 1)));
}

/** The samples of each global batch, put together from the ranks' batches place by place. */
function globalBatches(order: NativeOrder, worldSize: number, batchSize: number, epoch: number): number[][] {
  const ids = sequence(order, worldSize, { epoch });
  return upTo(Math.ceil(ids.length / (worldSize * batchSize))).map((batch) =>
    ids.slice(batch * worldSize * batchSize, (batch + 1) * worldSize * batchSize),
  );
}

function shardOf(shardSizes: readonly number[], id: number): number {
  let end = 0;
  return shardSizes.findIndex((size) => id < (end += size));
}

const arbSizes = fc
  .array(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 14 })
  .filter((sizes) => sum(sizes) > 0);

const arbOptions = fc.record({
  streams: arbSizes.map((shardSizes) => [{ shardSizes }]),
  shuffle: fc.boolean(),
  shuffleSeed: fc.nat(),
  shuffleBlockSize: fc.integer({ min: 1, max: 300 }),
  partitions: fc.integer({ min: 1, max: 9 }),
});

const runs = { numRuns: lawRuns(120, 10_000) };
const sizesOf = ({ streams }: NativeOrderOptions): readonly number[] => streams[0]!.shardSizes;

describe('the native order', () => {
  it("gives each sample exactly once with 'keep', to ranks that differ by one", () => {
    fc.assert(
      fc.property(arbOptions, fc.integer({ min: 1, max: 9 }), fc.nat(50), (options, worldSize, epoch) => {
        const order = new NativeOrder({ ...options, uneven: 'keep' });
        const ranks = upTo(worldSize).map((rank) => at(order, rank, worldSize, { epoch }));
        const all = ranks.flatMap((rank) => idsOf(rank));
        expect(ascending(all)).toEqual(upTo(sum(sizesOf(options))));
        const lengths = ranks.map(({ rankLength }) => rankLength);
        expect(Math.max(...lengths) - Math.min(...lengths)).toBeLessThanOrEqual(1);
        expect(ranks.map(({ duplicates }) => duplicates)).toEqual(lengths.map(() => 0));
      }),
      runs,
    );
  });

  it("makes ranks equal with 'pad' and counts what it gives again, by 'drop' gives none again", () => {
    const law = fc.property(arbOptions, fc.integer({ min: 1, max: 9 }), fc.nat(700), (options, worldSize, cut) => {
      const samples = sum(sizesOf(options));
      const left = Math.max(0, samples - cut);
      for (const uneven of ['pad', 'drop'] as const) {
        const order = new NativeOrder({ ...options, uneven });
        const ranks = upTo(worldSize).map((rank) => at(order, rank, worldSize, { epoch: 3, sampleInEpoch: cut }));
        const all = ranks.flatMap((rank) => idsOf(rank));
        const length = (uneven === 'pad' ? Math.ceil : Math.floor)(left / worldSize);
        expect(ranks.map(({ rankLength }) => rankLength)).toEqual(ranks.map(() => length));
        expect(all.every((id) => id >= 0 && id < samples)).toBe(true);
        if (uneven === 'drop') expect(new Set(all).size).toBe(all.length);
        if (uneven === 'pad') {
          expect(all.length - left).toBe(ranks[0]!.duplicates);
          if (cut === 0) expect(ascending(new Set(all))).toEqual(upTo(samples));
        } else expect(ranks[0]!.duplicates).toBe(0);
      }
    });
    fc.assert(law, runs);
  });

  it('has the same sequence in each global batch, whatever ranks and batch sizes make it up', () => {
    const worlds = fc.constantFrom([1, 2, 3, 4, 6, 12], [1, 2, 4, 8, 16], [1, 5], [1, 3, 9]);
    const law = fc.property(arbOptions, worlds, fc.nat(9), (options, sizes, epoch) => {
      const order = new NativeOrder({ ...options, uneven: 'keep' });
      const global = sizes.at(-1)! * 2;
      const alone = globalBatches(order, 1, global, epoch);
      for (const worldSize of sizes) {
        expect(globalBatches(order, worldSize, global / worldSize, epoch)).toEqual(alone);
      }
    });
    fc.assert(law, runs);
  });

  it('goes on at any sample in any world with exactly what is left', () => {
    const law = fc.property(
      arbOptions,
      fc.constantFrom('pad', 'keep', 'drop'),
      fc.integer({ min: 1, max: 12 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (options, uneven, worldSize, share) => {
        const order = new NativeOrder({ ...options, uneven });
        const whole = sequence(new NativeOrder({ ...options, uneven: 'keep' }), 1, { epoch: 2 });
        const cut = Math.floor(share * whole.length);
        const rest = sequence(order, worldSize, { epoch: 2, sampleInEpoch: cut });
        const left = whole.length - cut;
        const given = uneven === 'drop' ? Math.floor(left / worldSize) * worldSize : left;
        expect(rest.slice(0, given)).toEqual(whole.slice(cut, cut + given));
        // Padding does not depend on the world: a larger one goes on where a smaller one stops.
        const { partitions } = order;
        const filler = rest.slice(given).map((_, place) => {
          const position = whole.length + place;
          return whole[position - Math.ceil((place + 1) / partitions) * partitions];
        });
        expect(rest.slice(given)).toEqual(uneven === 'pad' ? filler : []);
      },
    );
    fc.assert(law, runs);
  });

  it("reads no shard that is not of the rank's own parts where the world's size divides them", () => {
    const law = fc.property(
      arbOptions,
      fc.integer({ min: 1, max: 9 }),
      fc.nat(100),
      fc.nat(5),
      (options, worldSize, cut, epoch) => {
        const order = new NativeOrder(options);
        fc.pre(order.partitions % worldSize === 0);
        const sizes = sizesOf(options);
        // An epoch's part: what a world of as many ranks as parts would give one rank.
        const partOf = new Map<number, number>();
        for (let part = 0; part < order.partitions; part++) {
          for (const id of idsOf(
            at(new NativeOrder({ ...options, uneven: 'keep' }), part, order.partitions, { epoch: 0 }),
          ))
            partOf.set(id, part);
        }
        for (let rank = 0; rank < worldSize; rank++) {
          const parts = new Set(
            idsOf(at(order, rank, worldSize, { epoch, sampleInEpoch: cut })).map((id) => partOf.get(id)! % worldSize),
          );
          expect(parts.size).toBeLessThanOrEqual(1);
        }
        expect(partOf.size).toBe(sum(sizes));
      },
    );
    fc.assert(law, runs);
  });

  it('names the shards of a rank, once for each part, in the order of need, but for those of one window', () => {
    const law = fc.property(
      arbOptions,
      fc.constantFrom('pad', 'keep', 'drop'),
      fc.integer({ min: 1, max: 9 }),
      fc.nat(100),
      fc.nat(100),
      (options, uneven, worldSize, cut, place) => {
        const order = new NativeOrder({ ...options, uneven });
        for (let rank = 0; rank < worldSize; rank++) {
          const mine = at(order, rank, worldSize, { epoch: 1, sampleInEpoch: cut });
          const from = Math.min(place, mine.rankLength);
          const named = [...mine.shardsFrom(from)];
          // What is needed, in order: a shard once for each part of it, and at which place first.
          const needs = new Map<string, { shard: number; first: number }>();
          for (const [at, id] of idsOf(mine, from).entries()) {
            const shard = shardOf(sizesOf(options), id);
            const key = `${(cut + (from + at) * worldSize + rank) % order.partitions} ${shard}`;
            if (!needs.has(key)) needs.set(key, { shard, first: at });
          }
          const needed = [...needs.values()];
          const more = [...named];
          for (const { shard } of needed) {
            expect(more).toContain(shard);
            more.splice(more.indexOf(shard), 1);
          }
          if (order.partitions % worldSize !== 0) continue;
          if (uneven !== 'drop' || !options.shuffle) expect(more).toEqual([]);
          const firsts = named.flatMap((shard) => {
            const at = needed.findIndex((need) => need.shard === shard);
            return at === -1 ? [] : needed.splice(at, 1);
          });
          const window = (order.shuffleBlockSize + order.partitions) / worldSize;
          let soonest = Number.POSITIVE_INFINITY;
          for (const { first } of firsts.toReversed()) {
            expect(first).toBeLessThanOrEqual(soonest + window);
            soonest = Math.min(soonest, first);
          }
          // Without a shuffle of windows, and with parts of its own, the rank needs them in this very order.
          if (!options.shuffle) expect(named).toEqual([...needs.values()].map(({ shard }) => shard));
        }
      },
    );
    fc.assert(law, runs);
  });

  it('finds any place alone as it does in a run, and leaves places past the end empty', () => {
    const law = fc.property(
      arbOptions,
      fc.integer({ min: 1, max: 9 }),
      fc.nat(),
      fc.nat(40),
      (options, worldSize, draw, length) => {
        const order = new NativeOrder(options);
        const rank = draw % worldSize;
        const position = { epoch: 1, sampleInEpoch: draw % 7 };
        const whole = idsOf(at(order, rank, worldSize, position));
        const fresh = at(order, rank, worldSize, position);
        const from = draw % (whole.length + 3);
        const expected = upTo(length).map((index) => whole[from + index] ?? -1);
        expect(idsOf(fresh, from, from + length)).toEqual(expected);
        expect(idsOf(fresh, 0, 5)).toEqual(upTo(5).map((index) => whole[index] ?? -1));
      },
    );
    fc.assert(law, runs);
  });

  it('without a shuffle takes the parts in turn, each as it stands', () => {
    const law = fc.property(arbOptions, fc.nat(9), (options, epoch) => {
      const order = new NativeOrder({ ...options, shuffle: false, uneven: 'keep' });
      const samples = sum(sizesOf(options));
      const parts = upTo(order.partitions);
      const lengths = parts.map((part) => Math.ceil((samples - part) / order.partitions));
      const starts = parts.map((part) => sum(lengths.slice(0, part)));
      const plain = upTo(samples).map((g) => starts[g % order.partitions]! + Math.floor(g / order.partitions));
      expect(sequence(order, 1, { epoch })).toEqual(plain);
    });
    fc.assert(law, runs);
  });

  it('gives every epoch and every seed an order of its own, and a node its shards in all of them', () => {
    const streams = [{ shardSizes: upTo(40).map((shard) => 20 + shard) }];
    const options = { streams, shuffle: true, shuffleBlockSize: 200, uneven: 'keep' } as const;
    const epochs = upTo(5).map((epoch) => sequence(new NativeOrder(options), 1, { epoch }));
    const seeds = [1, 2, 3].map((shuffleSeed) =>
      sequence(new NativeOrder({ ...options, shuffleSeed }), 1, { epoch: 1 }),
    );
    expect(new Set([...epochs, ...seeds].map((ids) => ids.join())).size).toBe(8);
    const order = new NativeOrder(options);
    const ofRank = (epoch: number): number[] => ascending(idsOf(at(order, 1, 4, { epoch })));
    expect(ofRank(7)).toEqual(ofRank(0));
    // Not by adding: epoch 1 of seed 1 is not epoch 0 of seed 2.
    const of = (shuffleSeed: number, epoch: number): number[] =>
      sequence(new NativeOrder({ ...options, shuffleSeed }), 1, { epoch });
    expect(of(1, 1)).not.toEqual(of(2, 0));
  });

  it('mixes: neighbours come from all parts, and a window is in no order', () => {
    const order = new NativeOrder({
      streams: [{ shardSizes: Array<number>(16).fill(1000) }],
      shuffle: true,
      shuffleBlockSize: 4000,
    });
    const ids = idsOf(at(order, 0, 1, { epoch: 0 }));
    expect(new Set(ids.slice(0, 8).map((id) => Math.floor(id / 1000))).size).toBe(8);
    const steps = ids.slice(8, 4000).filter((id, index) => id === ids[index]! + 1);
    expect(steps.length).toBeLessThan(40);
  });

  it('has an order where there is next to nothing: one sample, fewer than parts, empty shards between', () => {
    for (const shardSizes of [[1], [0, 1], [0, 0, 2, 0], [1, 0, 1, 1], [3]]) {
      const order = new NativeOrder({ streams: [{ shardSizes }], shuffle: true });
      const samples = sum(shardSizes);
      expect(ascending(new Set(sequence(order, 1, { epoch: 0 })))).toEqual(upTo(samples));
      const padded = upTo(5).map((rank) => at(order, rank, 5, { epoch: 0 }));
      expect(padded.map(({ rankLength }) => rankLength)).toEqual([1, 1, 1, 1, 1]);
      expect(padded[0]!.duplicates).toBe(5 - samples);
      expect(ascending(new Set(padded.flatMap((rank) => idsOf(rank))))).toEqual(upTo(samples));
      expect(at(order, 0, 2, { epoch: 0, sampleInEpoch: samples }).rankLength).toBe(0);
      expect([...at(order, 0, 2, { epoch: 0, sampleInEpoch: samples + 9 }).shardsFrom(0)]).toEqual([]);
    }
  });

  it('takes a block of 64 MiB by the mean sample, within limits and a multiple of the parts', () => {
    const block = (sampleBytes?: number, more: object = {}): number =>
      new NativeOrder({ streams: [{ shardSizes: Array<number>(20).fill(10) }], sampleBytes, ...more }).shuffleBlockSize;
    expect(block()).toBe(65_536);
    expect(block(2048)).toBe(32_768);
    expect(block(0)).toBe(262_144);
    expect(block(1e9)).toBe(1024);
    expect(block(1e9, { partitions: 7 })).toBe(1029);
    expect(block(undefined, { shuffleBlockSize: 10 })).toBe(16);
  });

  it('refuses what it does not know, naming it', () => {
    const streams = [{ shardSizes: [4] }];
    const made =
      (options: object): (() => NativeOrder) =>
      () =>
        new NativeOrder({ streams, ...options } as NativeOrderOptions);
    expect(made({ shuffleAlgo: 'py1e' })).toThrow(refusal('invalid_argument') as Error);
    expect(made({ streams: [] })).toThrow(refusal('invalid_argument') as Error);
    expect(made({ streams: [{}] })).toThrow(refusal('invalid_argument') as Error);
    expect(made({ streams: [{ shardSizes: [-1] }] })).toThrow(refusal('invalid_size') as Error);
    expect(made({ streams: [{ shardSizes: [0, 0] }] })).toThrow(refusal('no_rows') as Error);
    expect(made({ streams: [{ shardSizes: [] }] })).toThrow(refusal('no_rows') as Error);
    expect(made({ uneven: 'split' })).toThrow(refusal('invalid_argument') as Error);
    expect(made({ shuffle: 1 })).toThrow(refusal('invalid_argument') as Error);
    expect(made({ sampleBytes: -1 })).toThrow(refusal('invalid_argument') as Error);
    for (const name of ['partitions', 'shuffleBlockSize', 'epochSize']) {
      expect(made({ [name]: 0 })).toThrow(refusal('invalid_size') as Error);
    }
    const order = new NativeOrder({ streams });
    expect(() => at(order, 0, 1, { epoch: -1 })).toThrow(refusal('invalid_size') as Error);
    expect(() => at(order, 0, 1, { epoch: 0, sampleInEpoch: 0.5 })).toThrow(refusal('invalid_size') as Error);
  });
});

describe('streams with weights, in the native order', () => {
  const arbStreams = fc
    .array(
      fc.record(
        { shardSizes: arbSizes, choose: fc.option(fc.nat(300), { nil: undefined }) },
        { requiredKeys: ['shardSizes'] },
      ),
      { minLength: 1, maxLength: 4 },
    )
    .filter((streams) => streams.some(({ choose }) => choose !== 0));

  it('gives each stream its samples, each of them equally often but for one, over all epochs', () => {
    const law = fc.property(arbStreams, fc.boolean(), fc.integer({ min: 1, max: 12 }), (streams, shuffle, epochs) => {
      const order = new NativeOrder({ streams, shuffle, uneven: 'keep', shuffleBlockSize: 64 });
      const sizes = streams.map(({ shardSizes }) => sum(shardSizes));
      const times = new Uint32Array(sum(sizes));
      for (let epoch = 0; epoch < epochs; epoch++) {
        const ids = sequence(order, 2, { epoch });
        expect(ids.length).toBe(order.epochSize);
        for (const id of ids) times[id]!++;
        for (const [stream, choose] of order.choose.entries()) {
          const first = sum(sizes.slice(0, stream));
          const own = times.subarray(first, first + sizes[stream]!);
          expect(own.reduce((a, b) => a + b, 0)).toBe(choose * (epoch + 1));
          expect(Math.max(...own) - Math.min(...own)).toBeLessThanOrEqual(1);
        }
      }
    });
    fc.assert(law, { numRuns: lawRuns(60, 1000) });
  });

  it('shares an epoch by proportions, and takes as many samples as it is asked for', () => {
    const [small, large] = [{ shardSizes: [50, 50] }, { shardSizes: [400, 500] }];
    const order = new NativeOrder({
      streams: [
        { ...small, proportion: 1 },
        { ...large, proportion: 3 },
      ],
      epochSize: '2k',
      shuffle: true,
    });
    expect(order.choose).toEqual([500, 1500]);
    const ids = sequence(order, 4, { epoch: 0 });
    expect(ids.filter((id) => id < 100).length).toBe(500);
    expect(new NativeOrder({ streams: [small, large], epochSize: 100 }).epochSize).toBe(100);
  });
});

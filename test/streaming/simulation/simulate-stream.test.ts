import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { World } from '../../../src/sharding/world.js';
import { MosaicOrder } from '../../../src/streaming/mosaic/mosaic-order.js';
import { mosaicSampleOrder } from '../../../src/streaming/mosaic/mosaic-sample-order.js';
import { NativeOrder } from '../../../src/streaming/native/native-order.js';
import { shardStarts } from '../../../src/streaming/order/shard-spans.js';
import type { SimulatedShard, SimulateStreamOptions } from '../../../src/streaming/simulation/simulate-options.js';
import { type StreamSimulation, simulateStream } from '../../../src/streaming/simulation/simulate-stream.js';
import { lawRuns } from '../../laws.js';

const refusal = (code: string): unknown => expect.objectContaining({ name: 'SpiralError', code });
const upTo = (length: number): number[] => Array.from({ length }, (_, at) => at);
const sum = (numbers: Iterable<number>): number => [...numbers].reduce((a, b) => a + b, 0);
const most = ({ rawBytes, zipBytes = 0 }: SimulatedShard): number => rawBytes + zipBytes;

const arbShard = fc.record(
  { samples: fc.nat(40), rawBytes: fc.integer({ min: 1, max: 900 }), zipBytes: fc.integer({ min: 1, max: 500 }) },
  { requiredKeys: ['samples', 'rawBytes'] },
);
const arbShards = fc
  .array(arbShard, { minLength: 1, maxLength: 12 })
  .filter((shards) => sum(shards.map(({ samples }) => samples)) >= 8);

type Run = Omit<SimulateStreamOptions, 'streams'> & { readonly shards: readonly SimulatedShard[] };

const arbRun: fc.Arbitrary<Run> = fc.record({
  shards: arbShards,
  order: fc.constantFrom('native', 'mosaic'),
  nodes: fc.constantFrom(1, 2, 4),
  ranksPerNode: fc.constantFrom(1, 2),
  batchSize: fc.integer({ min: 1, max: 6 }),
  batchMs: fc.integer({ min: 1, max: 40 }),
  bandwidthBytesPerSecond: fc.integer({ min: 1000, max: 200_000 }),
  shuffle: fc.boolean(),
  shuffleBlockSize: fc.integer({ min: 4, max: 200 }),
  keepZip: fc.boolean(),
  epochs: fc.constantFrom(1, 2),
  predownload: fc.option(fc.nat(100), { nil: undefined }),
});

const simulated = ({ shards, ...run }: Run): StreamSimulation => simulateStream({ streams: [{ shards }], ...run });

/** The shards that each node's ranks read, by the orders of the ranks themselves. */
function readByNodes({ shards, ...run }: Run): Set<number>[] {
  const { nodes = 1, ranksPerNode = 1, batchSize, shuffle, shuffleBlockSize, epochs = 1 } = run;
  const shardSizes = shards.map(({ samples }) => samples);
  const starts = shardStarts(shardSizes);
  const sampleBytes = sum(shards.map(({ rawBytes }) => rawBytes)) / sum(shardSizes);
  const common = { streams: [{ shardSizes }], shuffle, shuffleBlockSize };
  const native = run.order === 'native' ? new NativeOrder({ ...common, sampleBytes, uneven: 'keep' }) : undefined;
  const mosaic = run.order === 'mosaic' ? new MosaicOrder({ ...common, batchSize }) : undefined;
  return upTo(nodes).map((node) => {
    const read = new Set<number>();
    for (let rank = node * ranksPerNode; rank < (node + 1) * ranksPerNode; rank++) {
      for (let epoch = 0; epoch < epochs; epoch++) {
        const world = new World({ rank, worldSize: nodes * ranksPerNode });
        const order =
          native?.epoch({ epoch, world }) ??
          mosaicSampleOrder(mosaic!, { epoch, sampleInEpoch: 0 }, { nodes, ranksPerNode, workersPerRank: 1 }, rank);
        const ids = new Float64Array(order.rankLength);
        order.samples(0, ids.length, ids);
        for (const id of ids) if (id >= 0) read.add(starts.findLastIndex((start) => start <= id));
      }
    }
    return read;
  });
}

/** Fetches when each need has the cache give up what is needed last, nothing ahead: L. Belady's least, with room for `slots`. */
function beladyFetches(needs: readonly number[], slots: number): number {
  const held = new Set<number>();
  let fetches = 0;
  for (const [at, shard] of needs.entries()) {
    if (held.has(shard)) continue;
    fetches++;
    if (held.size === slots) {
      const next = (one: number): number => needs.indexOf(one, at) >>> 0;
      held.delete([...held].reduce((last, one) => (next(one) > next(last) ? one : last)));
    }
    held.add(shard);
  }
  return fetches;
}

describe('a simulated run', () => {
  it('fetches each shard that its ranks read, keeps to the limit, the link and the clock', () => {
    const law = fc.property(arbRun, fc.double({ min: 0, max: 1, noNaN: true }), (run, share) => {
      const least = Math.max(...run.shards.map(most));
      const all = sum(run.shards.map(most));
      const cacheLimit = Math.floor(least + share * (all - least));
      const { nodes, downloads, ...result } = simulated({ ...run, cacheLimit });
      const read = readByNodes(run);
      expect(nodes.length).toBe(run.nodes);
      for (const [node, found] of nodes.entries()) {
        const own = downloads.filter((download) => download.node === node);
        const first = own.filter(({ again }) => !again).map(({ shard }) => shard);
        expect(new Set(first).size).toBe(first.length);
        expect(new Set(first)).toEqual(read[node]);
        expect(found.downloadedBytes).toBe(
          sum(own.map(({ shard }) => run.shards[shard]!.zipBytes ?? run.shards[shard]!.rawBytes)),
        );
        expect(found.bytesAgain).toBe(sum(own.filter(({ again }) => again).map(({ bytes }) => bytes)));
        expect([found.downloads, found.downloadsAgain]).toEqual([own.length, own.length - first.length]);
        expect(found.cacheBytesMost).toBeLessThanOrEqual(cacheLimit);
        for (const [at, { startMs, endMs, bytes }] of own.entries()) {
          expect(startMs).toBeGreaterThanOrEqual(own[at - 1]?.endMs ?? 0);
          expect(endMs - startMs).toBeCloseTo((bytes / run.bandwidthBytesPerSecond) * 1000, 6);
        }
      }
      const { stepStartMs, stepWaitMs, steps, wholeMs, timeToFirstBatchMs } = result;
      expect(stepWaitMs[0]).toBe(timeToFirstBatchMs);
      for (let step = 1; step < steps; step++) {
        expect(stepStartMs[step]).toBeCloseTo(stepStartMs[step - 1]! + run.batchMs + stepWaitMs[step]!, 6);
      }
      expect(wholeMs).toBeCloseTo(steps * run.batchMs + sum(stepWaitMs), 6);
      expect(result.stalls.ms).toBeCloseTo(sum(stepWaitMs.subarray(1)), 6);
      expect(result.samples).toBe(sum(result.stepSamples));
      if (run.order === 'native')
        expect(result.samples).toBe(run.epochs! * sum(run.shards.map(({ samples }) => samples)));
    });
    fc.assert(law, { numRuns: lawRuns(80, 1500) });
  });

  it('names the least cache limit: with it no shard comes twice, with a byte less one does, or does not fit', () => {
    let tight = 0;
    const law = fc.property(arbRun, (run) => {
      const { leastCacheBytes } = simulated(run);
      const enough = simulated({ ...run, cacheLimit: leastCacheBytes });
      expect(sum(enough.nodes.map((node) => node.downloadsAgain))).toBe(0);
      expect(enough.leastCacheBytes).toBe(leastCacheBytes);
      if (leastCacheBytes === 1) return;
      const cacheLimit = leastCacheBytes - 1;
      const needed = run.shards.filter(({ samples }) => samples > 0);
      if (Math.max(...needed.map(most)) > cacheLimit) {
        expect(() => simulated({ ...run, cacheLimit })).toThrow(refusal('invalid_size') as Error);
        return;
      }
      tight++;
      expect(sum(simulated({ ...run, cacheLimit }).nodes.map((node) => node.downloadsAgain))).toBeGreaterThan(0);
    });
    fc.assert(law, { numRuns: lawRuns(150, 5000) });
    expect(tight).toBeGreaterThan(50);
  });

  it('of shards alike fetches no more than must be, whatever it fetches ahead', () => {
    const law = fc.property(
      fc.integer({ min: 1, max: 10 }),
      fc.integer({ min: 1, max: 10 }),
      fc.nat(200),
      fc.boolean(),
      (count, slots, predownload, shuffle) => {
        const samples = 12;
        const options = {
          streams: [{ shardSizes: Array<number>(count).fill(samples) }],
          shuffle,
          shuffleBlockSize: 60,
        };
        const { streams: _, ...order } = options;
        const run = { batchSize: 1, batchMs: 3, bandwidthBytesPerSecond: 1e5, epochs: 2, partitions: 3, ...order };
        const simulation = simulateStream({
          streams: [{ alike: { count, samples, rawBytes: 100 } }],
          cacheLimit: slots * 100,
          predownload,
          ...run,
        });
        const alone = new World({ rank: 0, worldSize: 1 });
        const needs = [0, 1].flatMap((epoch) => {
          const ids = new Float64Array(count * samples);
          new NativeOrder({ ...options, partitions: 3 }).epoch({ epoch, world: alone }).samples(0, ids.length, ids);
          return Array.from(ids, (id) => Math.floor(id / samples));
        });
        expect(simulation.downloads.length).toBe(beladyFetches(needs, slots));
      },
    );
    fc.assert(law, { numRuns: lawRuns(100, 3000) });
  });

  it('never waits but for the first batch where the link brings what a step needs within one', () => {
    const law = fc.property(arbRun, (run) => {
      const bandwidthBytesPerSecond = (sum(run.shards.map(most)) / run.batchMs) * 1000 * 1.001;
      const { stalls, warmUp, timeToFirstBatchMs, stepSamples } = simulated({ ...run, bandwidthBytesPerSecond });
      expect(stalls).toEqual({ steps: 0, ms: 0 });
      expect(timeToFirstBatchMs).toBeGreaterThan(0);
      expect(warmUp.steps).toBe(1);
      expect(stepSamples.length).toBeGreaterThanOrEqual(1);
    });
    fc.assert(law, { numRuns: lawRuns(100, 3000) });
  });

  it('goes as worked out by hand', () => {
    // Four shards of 25 ms each, read in two steps of 10 ms.
    const options = { streams: [{ alike: { count: 4, samples: 10, rawBytes: 100 } }], partitions: 1, batchSize: 5 };
    const result = simulateStream({ ...options, batchMs: 10, bandwidthBytesPerSecond: 4000 });
    expect([...result.stepStartMs]).toEqual([25, 35, 50, 60, 75, 85, 100, 110]);
    expect([...result.stepWaitMs]).toEqual([25, 0, 5, 0, 5, 0, 5, 0]);
    expect(result).toMatchObject({
      steps: 8,
      samples: 40,
      wholeMs: 120,
      samplesPerSecond: (40 / 120) * 1000,
      timeToFirstBatchMs: 25,
      stalls: { steps: 3, ms: 15 },
      warmUp: { steps: 1, ms: 35 },
      stallsAfterWarmUp: { steps: 3, ms: 15 },
      leastCacheBytes: 100,
    });
    expect(result.nodes[0]!.cacheBytesMost).toBe(400);
    // Room for one shard is enough: it may go once its last batch is read, which is a step ahead.
    const tight = simulateStream({ ...options, batchMs: 10, bandwidthBytesPerSecond: 4000, cacheLimit: 100 });
    expect([...tight.stepStartMs]).toEqual([...result.stepStartMs]);
    expect(tight.nodes[0]!.cacheBytesMost).toBe(100);
    expect(tight.downloads.map(({ startMs, endMs }) => [startMs, endMs])).toEqual([
      [0, 25],
      [25, 50],
      [50, 75],
      [75, 100],
    ]);
    // Two steps that need both of two shards, and room for one: each comes twice.
    const parts = {
      ...options,
      streams: [{ alike: { count: 2, samples: 4, rawBytes: 100 } }],
      partitions: 2,
      batchSize: 4,
    };
    const thrashing = simulateStream({ ...parts, batchMs: 10, bandwidthBytesPerSecond: 10_000, cacheLimit: 100 });
    expect(thrashing.downloads.map(({ shard, again }) => [shard, again])).toEqual([
      [0, false],
      [1, false],
      [0, true],
      [1, true],
    ]);
    expect([...thrashing.stepStartMs]).toEqual([20, 40]);
  });

  it('keeps what it has from epoch to epoch, and begins the second without a wait', () => {
    const options = {
      streams: [{ alike: { count: 6, samples: 20, rawBytes: 50 } }],
      batchSize: 4,
      batchMs: 5,
      shuffle: true,
    };
    const two = simulateStream({ ...options, bandwidthBytesPerSecond: 20_000, epochs: 2 });
    expect(two.nodes[0]).toMatchObject({ downloads: 6, downloadsAgain: 0, leastCacheBytes: 300 });
    expect(sum(two.stepWaitMs.subarray(two.steps / 2))).toBe(0);
    const short = simulateStream({ ...options, bandwidthBytesPerSecond: 20_000, epochs: 2, maxSteps: 3 });
    expect([...short.stepStartMs]).toEqual([...two.stepStartMs.subarray(0, 3)]);
  });

  it('unpacks beside what it fetched, and keeps both only when told', () => {
    const shards = [
      { samples: 4, rawBytes: 100, zipBytes: 30 },
      { samples: 4, rawBytes: 100, zipBytes: 30 },
    ];
    const run = { streams: [{ shards }], batchSize: 2, batchMs: 1, bandwidthBytesPerSecond: 1000 };
    expect(simulateStream(run).nodes[0]).toMatchObject({
      downloadedBytes: 60,
      cacheBytesMost: 230,
      leastCacheBytes: 230,
    });
    expect(simulateStream({ ...run, keepZip: true }).nodes[0]).toMatchObject({
      cacheBytesMost: 260,
      leastCacheBytes: 260,
    });
  });

  it('takes shards from an index as from numbers', () => {
    const shard = (samples: number, bytes: number, zip?: number): object => ({
      version: 2,
      format: 'mds',
      column_encodings: ['int'],
      column_names: ['x'],
      column_sizes: [8],
      compression: zip === undefined ? null : 'zstd',
      hashes: [],
      raw_data: { basename: 'shard.00000.mds', bytes, hashes: {} },
      samples,
      size_limit: 100,
      zip_data: zip === undefined ? null : { basename: 'shard.00000.mds.zstd', bytes: zip, hashes: {} },
    });
    const index = JSON.stringify({ version: 2, shards: [shard(10, 400, 90), shard(7, 300, 80)] });
    const shards = [
      { samples: 10, rawBytes: 400, zipBytes: 90 },
      { samples: 7, rawBytes: 300, zipBytes: 80 },
    ];
    const run = { batchSize: 2, batchMs: 7, bandwidthBytesPerSecond: 900, shuffle: true };
    expect(simulateStream({ streams: [{ index }], ...run })).toEqual(simulateStream({ streams: [{ shards }], ...run }));
  });

  it('measures how well an order mixes, against one that mixes all', () => {
    const streams = [{ alike: { count: 40, samples: 250, rawBytes: 1000 } }];
    const relative = (more: Partial<SimulateStreamOptions>): number =>
      simulateStream({ streams, batchSize: 50, batchMs: 1, bandwidthBytesPerSecond: 1e6, ...more }).shuffle.relative;
    const plain = relative({ partitions: 1 });
    const blocks = [500, 2000, 10_000].map((shuffleBlockSize) => relative({ shuffle: true, shuffleBlockSize }));
    const naive = relative({ order: 'mosaic', shuffle: true, shuffleAlgo: 'naive' });
    expect(plain).toBeLessThan(0.1);
    expect(naive).toBeGreaterThan(0.99);
    expect(naive).toBeLessThan(1.01);
    expect(blocks).toEqual(blocks.toSorted((a, b) => a - b));
    expect(blocks[0]).toBeGreaterThan(0.6);
    expect(relative({ order: 'mosaic', shuffle: true, shuffleAlgo: 'py1s' })).toBeLessThan(
      relative({ order: 'mosaic', shuffle: true }),
    );
    expect(relative({ streams: [{ alike: { count: 1, samples: 900, rawBytes: 1 } }], shuffle: true })).toBeGreaterThan(
      0.9,
    );
  });

  it('refuses what cannot be simulated, naming it', () => {
    const good = {
      streams: [{ alike: { count: 2, samples: 4, rawBytes: 10 } }],
      batchSize: 2,
      batchMs: 1,
      bandwidthBytesPerSecond: 1,
    };
    const run =
      (more: object): (() => StreamSimulation) =>
      () =>
        simulateStream({ ...good, ...more } as SimulateStreamOptions);
    for (const [more, code] of [
      [{ bandwidth: 5 }, 'invalid_argument'],
      [{ shuffleAlgo: 'py1e' }, 'invalid_argument'],
      [{ order: 'mosaic', partitions: 4 }, 'invalid_argument'],
      [{ order: 'other' }, 'invalid_argument'],
      [{ streams: [] }, 'invalid_argument'],
      [{ streams: [{}] }, 'invalid_argument'],
      [{ streams: [null] }, 'invalid_argument'],
      [{ streams: [{ index: '{}', shards: [] }] }, 'invalid_argument'],
      [{ streams: [{ index: 'no' }] }, 'corrupt_file'],
      [{ streams: [{ shards: [{ samples: 3 }] }] }, 'invalid_size'],
      [{ streams: [{ shards: [{ samples: 3, rawBytes: 1, zip: 2 }] }] }, 'invalid_argument'],
      [{ streams: [{ shards: [] }] }, 'no_rows'],
      [{ streams: [{ alike: { count: 3, samples: 0, rawBytes: 1 } }] }, 'no_rows'],
      [{ batchMs: 0 }, 'invalid_size'],
      [{ batchSize: 0 }, 'invalid_size'],
      [{ bandwidthBytesPerSecond: Number.NaN }, 'invalid_size'],
      [{ nodes: 0 }, 'invalid_size'],
      [{ cacheLimit: 9 }, 'invalid_size'],
      [{ predownload: -1 }, 'invalid_size'],
      [{ keepZip: 'yes' }, 'invalid_argument'],
    ] as const) {
      expect(run(more), JSON.stringify(more)).toThrow(refusal(code) as Error);
    }
    expect(() => simulateStream(undefined as unknown as SimulateStreamOptions)).toThrow(
      refusal('invalid_argument') as Error,
    );
  });
});

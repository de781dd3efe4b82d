import { World } from '../../src/sharding/world.js';
import { MosaicOrder } from '../../src/streaming/mosaic/mosaic-order.js';
import { mosaicSampleOrder } from '../../src/streaming/mosaic/mosaic-sample-order.js';
import type { ShuffleAlgo } from '../../src/streaming/mosaic/mosaic-shuffle.js';
import { NativeOrder } from '../../src/streaming/native/native-order.js';
import type { SampleOrder } from '../../src/streaming/order/sample-order.js';
import type { Benchmark, OpenSide, Pass, Scale, Side } from '../benchmark.js';
import type { Figure } from '../figure.js';
import { heldBytes } from '../loader/held-memory.js';

const samples = 10_000_000;
const shards = 400;
const sampleBytes = 2270;
const idBytes = 8;
/** Places that are asked for in one go, as a batch would. */
const batchSize = 256;
const readPlaces = 65_536;

const planMs = 'plan ms';
const wholeMs = 'order ms';

/** Milliseconds that MosaicML's own code takes for 10 M samples on two cores, as its measurements have it (numpy). */
const quoted: readonly (readonly [ShuffleAlgo, number])[] = [
  ['py1e', 2600],
  ['py1s', 680],
  ['py2s', 1700],
  ['py1br', 300],
  ['naive', 750],
];

/** What it takes to know an epoch's order. */
export const streamPlan: Benchmark = {
  name: 'stream/plan',
  work:
    '10 M samples in 400 shards. plan: the order of an epoch, the batch in its middle, and all shards in the order of need. ' +
    'order: the order and every place of it.',
  data: [],
  sides: [
    { name: 'native', open: async (scale) => opened(scale, nativeEpochs(scale)) },
    ...quoted.map(([algo]): Side => ({ name: algo, open: async (scale) => opened(scale, mosaicEpochs(scale, algo)) })),
  ],
  figures: [
    { kind: 'value', of: 'native', value: planMs, atMost: 50 },
    { kind: 'held', of: 'native', rows: 262_144, atMost: 1 },
    ...quoted.map(([of, ms]): Figure => ({ kind: 'value', of, value: wholeMs, atMost: 3 * ms })),
  ],
};

type Epochs = (epoch: number) => SampleOrder;

function opened(scale: Scale, order: Epochs): OpenSide {
  let epoch = 0;
  return {
    pass: async () => walked(order, epoch++, scale),
    held: () => heldBytes(batches(order, epoch), Math.ceil(scale.rows(samples) / readPlaces)),
  };
}

function nativeEpochs(scale: Scale): Epochs {
  const order = new NativeOrder({ streams: [{ shardSizes: sizes(scale) }], shuffle: true, sampleBytes });
  const world = new World({ rank: 0, worldSize: 1 });
  return (epoch) => order.epoch({ epoch, world });
}

function mosaicEpochs(scale: Scale, shuffleAlgo: ShuffleAlgo): Epochs {
  const order = new MosaicOrder({ streams: [{ shardSizes: sizes(scale) }], batchSize, shuffle: true, shuffleAlgo });
  const world = { nodes: 1, ranksPerNode: 1, workersPerRank: 1 };
  return (epoch) => mosaicSampleOrder(order, { epoch, sampleInEpoch: 0 }, world, 0);
}

const sizes = (scale: Scale): number[] => Array<number>(shards).fill(scale.rows(samples) / shards);

function walked(order: Epochs, epoch: number, scale: Scale): Pass {
  const start = performance.now();
  const mine = order(epoch);
  const middle = Math.floor(mine.rankLength / 2);
  const ids = new Float64Array(readPlaces);
  mine.samples(middle, middle + batchSize, ids);
  const made = performance.now();
  const named = [...mine.shardsFrom(0)].length;
  const planned = performance.now();
  let rows = 0;
  for (let place = 0; place < mine.rankLength; place += readPlaces) {
    const end = Math.min(mine.rankLength, place + readPlaces);
    mine.samples(place, end, ids);
    rows += end - place;
  }
  const wanted = scale.rows(samples);
  if (rows < wanted || named !== shards)
    throw new Error(`Expected ${wanted} samples of ${shards} shards, found ${rows} of ${named}.`);
  const values = { [planMs]: planned - start, [wholeMs]: made - start + performance.now() - planned };
  return { rows, bytes: rows * idBytes, values };
}

/** The places of an epoch, in one buffer over and over. */
async function* batches(order: Epochs, epoch: number): AsyncGenerator<Float64Array, void, undefined> {
  const mine = order(epoch);
  const ids = new Float64Array(readPlaces);
  for (let place = 0; place < mine.rankLength; place += readPlaces) {
    mine.samples(place, Math.min(mine.rankLength, place + readPlaces), ids);
    yield ids;
  }
}

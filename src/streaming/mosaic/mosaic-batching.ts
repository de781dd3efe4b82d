import { SpiralError } from '../../core/errors.js';
import { NumpyGenerator } from '../order/numpy-generator.js';
import { type MosaicWorld, type Partition, type PartitionAlgo, partition } from './mosaic-partition.js';

/** How streams share batches: any sample anywhere, each batch alike, each global or each rank's batch of one stream. */
export const batchingMethods = ['random', 'stratified', 'per_stream', 'device_per_stream'] as const;
export type BatchingMethod = (typeof batchingMethods)[number];

/** The samples of one stream, or of all mixed, in an epoch's order. */
export interface EpochSamples {
  readonly samples: number;
  /** Of the epoch's samples, between 0 and 1. */
  readonly proportion: number;
  /** The sample at a place of the order, of those of all streams. */
  sampleAt(place: number): number;
}

/** What batches are made from. */
export interface BatchingSettings {
  readonly streams: readonly EpochSamples[];
  readonly world: MosaicWorld;
  readonly batchSize: number;
  readonly canonicalNodes: number;
  readonly partitionAlgo: PartitionAlgo;
  readonly initialNodes: number | undefined;
  /** Samples of the epoch that all ranks together have seen. */
  readonly sampleInEpoch: number;
  /** Orders the batches of streams that do not share them. */
  readonly batchSeed: bigint;
}

/** An epoch's samples by rank and place, as of {@link Partition}; -1 where there is none. */
export type EpochOrder = Pick<Partition, 'rankLength' | 'at'>;

/**
 * The epoch's order for streams that share batches by `method`. `random` wants all streams mixed into one, and goes on at
 * any sample; the others at a global batch, rounded down, and drop what does not fill a batch.
 *
 * @throws SpiralError `no_rows` where a stream gives no batch, or no part of one; `invalid_world` as of {@link partition},
 * and for device_per_stream unless the canonical nodes are a multiple of the nodes.
 */
export function batchedOrder(method: BatchingMethod, settings: BatchingSettings): EpochOrder {
  if (method === 'stratified') return resumed(settings, stratified(settings));
  if (method === 'per_stream') return resumed(settings, perStream(settings));
  if (method === 'device_per_stream') return resumed(settings, devicePerStream(settings));
  const [mixed] = settings.streams;
  const places = streamPartition(settings, mixed!, { dropFirst: settings.sampleInEpoch });
  return { rankLength: places.rankLength, at: (node, rank, place) => sampled(mixed!, places.at(node, rank, place)) };
}

/** Global batches from the epoch's start, and the sample at a slot of one: slots go by node, rank, place in the batch. */
interface GlobalBatches {
  readonly count: number;
  at(batch: number, slot: number): number;
}

function resumed({ world, batchSize, sampleInEpoch }: BatchingSettings, batches: GlobalBatches): EpochOrder {
  const { nodes, ranksPerNode, workersPerRank } = world;
  const seen = Math.floor(sampleInEpoch / (nodes * ranksPerNode * batchSize));
  const left = Math.max(0, batches.count - seen);
  return {
    rankLength: Math.ceil(left / workersPerRank) * workersPerRank * batchSize,
    at: (node, rank, place) => {
      const batch = seen + Math.floor(place / batchSize);
      if (batch >= batches.count) return -1;
      return batches.at(batch, (node * ranksPerNode + rank) * batchSize + (place % batchSize));
    },
  };
}

function streamPartition(
  settings: BatchingSettings,
  stream: EpochSamples,
  changes: { dropFirst?: number; nodes?: number; batchSize?: number },
): Partition {
  const { world, canonicalNodes, batchSize, initialNodes } = settings;
  return partition(settings.partitionAlgo, {
    samples: stream.samples,
    canonicalNodes,
    world: { ...world, nodes: changes.nodes ?? world.nodes },
    batchSize: changes.batchSize ?? batchSize,
    dropFirst: changes.dropFirst ?? 0,
    initialNodes,
  });
}

const sampled = (stream: EpochSamples, place: number): number => (place < 0 ? -1 : stream.sampleAt(place));

/** Each global batch has the same part of each stream; the shortest stream ends the epoch. */
function stratified(settings: BatchingSettings): GlobalBatches {
  const { streams, world, batchSize } = settings;
  const { ranksPerNode } = world;
  const parts = batchParts(streams, world.nodes * ranksPerNode * batchSize);
  const partitions = streams.map((stream) => streamPartition(settings, stream, { nodes: 1, batchSize: 1 }));
  const streamOfSlot = parts.flatMap((part, stream) => Array<number>(part).fill(stream));
  const starts = parts.map((_, stream) => parts.slice(0, stream).reduce((a, b) => a + b, 0));
  const counts = partitions.map(({ fullBlocks }, stream) => Math.floor((fullBlocks * ranksPerNode) / parts[stream]!));
  return {
    count: Math.min(...counts),
    at: (batch, slot) => {
      const stream = streamOfSlot[slot]!;
      const inStream = batch * parts[stream]! + slot - starts[stream]!;
      const place = partitions[stream]!.at(0, inStream % ranksPerNode, Math.floor(inStream / ranksPerNode));
      return sampled(streams[stream]!, place);
    },
  };
}

/** Samples of each stream in a global batch: rounded down, and one more to those that lost most. */
function batchParts(streams: readonly EpochSamples[], global: number): number[] {
  const parts = streams.map(({ proportion }) => Math.floor(proportion * global));
  const missing = global - parts.reduce((a, b) => a + b, 0);
  const lost = streams.map(({ proportion }, stream) => global * proportion - parts[stream]!);
  // The original sorts upwards and reverses: of equal losses the later stream comes first.
  const order = lost.map((_, stream) => stream).sort((a, b) => lost[b]! - lost[a]! || b - a);
  for (const stream of order.slice(0, missing)) parts[stream]!++;
  for (const [stream, part] of parts.entries()) {
    if (part > 0) continue;
    throw new SpiralError(
      'no_rows',
      `Expected each global batch of ${global} to have a sample of stream ${stream}, got none: it is ` +
        `${streams[stream]!.proportion} of the epoch. Use larger batches or raise the stream's part.`,
      { details: { stream, globalBatchSize: global, proportion: streams[stream]!.proportion } },
    );
  }
  return parts;
}

/** Each global batch of one stream, in a drawn order of streams. */
function perStream(settings: BatchingSettings): GlobalBatches {
  const { streams, world, batchSize, batchSeed } = settings;
  const partitions = streams.map((stream) => streamPartition(settings, stream, {}));
  const counts = partitions.map(({ fullBlocks }) => fullBlocks);
  const global = world.nodes * world.ranksPerNode * batchSize;
  for (const [stream, count] of counts.entries()) if (count === 0) throw noBatch(stream, 'global', global);
  const turns = streamTurns(counts, new NumpyGenerator(batchSeed));
  return {
    count: turns.streams.length,
    at: (batch, slot) => {
      const stream = turns.streams[batch]!;
      const rank = Math.floor(slot / batchSize);
      const place = turns.batches[batch]! * batchSize + (slot % batchSize);
      const { ranksPerNode } = world;
      return sampled(
        streams[stream]!,
        partitions[stream]!.at(Math.floor(rank / ranksPerNode), rank % ranksPerNode, place),
      );
    },
  };
}

/** Each rank's batch of one stream, in an order of streams that is drawn for each node. */
function devicePerStream(settings: BatchingSettings): GlobalBatches {
  const { streams, world, batchSize, canonicalNodes, batchSeed } = settings;
  const { nodes, ranksPerNode } = world;
  if (canonicalNodes % nodes !== 0) {
    throw new SpiralError(
      'invalid_world',
      `Expected the canonical nodes to be a multiple of the nodes for device_per_stream, got ${canonicalNodes} and ${nodes}.`,
      { details: { numCanonicalNodes: canonicalNodes, nodes } },
    );
  }
  const partitions = streams.map((stream) =>
    streamPartition(settings, stream, { nodes: canonicalNodes, batchSize: 1 }),
  );
  const own = canonicalNodes / nodes;
  const counts = partitions.map(({ fullBlocks }) => Math.floor((fullBlocks * own * ranksPerNode) / batchSize));
  for (const [stream, count] of counts.entries()) if (count === 0) throw noBatch(stream, "rank's", batchSize);
  const generator = new NumpyGenerator(batchSeed);
  const turns = Array.from({ length: nodes }, () => streamTurns(counts, generator));
  const most = turns[0]!.streams.length;
  const ranks = nodes * ranksPerNode;
  // The original always pads, by a whole round too: the count decides where the last batches of workers stand.
  const padded = most + ranks - (most % ranks);
  return {
    count: padded / ranksPerNode,
    at: (batch, slot) => {
      // Nodes' batches are dealt in turn, and cut into global batches after that.
      const turn = batch * ranks + Math.floor(slot / batchSize);
      const node = turn % nodes;
      const inNode = Math.floor(turn / nodes);
      if (inNode >= most) return -1;
      const stream = turns[node]!.streams[inNode]!;
      const inStream = turns[node]!.batches[inNode]! * batchSize + (slot % batchSize);
      const row = Math.floor(inStream / ranksPerNode);
      const place = partitions[stream]!.at(node * own + (row % own), inStream % ranksPerNode, Math.floor(row / own));
      return sampled(streams[stream]!, place);
    },
  };
}

/** Whose turn each batch is, and which of that stream's batches it takes. */
function streamTurns(
  counts: readonly number[],
  generator: NumpyGenerator,
): { streams: Uint32Array; batches: Uint32Array } {
  const streams = new Uint32Array(counts.reduce((a, b) => a + b, 0));
  let at = 0;
  for (const [stream, count] of counts.entries()) streams.fill(stream, at, (at += count));
  generator.shuffle(streams);
  const next = counts.map(() => 0);
  return { streams, batches: streams.map((stream) => next[stream]!++) };
}

function noBatch(stream: number, whose: string, size: number): SpiralError {
  return new SpiralError(
    'no_rows',
    `Expected stream ${stream} to fill a ${whose} batch of ${size}, got too few samples. Use smaller batches or raise the ` +
      "stream's part.",
    { details: { stream, batchSize: size } },
  );
}

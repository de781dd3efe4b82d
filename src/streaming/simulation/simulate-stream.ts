import { SpiralError } from '../../core/errors.js';
import { aheadShare } from '../cache/ahead-window.js';
import { shardStarts } from '../order/shard-spans.js';
import { leastCacheBytes, ShardNeeds, type ShardRoom } from './shard-needs.js';
import { NeighbourDistances, naiveQuality, type ShuffleQuality } from './shuffle-quality.js';
import { type SimulateStreamOptions, type SimulationSettings, simulationSettings } from './simulate-options.js';
import { type SimulatedDownload, SimulatedNode } from './simulated-node.js';
import { type NodeNeeds, StepNeeds } from './step-needs.js';
import { stepSamples } from './step-samples.js';

/** What one node did. */
export interface SimulatedNodeResult {
  readonly downloads: number;
  readonly downloadedBytes: number;
  /** Shards that were fetched once more, having been in the cache before. */
  readonly downloadsAgain: number;
  readonly bytesAgain: number;
  /** The most that its shards took. */
  readonly cacheBytesMost: number;
  /** The least cache limit with which it would fetch no shard twice. */
  readonly leastCacheBytes: number;
}

/** A run as it would go. Times are milliseconds since its start. */
export interface StreamSimulation {
  readonly nodes: readonly SimulatedNodeResult[];
  /** Every download, by node and in order. */
  readonly downloads: readonly SimulatedDownload[];
  /** Samples of each step, over all ranks; when it began, and how long it waited for data before. */
  readonly stepSamples: Float64Array;
  readonly stepStartMs: Float64Array;
  readonly stepWaitMs: Float64Array;
  readonly steps: number;
  readonly samples: number;
  readonly batchMs: number;
  readonly wholeMs: number;
  readonly timeToFirstBatchMs: number;
  readonly samplesPerSecond: number;
  /** Steps but the first that waited for data. */
  readonly stalls: { readonly steps: number; readonly ms: number };
  /** Steps up to the first that did not wait, and when that began; and what waited behind it. */
  readonly warmUp: { readonly steps: number; readonly ms: number };
  readonly stallsAfterWarmUp: { readonly steps: number; readonly ms: number };
  /** The least cache limit of a node with which no node would fetch a shard twice. */
  readonly leastCacheBytes: number;
  /** How well the first epoch is mixed; and as a share of what an order without any bounds reaches. */
  readonly shuffle: ShuffleQuality & { readonly relative: number };
}

/**
 * How a run over streams would go, in numbers alone: what each node downloads when, which cache limit would do, where steps
 * wait for data, and how well samples are mixed.
 *
 * The order is the one that a data set with these options gives, and shards come and go by the rules of its cache: fetched in
 * the order of need, and the shard that is needed last makes room. It is a model in three points. A node's shards come one
 * after the other with the whole bandwidth, without latency; a step begins when the batches of all ranks are there, and reads
 * no more than the next batch before; unpacking takes no time. Takes time by the samples, and 8 bytes for each step's shards.
 *
 * @throws SpiralError `invalid_argument` or `invalid_size` for options that are wrong, `invalid_size` also where a shard does
 * not fit into `cacheLimit`; `no_rows` where an epoch has no samples; as `NativeOrder` and `MosaicOrder`.
 */
export function simulateStream(options: SimulateStreamOptions): StreamSimulation {
  const settings = simulationSettings(options);
  const starts = shardStarts(settings.shards.map(({ samples }) => samples));
  const room = roomOf(settings);
  const { needs, samples, distances } = neededOf(settings, starts);
  const nodes = needs.map((own, node) => simulatedNode(settings, own, node, room, starts));
  const steps = samples.length;
  const stepStartMs = new Float64Array(steps);
  const stepWaitMs = new Float64Array(steps);
  let [beganMs, endMs] = [0, 0];
  for (let step = 0; step < steps; step++) {
    const readyMs = nodes.reduce((latest, { run }) => Math.max(latest, run.meet(step, beganMs)), 0);
    beganMs = Math.max(endMs, readyMs);
    stepStartMs[step] = beganMs;
    stepWaitMs[step] = beganMs - endMs;
    for (const { run } of nodes) run.fetchAhead(beganMs);
    endMs = beganMs + settings.batchMs;
  }
  const given = samples.reduce((sum, one) => sum + one, 0);
  const shuffle = distances.quality();
  const naive = naiveQuality(starts, Math.min(given, starts.at(-1)!), settings.orderOptions.shuffleSeed ?? 0).quality;
  const results = nodes.map(({ run, least }) => nodeResult(run, least));
  return {
    nodes: results,
    downloads: nodes.flatMap(({ run }) => run.downloads),
    stepSamples: Float64Array.from(samples),
    stepStartMs,
    stepWaitMs,
    steps,
    samples: given,
    batchMs: settings.batchMs,
    wholeMs: endMs,
    timeToFirstBatchMs: stepStartMs[0] ?? 0,
    samplesPerSecond: endMs === 0 ? 0 : (given / endMs) * 1000,
    ...stallsOf(stepStartMs, stepWaitMs),
    leastCacheBytes: Math.max(...results.map((node) => node.leastCacheBytes)),
    shuffle: { ...shuffle, relative: naive === 0 ? 1 : shuffle.quality / naive },
  };
}

function roomOf({ shards, keepZip }: SimulationSettings): (shard: number) => ShardRoom {
  const rooms = shards.map(({ rawBytes, zipBytes }): ShardRoom => {
    const mostBytes = rawBytes + (zipBytes ?? 0);
    return { fetchedBytes: zipBytes ?? rawBytes, mostBytes, keptBytes: keepZip ? mostBytes : rawBytes };
  });
  return (shard) => rooms[shard]!;
}

/** @throws SpiralError `invalid_size` where a shard that is needed does not fit into the limit. */
function checkLimit(cacheLimit: number, { shards }: NodeNeeds, room: (shard: number) => ShardRoom): void {
  for (const shard of shards) {
    const { mostBytes } = room(shard);
    if (mostBytes <= cacheLimit) continue;
    throw new SpiralError(
      'invalid_size',
      `Expected \`cacheLimit\` to hold each shard, also while it is unpacked, got ${cacheLimit} bytes for shard ${shard}, ` +
        `which takes ${mostBytes}. Raise it.`,
      { details: { cacheLimit, shard, bytes: mostBytes } },
    );
  }
}

function neededOf(
  settings: SimulationSettings,
  starts: Float64Array,
): { needs: readonly NodeNeeds[]; samples: number[]; distances: NeighbourDistances } {
  const { nodes, ranksPerNode, batchSize, epochs, maxSteps } = settings;
  const needs = new StepNeeds({ nodes, ranksPerNode }, starts);
  const distances = new NeighbourDistances(starts);
  const epochSamples = stepSamples(settings);
  const ids = new Float64Array(nodes * ranksPerNode * batchSize);
  const samples: number[] = [];
  for (let epoch = 0; epoch < epochs && samples.length < maxSteps; epoch++) {
    const { steps, read } = epochSamples(epoch);
    for (let step = 0; step < steps && samples.length < maxSteps; step++) {
      read(step, ids);
      if (epoch === 0) distances.add(ids);
      samples.push(needs.add(ids));
    }
  }
  return { needs: needs.nodes, samples, distances };
}

function simulatedNode(
  { bandwidthBytesPerSecond, cacheLimit, predownload, ranksPerNode, shards }: SimulationSettings,
  needs: NodeNeeds,
  node: number,
  room: (shard: number) => ShardRoom,
  starts: Float64Array,
): { run: SimulatedNode; least: number } {
  checkLimit(cacheLimit, needs, room);
  const places = new ShardNeeds(needs, starts.length - 1);
  const ahead =
    predownload === undefined
      ? { most: ranksPerNode, weight: (shard: number) => aheadShare(room(shard).mostBytes) }
      : { most: predownload * ranksPerNode, weight: (shard: number) => shards[shard]!.samples };
  const run = new SimulatedNode(needs, places, {
    node,
    bytesPerMs: bandwidthBytesPerSecond / 1000,
    limitBytes: cacheLimit,
    room,
    ahead,
  });
  return { run, least: leastCacheBytes(needs, places, room) };
}

function nodeResult({ downloads }: SimulatedNode, least: number): SimulatedNodeResult {
  const sum = (of: readonly SimulatedDownload[]): number => of.reduce((total, { bytes }) => total + bytes, 0);
  const again = downloads.filter((download) => download.again);
  return {
    downloads: downloads.length,
    downloadedBytes: sum(downloads),
    downloadsAgain: again.length,
    bytesAgain: sum(again),
    cacheBytesMost: downloads.reduce((most, { cacheBytes }) => Math.max(most, cacheBytes), 0),
    leastCacheBytes: least,
  };
}

type Stalls = Pick<StreamSimulation, 'stalls' | 'warmUp' | 'stallsAfterWarmUp'>;

function stallsOf(startMs: Float64Array, waitMs: Float64Array): Stalls {
  const behind = (first: number): { steps: number; ms: number } => {
    const waits = waitMs.subarray(first).filter((ms) => ms > 0);
    return { steps: waits.length, ms: waits.reduce((sum, ms) => sum + ms, 0) };
  };
  const calm = waitMs.findIndex((ms, step) => step > 0 && ms === 0);
  const steps = calm < 0 ? startMs.length : calm;
  return {
    stalls: behind(1),
    warmUp: { steps, ms: calm < 0 ? (startMs.at(-1) ?? 0) : startMs[calm]! },
    stallsAfterWarmUp: behind(steps),
  };
}

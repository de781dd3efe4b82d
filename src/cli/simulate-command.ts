import { writeFileSync } from 'node:fs';
import type { SimulatedShard, SimulateStreamOptions } from '../index.js';
import type { Call, CommandSpec } from './command.js';
import { done, misuse } from './failure.js';

/** `spiral stream simulate`. */
export const simulateCommand: CommandSpec = {
  words: ['stream', 'simulate'],
  about: 'tell, and draw, how a run over data sets would go: downloads, cache, stalls, shuffle quality',
  arguments: [
    {
      name: 'data-sets',
      about: 'folders with index.json, each a stream; none with --shards',
      many: true,
      optional: true,
    },
  ],
  options: [
    { name: 'shards', value: 'count', kind: 'count', about: 'in place of data sets: so many shards, all alike' },
    { name: 'shard-samples', value: 'count', kind: 'count', about: 'samples of each of --shards' },
    { name: 'shard-bytes', value: 'bytes', kind: 'bytes', about: 'bytes of each of --shards' },
    { name: 'nodes', value: 'count', kind: 'count', otherwise: '1', about: 'machines, each with a link and a cache' },
    { name: 'ranks', value: 'count', kind: 'count', otherwise: '1', about: 'devices of a machine' },
    { name: 'batch-size', value: 'samples', kind: 'count', otherwise: '32', about: 'of a rank' },
    { name: 'step', value: 'time', kind: 'duration', otherwise: '100ms', about: 'what a training step takes' },
    { name: 'bandwidth', value: 'bytes', kind: 'bytes', otherwise: '100mb', about: "of a machine's link, a second" },
    { name: 'cache-limit', value: 'bytes', kind: 'bytes', about: 'of a machine; without: all that is fetched is kept' },
    { name: 'predownload', value: 'samples', kind: 'count', about: 'that are fetched ahead for each rank' },
    { name: 'epochs', value: 'count', kind: 'count', otherwise: '1', about: 'in a row' },
    { name: 'steps', value: 'count', kind: 'count', about: 'after which it ends' },
    { name: 'order', value: 'order', choices: ['native', 'mosaic'], otherwise: 'native', about: 'of the samples' },
    { name: 'no-shuffle', about: 'samples as they are stored' },
    { name: 'seed', value: 'seed', kind: 'count', about: 'of the shuffle' },
    { name: 'shuffle-block-size', value: 'samples', kind: 'count', about: 'that are mixed at a time' },
    { name: 'shuffle-algo', value: 'name', about: 'of --order mosaic: py1e, py1br, py1s, py2s, naive …' },
    { name: 'canonical-nodes', value: 'count', kind: 'count', about: 'of --order mosaic' },
    { name: 'svg', value: 'file', about: 'a drawing' },
    { name: 'html', value: 'file', about: 'the figures and the drawing as a page' },
  ],
  examples: [
    'stream simulate data/c4 --nodes 4 --ranks 8 --cache-limit 20gb --html run.html',
    'stream simulate --shards 1000 --shard-samples 5000 --shard-bytes 64mb --step 250ms --bandwidth 1gb',
  ],
  run: async (call) => {
    const { door, line, out } = call;
    const simulation = door.simulateStream(await optionsOf(call));
    const [svg, html] = [line.text('svg'), line.text('html')];
    if (svg !== undefined) writeFileSync(svg, door.simulationSvg(simulation));
    if (html !== undefined) writeFileSync(html, door.simulationHtml(simulation));
    const { downloads, stepSamples, stepStartMs, stepWaitMs, ...figures } = simulation;
    await out.facts(door.simulationFacts(simulation), { ...figures, downloads: downloads.length });
    return done;
  },
};

async function optionsOf(call: Call): Promise<SimulateStreamOptions> {
  const { line } = call;
  const algo = line.text('shuffle-algo');
  const order = line.text('order') as NonNullable<SimulateStreamOptions['order']>;
  const nodes = line.count('canonical-nodes');
  const seed = line.count('seed');
  return {
    streams: await streamsOf(call),
    order,
    shuffle: line.flag('shuffle'),
    nodes: line.count('nodes'),
    ranksPerNode: line.count('ranks'),
    batchSize: line.count('batch-size')!,
    batchMs: line.count('step')!,
    bandwidthBytesPerSecond: line.count('bandwidth')!,
    epochs: line.count('epochs'),
    ...line.counts('cache-limit', 'predownload', 'shuffle-block-size'),
    ...(line.count('steps') !== undefined && { maxSteps: line.count('steps') }),
    ...(seed !== undefined && { shuffleSeed: seed }),
    ...(algo !== undefined && { shuffleAlgo: algo as NonNullable<SimulateStreamOptions['shuffleAlgo']> }),
    ...(nodes !== undefined && { numCanonicalNodes: nodes }),
  };
}

async function streamsOf({ door, line, signal }: Call): Promise<SimulateStreamOptions['streams']> {
  const [count, samples, bytes] = [line.count('shards'), line.count('shard-samples'), line.count('shard-bytes')];
  const named = line.arguments('data-sets');
  if (count !== undefined) {
    if (named.length === 0 && samples !== undefined && bytes !== undefined) {
      return [{ alike: { count, samples, rawBytes: bytes } }];
    }
    throw misuse('Expected --shards beside --shard-samples and --shard-bytes, and no data set.');
  }
  if (named.length === 0) throw misuse('Expected a data set, or --shards with --shard-samples and --shard-bytes.');
  return Promise.all(
    named.map(async (uri) => {
      const { shards } = await door.inspectMds(uri, { signal });
      return {
        shards: shards.map(({ samples, rawBytes, storedBytes, compression }): SimulatedShard => {
          return { samples, rawBytes, ...(compression !== null && { zipBytes: storedBytes }) };
        }),
      };
    }),
  );
}

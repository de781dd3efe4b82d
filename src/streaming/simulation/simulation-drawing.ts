import { SpiralError, shown } from '../../core/errors.js';
import type { StreamSimulation } from './simulate-stream.js';
import { type Chart, type ChartLine, escaped, svgOf } from './svg-chart.js';

/** Nodes that have a line of their own; of more, the sum is drawn. */
const nodeLinesMax = 8;
/** Steps whose mean throughput is drawn. */
const meanSteps = 10;

/**
 * A simulation as an SVG document of its own: throughput, waits, downloads and the cache over time.
 *
 * @throws SpiralError `invalid_argument` for what is no simulation.
 */
export function simulationSvg(simulation: StreamSimulation): string {
  checkSimulation(simulation);
  const time = unitOf(simulation.wholeMs, [
    ['hours', 3_600_000],
    ['minutes', 60_000],
    ['seconds', 1000],
    ['ms', 1],
  ]);
  return svgOf([
    throughput(simulation, time),
    waits(simulation, time),
    downloaded(simulation, time),
    cached(simulation, time),
  ]);
}

/** A simulation as an HTML page of its own: its figures, and {@link simulationSvg}. @throws SpiralError as that does. */
export function simulationHtml(simulation: StreamSimulation, title = 'Streaming, simulated'): string {
  const rows = simulationFacts(simulation).map(
    ([name, value]) => `<tr><td>${escaped(name)}</td><td>${escaped(value)}</td></tr>\n`,
  );
  return (
    `<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>${escaped(title)}</title>\n` +
    '<style>body{font:14px system-ui,sans-serif;margin:2em auto;max-width:780px}td{padding:2px 16px 2px 0}</style>\n' +
    `</head>\n<body>\n<h1>${escaped(title)}</h1>\n<table>\n${rows.join('')}</table>\n${simulationSvg(simulation)}</body>\n</html>\n`
  );
}

/** What a simulation comes to, as names and values to print. @throws SpiralError as {@link simulationSvg}. */
export function simulationFacts(simulation: StreamSimulation): [name: string, value: string][] {
  checkSimulation(simulation);
  const { nodes, stalls, stallsAfterWarmUp, warmUp, shuffle } = simulation;
  const sum = (of: (node: (typeof nodes)[number]) => number): number =>
    nodes.reduce((total, node) => total + of(node), 0);
  const waited = ({ steps, ms }: { steps: number; ms: number }): string => `${shownCount(steps)} steps, ${shownMs(ms)}`;
  return [
    ['samples', `${shownCount(simulation.samples)} in ${shownCount(simulation.steps)} steps`],
    ['whole run', shownMs(simulation.wholeMs)],
    ['throughput', `${shownCount(Math.round(simulation.samplesPerSecond))} samples/s`],
    ['time to first batch', shownMs(simulation.timeToFirstBatchMs)],
    ['warm-up', waited(warmUp)],
    ['stalls', waited(stalls)],
    ['stalls after warm-up', waited(stallsAfterWarmUp)],
    [
      'downloads',
      `${shownCount(sum((node) => node.downloads))} shards, ${shownBytes(sum((node) => node.downloadedBytes))}`,
    ],
    [
      'downloads of the same again',
      `${shownCount(sum((node) => node.downloadsAgain))} shards, ${shownBytes(sum((node) => node.bytesAgain))}`,
    ],
    ['most bytes in a cache', shownBytes(Math.max(...nodes.map((node) => node.cacheBytesMost)))],
    ['least cache limit without a second download', shownBytes(simulation.leastCacheBytes)],
    ['shuffle quality', `${(shuffle.relative * 100).toFixed(1)} % of a whole permutation`],
  ];
}

function checkSimulation(simulation: StreamSimulation): void {
  if (Array.isArray(simulation?.nodes) && simulation.stepSamples !== undefined) return;
  throw new SpiralError(
    'invalid_argument',
    `Expected a simulation, as \`simulateStream\` gives it, got ${shown(simulation)}.`,
  );
}

interface Unit {
  readonly name: string;
  readonly size: number;
}

function unitOf(most: number, units: readonly (readonly [string, number])[]): Unit {
  const [name, size] = units.find(([, least]) => most >= 3 * least) ?? units.at(-1)!;
  return { name, size };
}

const bytesUnit = (most: number): Unit =>
  unitOf(most, [
    ['TB', 1e12],
    ['GB', 1e9],
    ['MB', 1e6],
    ['kB', 1e3],
    ['bytes', 1],
  ]);

function throughput(simulation: StreamSimulation, time: Unit): Chart {
  const { stepStartMs, stepSamples, batchMs, steps } = simulation;
  const points: [number, number][] = [];
  let before = 0;
  for (let step = 0; step < steps; step += meanSteps) {
    const last = Math.min(steps, step + meanSteps) - 1;
    const endMs = stepStartMs[last]! + batchMs;
    const samples = stepSamples.subarray(step, last + 1).reduce((sum, one) => sum + one, 0);
    points.push([endMs / time.size, (samples / (endMs - before)) * 1000]);
    before = endMs;
  }
  const name = `mean of ${meanSteps} steps`;
  return { title: 'Throughput', xUnit: time.name, yUnit: 'samples/s', lines: [{ name, points }] };
}

function waits({ stepStartMs, stepWaitMs }: StreamSimulation, time: Unit): Chart {
  const points = Array.from(stepStartMs, (startMs, step) => [startMs / time.size, stepWaitMs[step]!] as const);
  return { title: 'Waiting for data before a step', xUnit: time.name, yUnit: 'ms', lines: [{ name: 'wait', points }] };
}

function downloaded({ downloads, nodes }: StreamSimulation, time: Unit): Chart {
  const unit = bytesUnit(nodes.reduce((sum, node) => sum + node.downloadedBytes, 0) / perLine(nodes.length));
  const running = (name: string, of: StreamSimulation['downloads']): ChartLine => {
    let bytes = 0;
    const points = of
      .toSorted((a, b) => a.endMs - b.endMs)
      .map((download) => [download.endMs / time.size, (bytes += download.bytes) / unit.size] as const);
    return { name, points: [[0, 0], ...points] };
  };
  const lines =
    nodes.length <= nodeLinesMax
      ? nodes.map((_, node) =>
          running(
            `node ${node}`,
            downloads.filter((one) => one.node === node),
          ),
        )
      : [running('all nodes', downloads)];
  const again = downloads.filter((one) => one.again);
  if (again.length > 0) lines.push({ ...running('the same again, all nodes', again), dashed: true });
  return { title: 'Downloaded', xUnit: time.name, yUnit: unit.name, lines };
}

function cached({ downloads, nodes, leastCacheBytes, wholeMs }: StreamSimulation, time: Unit): Chart {
  const most = Math.max(leastCacheBytes, ...nodes.map((node) => node.cacheBytesMost));
  const unit = bytesUnit(most);
  // Of many nodes the one that needs most stands for all.
  const drawn = nodes.length <= nodeLinesMax ? nodes.map((_, node) => node) : [fullest(nodes)];
  const lines = drawn.map((node): ChartLine => {
    const own = downloads.filter((one) => one.node === node);
    const points = own.map(({ startMs, cacheBytes }) => [startMs / time.size, cacheBytes / unit.size] as const);
    return { name: `node ${node}`, points, stepped: true };
  });
  const least = leastCacheBytes / unit.size;
  const end = wholeMs / time.size;
  lines.push({
    name: 'least limit without a second download',
    points: [
      [0, least],
      [end, least],
    ],
    dashed: true,
  });
  return { title: 'Cache while a shard is fetched', xUnit: time.name, yUnit: unit.name, lines };
}

const perLine = (nodes: number): number => (nodes <= nodeLinesMax ? nodes : 1);

function fullest(nodes: StreamSimulation['nodes']): number {
  return nodes.reduce((best, node, at) => (node.cacheBytesMost > nodes[best]!.cacheBytesMost ? at : best), 0);
}

const shownCount = (count: number): string => count.toLocaleString('en');

function shownBytes(bytes: number): string {
  const { name, size } = bytesUnit(bytes);
  return `${Number((bytes / size).toPrecision(4)).toLocaleString('en')} ${name}`;
}

function shownMs(ms: number): string {
  const { name, size } = unitOf(ms, [
    ['min', 60_000],
    ['s', 1000],
    ['ms', 1],
  ]);
  return `${Number((ms / size).toPrecision(4)).toLocaleString('en')} ${name}`;
}

import type { Benchmark } from './benchmark.js';
import { s3Endpoint } from './data/s3-endpoint.js';

/** A benchmark by name; `load` gives it. */
export interface CatalogueEntry {
  readonly name: string;
  readonly load: () => Promise<Benchmark>;
}

const take = () => import('./scan/take.js');
const scans = () => import('./scan/scans.js');
const filter = () => import('./scan/filter.js');
const overhead = () => import('./loader/overhead.js');
const shuffle = () => import('./loader/shuffle.js');
const overlap = () => import('./loader/overlap.js');
const map = () => import('./loader/map.js');
const read = () => import('./stream/read.js');
const start = () => import('./start/start.js');

/**
 * Every benchmark, in the order in which they run. A side loads its own alone: V8 marks all of a heap after some 30 MB of
 * buffers were made, so what other benchmarks load (TensorFlow.js and more, 70 MB) would slow whatever reads.
 */
export const catalogue: readonly CatalogueEntry[] = [
  { name: 'scan/full', load: async () => (await scans()).scanFull },
  { name: 'scan/project', load: async () => (await scans()).scanProject },
  { name: 'scan/filter/id-1', load: async () => (await filter()).scanFilter('id', 1) },
  { name: 'scan/filter/id-10', load: async () => (await filter()).scanFilter('id', 10) },
  { name: 'scan/filter/label-1', load: async () => (await filter()).scanFilter('label', 1) },
  { name: 'scan/filter/label-10', load: async () => (await filter()).scanFilter('label', 10) },
  { name: 'take/random', load: async () => (await take()).takeRandom },
  { name: 'take/cached', load: async () => (await take()).takeCached },
  { name: 'scan/merge', load: async () => (await import('./scan/merge.js')).scanMerge },
  { name: 'scan/plan', load: async () => (await import('./scan/plan.js')).scanPlan },
  { name: 'write/table', load: async () => (await import('./write/table.js')).writeTable },
  { name: 'write/mds', load: async () => (await import('./write/mds.js')).writeMds },
  { name: 'commit', load: async () => (await import('./write/commit.js')).commit },
  { name: 'commit/open', load: async () => (await import('./write/open.js')).commitOpen },
  { name: 'loader/overhead/32', load: async () => (await overhead()).overhead(32) },
  { name: 'loader/overhead/256', load: async () => (await overhead()).overhead(256) },
  { name: 'loader/collate', load: async () => (await import('./loader/collate.js')).collate },
  { name: 'loader/shuffle/1000', load: async () => (await shuffle()).shuffle(1000) },
  { name: 'loader/shuffle/10000', load: async () => (await shuffle()).shuffle(10_000) },
  { name: 'loader/shuffle/100000', load: async () => (await shuffle()).shuffle(100_000) },
  { name: 'loader/overlap/2ms', load: async () => (await overlap()).overlap(2) },
  { name: 'loader/overlap/5ms', load: async () => (await overlap()).overlap(5) },
  { name: 'loader/overlap/20ms', load: async () => (await overlap()).overlap(20) },
  { name: 'loader/map/tokens', load: async () => (await map()).mapTokens },
  { name: 'loader/map/1ms', load: async () => (await map()).mapWork(1) },
  { name: 'loader/map/5ms', load: async () => (await map()).mapWork(5) },
  { name: 'loader/map/20ms', load: async () => (await map()).mapWork(20) },
  { name: 'loader/parquet', load: async () => (await import('./loader/parquet.js')).loaderParquet },
  { name: 'loader/resume', load: async () => (await import('./loader/resume.js')).resume },
  { name: 'loader/resume/index-only', load: async () => (await import('./loader/which-rows.js')).rowsOfStep },
  { name: 'loader/memory', load: async () => (await import('./loader/memory.js')).memory },
  { name: 'stream/local', load: async () => (await read()).streamRead('local', {}) },
  { name: 'stream/shuffle', load: async () => (await read()).streamRead('shuffle', { shuffle: true }) },
  { name: 'stream/plan', load: async () => (await import('./stream/plan.js')).streamPlan },
  { name: 'stream/cold', load: async () => (await import('./stream/cold.js')).streamCold },
  { name: 'store/latency', load: async () => (await import('./store/latency.js')).storeLatency },
  // Left out where there is no server.
  ...(s3Endpoint === undefined
    ? []
    : [{ name: 'store/s3', load: async () => (await import('./store/s3.js')).storeS3 }]),
  { name: 'start/shards/1', load: async () => (await start()).startShards(1, { feeder: 250, inProcess: 60 }) },
  { name: 'start/shards/1000', load: async () => (await start()).startShards(1000, { feeder: 300 }) },
  { name: 'start/shards/100000', load: async () => (await start()).startShards(100_000, { feeder: 1000 }) },
  { name: 'start/files/1000', load: async () => (await start()).startFiles(1000, { feeder: 300 }) },
];

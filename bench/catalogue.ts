import type { Benchmark } from './benchmark.js';
import { s3Endpoint } from './data/s3-rows.js';
import { collate } from './loader/collate.js';
import { mapTokens, mapWork } from './loader/map.js';
import { memory } from './loader/memory.js';
import { overhead } from './loader/overhead.js';
import { overlap } from './loader/overlap.js';
import { loaderParquet } from './loader/parquet.js';
import { resume } from './loader/resume.js';
import { shuffle } from './loader/shuffle.js';
import { rowsOfStep } from './loader/which-rows.js';
import { scanFilter } from './scan/filter.js';
import { scanMerge } from './scan/merge.js';
import { scanPlan } from './scan/plan.js';
import { scanFull, scanProject } from './scan/scans.js';
import { takeCached, takeRandom } from './scan/take.js';
import { startFiles, startShards } from './start/start.js';
import { storeLatency } from './store/latency.js';
import { storeS3 } from './store/s3.js';
import { streamCold } from './stream/cold.js';
import { streamPlan } from './stream/plan.js';
import { streamRead } from './stream/read.js';
import { commit } from './write/commit.js';
import { writeMds } from './write/mds.js';
import { commitOpen } from './write/open.js';
import { writeTable } from './write/table.js';

/** Every benchmark, in the order in which they run. */
export const benchmarks: readonly Benchmark[] = [
  scanFull,
  scanProject,
  scanFilter('id', 1),
  scanFilter('id', 10),
  scanFilter('label', 1),
  scanFilter('label', 10),
  takeRandom,
  takeCached,
  scanMerge,
  scanPlan,
  writeTable,
  writeMds,
  commit,
  commitOpen,
  overhead(32),
  overhead(256),
  collate,
  shuffle(1000),
  shuffle(10_000),
  shuffle(100_000),
  overlap(2),
  overlap(5),
  overlap(20),
  mapTokens,
  mapWork(1),
  mapWork(5),
  mapWork(20),
  loaderParquet,
  resume,
  rowsOfStep,
  memory,
  streamRead('local', {}),
  streamRead('shuffle', { shuffle: true }),
  streamPlan,
  streamCold,
  storeLatency,
  // Left out where there is no server.
  ...(s3Endpoint === undefined ? [] : [storeS3]),
  startShards(1, { feeder: 250, inProcess: 60 }),
  startShards(1000, { feeder: 300 }),
  startShards(100_000, { feeder: 1000 }),
  startFiles(1000, { feeder: 300 }),
];

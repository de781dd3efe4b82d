import type { Benchmark } from './benchmark.js';
import { collate } from './loader/collate.js';
import { overhead } from './loader/overhead.js';
import { shuffle } from './loader/shuffle.js';
import { scanFull, scanProject } from './scan/scans.js';

/** Every benchmark, in the order in which they run. */
export const benchmarks: readonly Benchmark[] = [
  scanFull,
  scanProject,
  overhead(32),
  overhead(256),
  collate,
  shuffle(1000),
  shuffle(10_000),
  shuffle(100_000),
];

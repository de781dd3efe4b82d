import type { Benchmark } from '../benchmark.js';
import { overlappingRows } from '../data/overlapping-rows.js';
import { wideRows } from '../data/wide-rows.js';
import { firstScan, warmScan } from './table-pass.js';

/** Reading a table whose writes overlap: rows have to be put together. */
export const scanMerge: Benchmark = {
  name: 'scan/merge',
  work: 'The 1 M wide rows as four writes, each of a quarter of the keys drawn at random, against the same rows in one write.',
  data: [wideRows, overlappingRows],
  sides: [
    warmScan('wide'),
    firstScan('wide'),
    { ...warmScan('overlapping'), name: 'merged, verified' },
    { ...firstScan('overlapping'), name: 'merged, first pass' },
  ],
  figures: [
    { kind: 'ratio', of: 'merged, verified', against: 'spiral, verified', atLeast: 0.3 },
    { kind: 'ratio', of: 'merged, first pass', against: 'spiral, first pass', atLeast: 0.3 },
  ],
};

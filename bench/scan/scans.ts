import type { Benchmark } from '../benchmark.js';
import { wideRows } from '../data/wide-rows.js';
import type { Figure } from '../figure.js';
import { bareRead } from './bare-read.js';
import { peerReaders } from './peer-readers.js';
import { firstScan, warmScan } from './table-pass.js';

const figures: readonly Figure[] = [
  { kind: 'ratio', of: 'spiral, verified', against: 'bare read', atLeast: 0.7 },
  { kind: 'ratio', of: 'spiral, first pass', against: 'bare read', atLeast: 0.4 },
  { kind: 'ratio', of: 'spiral, verified', against: 'best peer', atLeast: 3 },
];

/** Reading a whole table. */
export const scanFull: Benchmark = {
  name: 'scan/full',
  work: '1 M rows of {id int64, vec float32[16], text ~200 B, label int32}, all columns, files in the page cache.',
  data: [wideRows],
  sides: [warmScan('wide'), firstScan('wide'), bareRead('all columns'), ...peerReaders('all columns')],
  figures,
};

/** Reading one narrow column of it. */
export const scanProject: Benchmark = {
  name: 'scan/project',
  work: 'The same rows, label (4 of 283 bytes) only.',
  data: [wideRows],
  sides: [warmScan('wide', ['label']), firstScan('wide', ['label']), bareRead('last column'), ...peerReaders('label')],
  figures,
};

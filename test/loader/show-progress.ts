import { SpiralDataLoader } from '../../src/loader/data-loader.js';
import { MemorySource } from './memory-source.js';

/** Iterates an epoch of 100 rows, with a progress line where the argument is `true`, and prints how many rows came. */
const source = new MemorySource({ shards: [60, 40], batchRows: 8 });
const loader = new SpiralDataLoader(source, { batchSize: 10, progress: process.argv[2] === 'true' });
let rows = 0;
for await (const batch of loader) rows += batch.numRows;
process.stdout.write(`${rows}\n`);

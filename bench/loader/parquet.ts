import { type DataLoaderOptions, Spiral } from 'spiral-loader';
import type { Benchmark, OpenSide } from '../benchmark.js';
import { wideParquet, wideRows } from '../data/wide-rows.js';
import { hyparquet } from '../scan/peer-readers.js';
import { drained } from './drained.js';
import { takeWide } from './take-wide.js';

const batchSize = 256;
const shuffled = { shuffleBufferSize: 10_000, batchSize };

/** Batches of wide rows straight from a Parquet file. */
export const loaderParquet: Benchmark = {
  name: 'loader/parquet',
  work: `1 M rows of 283 bytes from one Parquet file, not compressed, in batches of ${batchSize}; hyparquet decodes the columns only.`,
  data: [wideRows],
  sides: [
    { name: 'spiral', open: () => parquetLoader({ batchSize, shuffleShards: false }) },
    { name: 'spiral, shuffled', open: () => parquetLoader(shuffled) },
    { name: 'spiral, in process', open: () => parquetLoader({ batchSize, shuffleShards: false, feeder: false }) },
    hyparquet('all columns'),
  ],
  figures: [
    { kind: 'ratio', of: 'spiral', against: 'best peer', atLeast: 0.7 },
    { kind: 'ratio', of: 'spiral, shuffled', against: 'best peer', atLeast: 0.7 },
  ],
};

async function parquetLoader(options: DataLoaderOptions): Promise<OpenSide> {
  const spiral = new Spiral({ config: { 'warehouse.uri': 'memory://parquet' } });
  const files = await spiral.files(wideParquet);
  const scan = await spiral.scan(files.select('id', 'vec', 'text', 'label'));
  const loader = scan.toDataLoader(options);
  return {
    pass: () => drained(loader[Symbol.asyncIterator](), takeWide),
    close: async () => {
      await loader.close();
      await spiral.close();
    },
  };
}

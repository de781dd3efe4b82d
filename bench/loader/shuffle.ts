import { type DataLoaderOptions, SpiralDataLoader } from 'spiral-loader';
import type { Benchmark, OpenSide, Scale } from '../benchmark.js';
import { scanOf, warehouse } from '../data/data-set.js';
import { wideRowBytes, wideRowCount, wideRows } from '../data/wide-rows.js';
import { drained } from './drained.js';
import { handGather } from './hand-gather.js';
import { heldBytes } from './held-memory.js';
import { takeWide } from './take-wide.js';
import { plainTf, tfDataPass } from './tf-data.js';

const batchSize = 256;
/** The feeder's second thread starts once the first was seen to be the slow one, and V8 compiles for it as long as for the first. */
const warmUpMs = 12_000;

/** Shuffled batches of wide rows from a table. */
export function shuffle(windowRows: number): Benchmark {
  const options = { shuffleBufferSize: windowRows, batchSize };
  return {
    name: `loader/shuffle/${windowRows}`,
    work: `1 M rows of 283 bytes from a table, shuffled in windows of ${windowRows}, batches of ${batchSize}.`,
    data: [wideRows],
    warmUpMs,
    sides: [
      { name: 'spiral', open: (scale) => loaderSide(scale, options) },
      { name: 'spiral, in process', open: (scale) => loaderSide(scale, { ...options, feeder: false }) },
      { name: 'hand-written gather', open: () => handGather(options) },
      { name: 'tf.data', open: (scale) => tfDataSide(scale, windowRows) },
    ],
    figures: [
      { kind: 'ratio', of: 'spiral', against: 'tf.data', atLeast: 10 },
      { kind: 'ratio', of: 'spiral', against: 'hand-written gather', atLeast: 0.7 },
      { kind: 'held', of: 'spiral, in process', rows: 2 * windowRows, atMost: 1.5 },
    ],
  };
}

/** One loader for all passes, so that the feeder's thread starts and verifies once. */
async function loaderSide(scale: Scale, options: DataLoaderOptions): Promise<OpenSide> {
  const spiral = warehouse('wide');
  const loader = new SpiralDataLoader(await scanOf(spiral, 'wide'), options);
  return {
    pass: () => drained(loader[Symbol.asyncIterator](), takeWide),
    // What a thread holds shows in its own heap alone.
    ...(options.feeder === false ? { held: () => heldBytes(loader, scale.rows(wideRowCount) / batchSize) } : {}),
    close: async () => {
      await loader.close();
      await spiral.close();
    },
  };
}

/** As many rows as give its buffer a turn, from objects that are in memory already. */
async function tfDataSide(scale: Scale, windowRows: number): Promise<OpenSide> {
  const tf = await plainTf();
  const rows = windowRows + scale.rows(20_000);
  const text = 'a'.repeat(203);
  const samples = Array.from({ length: rows }, (_, id) => ({ id, vec: new Float32Array(16), text, label: id % 1000 }));
  const dataset = tf.data.array(samples).shuffle(windowRows, '1').batch(batchSize);
  return { pass: () => tfDataPass(dataset, batchSize, wideRowBytes, rows) };
}

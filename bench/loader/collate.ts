import { makeData, RecordBatch, Schema, Struct } from 'apache-arrow';
import { type LoaderSource, SpiralDataLoader } from 'spiral-loader';
import { toTensors } from 'spiral-loader/tfjs';
import type { Benchmark, OpenSide, Pass, Scale, Side } from '../benchmark.js';
import { scanOf, warehouse } from '../data/data-set.js';
import { imageArrays, imageBatch, imageRowBytes, imageRowCount, imageSize, images } from '../data/images.js';
import { drained, type Taken } from './drained.js';
import { memorySource } from './memory-source.js';
import { plainTf, tfDataPass } from './tf-data.js';

const batchSize = 256;
const tfDataRows = 10_000;

/** Rows into tensors. */
export const collate: Benchmark = {
  name: 'loader/collate',
  work: '50,000 rows of {float32[784], int32}, batches of 256 in order, to tensors.',
  data: [images],
  sides: [
    loaderSide('spiral, arrays in memory', async (scale) => {
      const source = memorySource(withoutKey(imageBatch(scale.rows(imageRowCount))));
      return { source, close: async () => {} };
    }),
    loaderSide('spiral, table', async () => {
      const spiral = warehouse('images');
      return { source: await scanOf(spiral, 'images', ['image', 'label']), close: () => spiral.close() };
    }),
    { name: 'hand-written loop', open: handWritten },
    { name: 'tf.data', open: tfData },
  ],
  figures: [
    { kind: 'ratio', of: 'spiral, table', against: 'tf.data', atLeast: 50 },
    { kind: 'ratio', of: 'spiral, arrays in memory', against: 'hand-written loop', atLeast: 0.6 },
  ],
};

function loaderSide(
  name: string,
  open: (scale: Scale) => Promise<{ source: LoaderSource; close(): Promise<void> }>,
): Side {
  return {
    name,
    open: async (scale): Promise<OpenSide> => {
      await plainTf();
      const { source, close } = await open(scale);
      const loader = new SpiralDataLoader(source, { batchSize, shuffleShards: false });
      return {
        pass: () => drained(loader[Symbol.asyncIterator](), takeTensors),
        close: async () => {
          await loader.close();
          await close();
        },
      };
    },
  };
}

/** `RecordBatch.select` leaves a column too many in the data of apache-arrow 21.2. */
function withoutKey(batch: RecordBatch): RecordBatch {
  const schema = new Schema(batch.schema.fields.slice(1));
  const children = batch.data.children.slice(1);
  return new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length: batch.numRows, children }));
}

function takeTensors(batch: RecordBatch): Taken {
  const { xs, ys } = toTensors(batch, { xs: 'image', ys: 'label' });
  const rows = batch.numRows;
  xs.dispose();
  ys.dispose();
  return { rows, bytes: rows * imageRowBytes };
}

/** The rows set one after the other into a fresh array for each batch, which becomes the tensor. */
async function handWritten(scale: Scale): Promise<OpenSide> {
  const tf = await plainTf();
  const total = scale.rows(imageRowCount);
  const { images: pixels, labels } = imageArrays(total);
  const pass = async (): Promise<Pass> => {
    for (let from = 0; from < total; from += batchSize) {
      const rows = Math.min(batchSize, total - from);
      const values = new Float32Array(rows * imageSize);
      const classes = new Int32Array(rows);
      for (let row = 0; row < rows; row++) {
        const at = (from + row) * imageSize;
        values.set(pixels.subarray(at, at + imageSize), row * imageSize);
        classes[row] = labels[from + row]!;
      }
      const xs = tf.tensor(values, [rows, imageSize]);
      const ys = tf.tensor(classes, [rows], 'int32');
      xs.dispose();
      ys.dispose();
    }
    return { rows: total, bytes: total * imageRowBytes };
  };
  return { pass };
}

async function tfData(scale: Scale): Promise<OpenSide> {
  const tf = await plainTf();
  const rows = scale.rows(tfDataRows);
  const { images: pixels, labels } = imageArrays(rows);
  const samples = Array.from(labels, (label, row) => ({
    xs: pixels.subarray(row * imageSize, (row + 1) * imageSize),
    ys: label,
  }));
  const dataset = tf.data.array(samples).batch(batchSize);
  return { pass: () => tfDataPass(dataset, batchSize, imageRowBytes, rows) };
}

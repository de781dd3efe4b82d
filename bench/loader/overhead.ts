import type { RecordBatch } from 'apache-arrow';
import { toTensors } from 'spiral-loader/tfjs';
import type { Benchmark, OpenSide, Scale, Side } from '../benchmark.js';
import { scanOf, warehouse } from '../data/data-set.js';
import { integerRowCount, integers, integerValues } from '../data/integers.js';
import { drained, type Taken } from './drained.js';
import { plainTf, tfDataPass } from './tf-data.js';

const rowBytes = 4;
const tfDataRows = 100_000;

/** What a loader costs besides moving bytes: small rows, nothing shuffled, nothing transformed. */
export function overhead(batchSize: number): Benchmark {
  return {
    name: `loader/overhead/${batchSize}`,
    work: `1 M rows of one int32, batches of ${batchSize}, in order, as they come (tf.data gives tensors).`,
    data: [integers],
    sides: [
      loaderSide('spiral, tensors', { batchSize, take: takeTensor, feeder: true }),
      loaderSide('spiral, in process, tensors', { batchSize, take: takeTensor, feeder: false }),
      loaderSide('spiral, in process, record batches', { batchSize, take: takeBatch, feeder: false }),
      tfDataSide('tf.data.array', batchSize),
      tfDataSide('tf.data.generator', batchSize),
    ],
    figures: [
      { kind: 'ratio', of: 'spiral, tensors', against: 'tf.data.array', atLeast: 10 },
      { kind: 'ratio', of: 'spiral, tensors', against: 'tf.data.generator', atLeast: 10 },
    ],
  };
}

function takeBatch(batch: RecordBatch): Taken {
  const { values, length } = batch.data.children[0]!;
  return { rows: length, bytes: (values as Int32Array).byteLength };
}

function takeTensor(batch: RecordBatch): Taken {
  const { xs } = toTensors(batch, { xs: 'value' });
  const taken = { rows: xs.size, bytes: xs.size * rowBytes };
  xs.dispose();
  return taken;
}

function loaderSide(
  name: string,
  { batchSize, take, feeder }: { batchSize: number; take: (batch: RecordBatch) => Taken; feeder: boolean },
): Side {
  return {
    name,
    open: async (): Promise<OpenSide> => {
      await plainTf();
      const spiral = warehouse('integers');
      const scan = await scanOf(spiral, 'integers', ['value']);
      const loader = scan.toDataLoader({ batchSize, shuffleShards: false, feeder });
      return {
        pass: () => drained(loader[Symbol.asyncIterator](), take),
        close: async () => {
          await loader.close();
          await spiral.close();
        },
      };
    },
  };
}

function tfDataSide(name: 'tf.data.array' | 'tf.data.generator', batchSize: number): Side {
  return {
    name,
    open: async (scale: Scale): Promise<OpenSide> => {
      const tf = await plainTf();
      const values = integerValues(scale.rows(integerRowCount));
      const rows =
        name === 'tf.data.array'
          ? tf.data.array(Array.from(values))
          : tf.data.generator(function* () {
              yield* values;
            });
      const rowsMax = scale.rows(tfDataRows);
      return { pass: () => tfDataPass(rows.batch(batchSize), batchSize, rowBytes, rowsMax) };
    },
  };
}

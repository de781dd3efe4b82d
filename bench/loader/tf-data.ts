import * as tf from '@tensorflow/tfjs';
import type { Pass } from '../benchmark.js';
import { drained } from './drained.js';

type Dataset = Pick<tf.data.Dataset<tf.TensorContainer>, 'iterator'>;

/**
 * One pass over a `tf.data` set of batches, each disposed of as it comes. It ends after `rowsMax` rows: its rate is the
 * same throughout, and a whole epoch would take minutes.
 */
export async function tfDataPass(
  dataset: Dataset,
  batchRows: number,
  rowBytes: number,
  rowsMax: number,
): Promise<Pass> {
  const iterator = await dataset.iterator();
  const batches: AsyncIterator<tf.TensorContainer> = {
    next: async () => (await iterator.next()) as IteratorResult<tf.TensorContainer>,
  };
  const take = (batch: tf.TensorContainer): { rows: number; bytes: number } => {
    tf.dispose(batch);
    return { rows: batchRows, bytes: batchRows * rowBytes };
  };
  return drained(batches, take, rowsMax);
}

/** TensorFlow.js on its plain backend, whose tensors are views of typed arrays: what is measured is the feeding. */
export async function plainTf(): Promise<typeof tf> {
  await tf.setBackend('cpu');
  await tf.ready();
  return tf;
}

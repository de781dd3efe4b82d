import { readCommand, type SameRun, type Told } from '../run-options.js';

const numbers = {
  rows: [60_000, 'training images to use'],
  'test-rows': [10_000, 'test images to use'],
  epochs: [3, 'passes over the images for training'],
  'batch-size': [128, 'images a step'],
  hidden: [64, 'units of the inner layer'],
  seed: [42, 'of the weights, of the order and of how images are moved'],
  'map-workers': [1, 'threads that move images; 0: the thread that reads does'],
  'checkpoint-every': [50, 'steps between checkpoints'],
} as const;

/** What one run of the example is told. */
export type RunOptions = Told<keyof typeof numbers> & SameRun;

/** The options of a command line. */
export function readOptions(args: string[]): RunOptions {
  const does = 'Trains on MNIST from a folder of Parquet files.';
  const dir = ['.train/parquet', 'the folder of the files and the checkpoint'] as const;
  const told = readCommand({ does, dir, numbers, zeros: ['seed', 'map-workers'] }, args);
  const { rows, 'batch-size': batchSize, hidden, seed } = told;
  return { ...told, identity: { rows, batchSize, hidden, seed } };
}

import { readCommand, type SameRun, type Told } from '../run-options.js';

const numbers = {
  epochs: [6, 'passes over the paragraphs for training'],
  'batch-size': [16, 'paragraphs a step'],
  hidden: [64, 'units of the inner layer'],
  seed: [42, 'of the weights, of the order and of what is drawn of each paragraph'],
  'map-workers': [1, 'threads that tokenize; 0: the thread that reads does'],
  'checkpoint-every': [50, 'steps between checkpoints'],
} as const;

/** What one run of the example is told. */
export type RunOptions = Told<keyof typeof numbers> & SameRun;

/** The options of a command line. */
export function readOptions(args: string[]): RunOptions {
  const does = 'Trains a next-token model on Moby-Dick.';
  const dir = ['.train/tokens', 'the folder of the tables and the checkpoint'] as const;
  const told = readCommand({ does, dir, numbers, zeros: ['seed', 'map-workers'] }, args);
  const { 'batch-size': batchSize, hidden, seed } = told;
  return { ...told, identity: { batchSize, hidden, seed } };
}

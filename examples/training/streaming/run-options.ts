import { type Command, readCommand, type Told } from '../run-options.js';

type Numbers = 'epochs' | 'rows' | 'test-rows' | 'batch-size' | 'hidden' | 'seed' | 'checkpoint-every' | 'cache-kb';

/** What one run of the example is told. */
export type RunOptions = Told<Numbers> & {
  /** What may not change while a run goes on. */
  readonly identity: Readonly<Record<string, number>>;
};

const command: Command<Numbers> = {
  does: 'Trains on MNIST from MDS shards behind a web server.',
  dir: ['.train/streaming', 'the folder of the data sets, the cache and the checkpoint'],
  numbers: {
    epochs: [5, 'passes over the training images'],
    rows: [60_000, 'training images to use'],
    'test-rows': [10_000, 'test images to use'],
    'batch-size': [128, 'images a step'],
    hidden: [128, "units of the network's inner layer"],
    seed: [42, 'of the weights and of the order'],
    'checkpoint-every': [100, 'steps between checkpoints'],
    'cache-kb': [16_384, 'what fetched shards may take on this machine, in KiB'],
  },
  zeros: ['seed'],
};

/** The options of a command line; prints the help and ends the process where it is asked for. */
export function readOptions(args: string[]): RunOptions {
  const told = readCommand(command, args);
  const { rows, hidden, seed } = told;
  return { ...told, identity: { rows, hidden, seed, batchSize: told['batch-size'] } };
}

import { parseArgs } from 'node:util';
import type { LoaderState } from 'spiral-loader';
import type { Checkpoint } from 'spiral-loader/tfjs';

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

type Name = keyof typeof numbers;
const names = Object.keys(numbers) as Name[];

/** What one run of the example is told. */
export interface RunOptions extends Readonly<Record<Name, number>> {
  readonly dir: string;
  readonly fresh: boolean;
  /** What may not change while a run goes on. */
  readonly identity: Readonly<Record<string, number>>;
}

/** The options of a command line; prints the help and ends the process where it is asked for. */
export function readOptions(args: string[]): RunOptions {
  const values = parsed(args);
  if (values['help'] === true) {
    const lines = names.map((name) => `  --${name} ${numbers[name][0]}`.padEnd(28) + numbers[name][1]);
    console.log(`Trains on MNIST from a folder of Parquet files. Options, with their defaults:
${`  --dir .train/parquet`.padEnd(28)}the folder of the files and the checkpoint
${lines.join('\n')}
${`  --fresh`.padEnd(28)}start over`);
    process.exit(0);
  }
  const options = Object.fromEntries(names.map((name) => [name, whole(name, values[name])])) as Record<Name, number>;
  const { rows, 'batch-size': batchSize, hidden, seed } = options;
  return {
    ...options,
    dir: String(values['dir'] ?? '.train/parquet'),
    fresh: values['fresh'] === true,
    identity: { rows, batchSize, hidden, seed },
  };
}

function whole(name: Name, given: unknown): number {
  const value = given === undefined ? numbers[name][0] : Number(given);
  const min = name === 'seed' || name === 'map-workers' ? 0 : 1;
  if (Number.isInteger(value) && value >= min) return value;
  console.error(`Expected --${name} to be a whole number of at least ${min}, got ${given}.`);
  process.exit(2);
}

function parsed(args: string[]): Record<string, unknown> {
  const string = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = { ...Object.fromEntries(names.map((name) => [name, string])), dir: string, fresh: flag, help: flag };
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    console.error(`${(error as Error).message}. See --help.`);
    process.exit(2);
  }
}

/** The loader's state in `checkpoint`; ends the process where the checkpoint is of a run with other options. */
export function checkSameRun(checkpoint: Checkpoint, options: RunOptions): LoaderState {
  const before = checkpoint.extra as RunOptions['identity'];
  const differing = Object.keys(options.identity).filter((name) => before[name] !== options.identity[name]);
  if (differing.length === 0) return checkpoint.loader as LoaderState;
  const said = differing.map((name) => `${name} was ${before[name]}, now ${options.identity[name]}`).join('; ');
  console.error(`The checkpoint in ${options.dir} is of another run: ${said}. Use the same options, or --fresh.`);
  process.exit(2);
}

import { parseArgs } from 'node:util';

/** What one run of the example is told. */
export interface RunOptions {
  readonly dir: string;
  readonly epochs: number;
  readonly rows: number;
  readonly testRows: number;
  readonly batchSize: number;
  readonly hidden: number;
  readonly seed: number;
  readonly checkpointEvery: number;
  readonly fresh: boolean;
  readonly idsLog: string | undefined;
  readonly weightsOut: string | undefined;
  /** What may not change while a run goes on. */
  readonly identity: Readonly<Record<string, number>>;
}

const help = `Trains on MNIST. Options, with their defaults:
  --dir .train/mnist        the folder of the tables and the checkpoint
  --epochs 8                passes over the training images
  --rows 60000              training images to use
  --test-rows 10000         test images to use
  --batch-size 128          images a step
  --hidden 128              units of the dense network's inner layer
  --seed 42                 of the weights and of the order
  --checkpoint-every 100    steps between checkpoints
  --fresh                   start over
  --ids-log FILE            append a line for each trained step: the step, then its image ids
  --weights-out FILE        write the trained weights' raw bytes`;

const texts = ['dir', 'epochs', 'rows', 'test-rows', 'batch-size', 'hidden', 'seed', 'checkpoint-every'] as const;

/** The options of a command line; prints the help and ends the process where it is asked for. */
export function readOptions(args: string[]): RunOptions {
  const values = parsed(args);
  if (values.help) {
    console.log(help);
    process.exit(0);
  }
  const whole = (name: (typeof texts)[number], initial: number, min = 1): number => {
    const value = values[name] === undefined ? initial : Number(values[name]);
    if (Number.isInteger(value) && value >= min) return value;
    console.error(`Expected --${name} to be a whole number of at least ${min}, got ${values[name]}.`);
    process.exit(2);
  };
  const seed = whole('seed', 42, 0);
  const rows = Math.min(whole('rows', 60_000), 60_000);
  const [batchSize, hidden] = [whole('batch-size', 128), whole('hidden', 128)];
  return {
    dir: values.dir ?? '.train/mnist',
    epochs: whole('epochs', 8),
    rows,
    testRows: Math.min(whole('test-rows', 10_000), 10_000),
    batchSize,
    hidden,
    seed,
    checkpointEvery: whole('checkpoint-every', 100),
    fresh: values.fresh,
    idsLog: values['ids-log'],
    weightsOut: values['weights-out'],
    identity: { rows, batchSize, hidden, seed },
  };
}

function parsed(args: string[]) {
  const string = { type: 'string' } as const;
  const options = {
    ...(Object.fromEntries(texts.map((name) => [name, string])) as Record<(typeof texts)[number], typeof string>),
    'ids-log': string,
    'weights-out': string,
    fresh: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  } as const;
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    console.error(`${(error as Error).message}. See --help.`);
    process.exit(2);
  }
}

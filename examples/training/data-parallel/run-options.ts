import { parseArgs } from 'node:util';

/** What one run of the example is told. */
export interface RunOptions {
  readonly dir: string;
  readonly ranks: number;
  readonly ranksAfter: number;
  /** The rank to kill, and after which step, to show what becomes of it. */
  readonly kill: { readonly rank: number; readonly step: number } | undefined;
  readonly epochs: number;
  readonly rows: number;
  readonly testRows: number;
  readonly batchSize: number;
  readonly hidden: number;
  readonly seed: number;
  readonly checkpointEvery: number;
  readonly fresh: boolean;
  readonly idsLog: string | undefined;
}

const help = `Trains on MNIST in several processes. Options, with their defaults:
  --dir .train/parallel     the folder of the tables and the checkpoint
  --ranks 2                 processes; a run may go on with another number
  --kill RANK@STEP          kill that rank after that step
  --ranks-after N           processes to go on with after one is lost; default: one fewer
  --epochs 3                passes over the training images
  --rows 20000              training images to use
  --test-rows 2000          test images to use
  --batch-size 64           images a step and rank
  --hidden 64               units of the network's inner layer
  --seed 42                 of the weights and of the order
  --checkpoint-every 20     steps between checkpoints
  --fresh                   start over
  --ids-log FILE            append a line for each step: the step, then the image ids of all ranks`;

const names = {
  dir: { type: 'string' },
  ranks: { type: 'string' },
  kill: { type: 'string' },
  'ranks-after': { type: 'string' },
  epochs: { type: 'string' },
  rows: { type: 'string' },
  'test-rows': { type: 'string' },
  'batch-size': { type: 'string' },
  hidden: { type: 'string' },
  seed: { type: 'string' },
  'checkpoint-every': { type: 'string' },
  'ids-log': { type: 'string' },
  fresh: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

/** The options of a command line; prints the help and ends the process where it is asked for. */
export function readOptions(args: string[]): RunOptions {
  const values = parsed(args);
  if (values.help) {
    console.log(help);
    process.exit(0);
  }
  const whole = (name: string, text: string | undefined, initial: number, min = 1): number => {
    const value = text === undefined ? initial : Number(text);
    return Number.isInteger(value) && value >= min ? value : refuse(`--${name} to be a whole number from ${min}`, text);
  };
  const ranks = whole('ranks', values.ranks, 2);
  const kill = values.kill?.match(/^(\d+)@(\d+)$/);
  if (kill === null || (kill !== undefined && Number(kill[1]) >= ranks)) refuse('--kill to be RANK@STEP', values.kill);
  return {
    dir: values.dir ?? '.train/parallel',
    ranks,
    ranksAfter: whole('ranks-after', values['ranks-after'], Math.max(1, ranks - 1)),
    kill: kill === undefined ? undefined : { rank: Number(kill![1]), step: Number(kill![2]) },
    epochs: whole('epochs', values.epochs, 3),
    rows: Math.min(whole('rows', values.rows, 20_000), 60_000),
    testRows: Math.min(whole('test-rows', values['test-rows'], 2000), 10_000),
    batchSize: whole('batch-size', values['batch-size'], 64),
    hidden: whole('hidden', values.hidden, 64),
    seed: whole('seed', values.seed, 42, 0),
    checkpointEvery: whole('checkpoint-every', values['checkpoint-every'], 20),
    fresh: values.fresh,
    idsLog: values['ids-log'],
  };
}

function parsed(args: string[]) {
  try {
    return parseArgs({ args, options: names }).values;
  } catch (error) {
    console.error(`${(error as Error).message}. See --help.`);
    process.exit(2);
  }
}

function refuse(expected: string, found: string | undefined): never {
  console.error(`Expected ${expected}, got ${found}.`);
  process.exit(2);
}

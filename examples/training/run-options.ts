import { parseArgs } from 'node:util';
import type { LoaderState } from 'spiral-loader';
import type { Checkpoint } from 'spiral-loader/tfjs';

/** What the command line of an example is about. */
export interface Command<Name extends string> {
  /** What the example does, in a line. */
  readonly does: string;
  /** The folder of its files, where nothing else is said, and what is in it. */
  readonly dir: readonly [path: string, holds: string];
  /** Options that are whole numbers: what each is by default, and means. */
  readonly numbers: Readonly<Record<Name, readonly [otherwise: number, means: string]>>;
  /** Those that may be 0. */
  readonly zeros: readonly NoInfer<Name>[];
}

/** What a run is told. */
export type Told<Name extends string> = Readonly<Record<Name, number>> & {
  readonly dir: string;
  readonly fresh: boolean;
};

/** The options of a command line; prints the help, or what is wrong, and ends the process where that is all there is to do. */
export function readCommand<Name extends string>(command: Command<Name>, args: string[]): Told<Name> {
  const { does, dir, numbers } = command;
  const names = Object.keys(numbers) as Name[];
  const values = parsed(names, args);
  if (values['help'] === true) {
    const lines = names.map((name) => `  --${name} ${numbers[name][0]}`.padEnd(28) + numbers[name][1]);
    console.log(`${does} Options, with their defaults:
${`  --dir ${dir[0]}`.padEnd(28)}${dir[1]}
${lines.join('\n')}
${`  --fresh`.padEnd(28)}start over`);
    process.exit(0);
  }
  const found = Object.fromEntries(names.map((name) => [name, whole(command, name, values[name])]));
  return {
    ...(found as Record<Name, number>),
    dir: String(values['dir'] ?? dir[0]),
    fresh: values['fresh'] === true,
  };
}

function whole<Name extends string>({ numbers, zeros }: Command<Name>, name: Name, given: unknown): number {
  const value = given === undefined ? numbers[name][0] : Number(given);
  const min = zeros.includes(name) ? 0 : 1;
  if (Number.isInteger(value) && value >= min) return value;
  console.error(`Expected --${name} to be a whole number of at least ${min}, got ${given}.`);
  process.exit(2);
}

function parsed(names: readonly string[], args: string[]): Record<string, unknown> {
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

/** A run that goes on from a checkpoint. */
export interface SameRun {
  readonly dir: string;
  /** What may not change while a run goes on. */
  readonly identity: Readonly<Record<string, number>>;
}

/** The loader's state in `checkpoint`; ends the process where the checkpoint is of a run with other options. */
export function checkSameRun(checkpoint: Checkpoint, { dir, identity }: SameRun): LoaderState {
  const before = checkpoint.extra as SameRun['identity'];
  const differing = Object.keys(identity).filter((name) => before[name] !== identity[name]);
  if (differing.length === 0) return checkpoint.loader as LoaderState;
  const said = differing.map((name) => `${name} was ${before[name]}, now ${identity[name]}`).join('; ');
  console.error(`The checkpoint in ${dir} is of another run: ${said}. Use the same options, or --fresh.`);
  process.exit(2);
}

import { CommanderError } from 'commander';
import { isSpiralError, SpiralError } from '../core/errors.js';
import type { CommandLine, CommandSpec } from './command.js';
import { done, exitCodeOf, failureText, interrupted, misuse, misused, terminated } from './failure.js';
import { Output } from './output.js';
import { commandProgram } from './program.js';

/**
 * Does what the arguments ask for; resolves with the exit code. The answer goes to stdout, all else to stderr.
 *
 * The first Ctrl-C lets a command clean up, a second one ends it where it is.
 */
export async function runCommandLine(specs: readonly CommandSpec[], argv: readonly string[]): Promise<number> {
  let code = done;
  const run = async (spec: CommandSpec, line: CommandLine): Promise<void> => {
    code = await runCommand(spec, line);
  };
  const program = commandProgram(specs, run, argv.includes('--json'));
  try {
    await program.parseAsync(argv, { from: 'user' });
    return code;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? done : misused;
  }
}

async function runCommand(spec: CommandSpec, line: CommandLine): Promise<number> {
  const json = line.flag('json');
  const signals = new Signals(spec.stops === true);
  const styled = process.env['NO_COLOR'] === undefined;
  const out = new Output(process.stdout, { json, quiet: line.flag('quiet'), styled });
  try {
    if (spec.print !== undefined) await out.write(spec.print(line));
    if (spec.run === undefined) return done;
    const overrides = overridesOf(line);
    const door = await import('../index.js');
    await using spiral = new door.Spiral({ overrides });
    return await spec.run({ door, line, out, signal: signals.signal, overrides, spiral });
  } catch (error) {
    if (signals.code !== undefined && isSpiralError(error, 'cancelled')) return signals.code;
    process.stderr.write(failureText(error, { json, debug: line.flag('debug') }));
    return exitCodeOf(error);
  } finally {
    signals.end();
  }
}

/** Settings of `--set` and `--warehouse`. */
function overridesOf(line: CommandLine): Record<string, string> {
  const overrides: Record<string, string> = {};
  for (const pair of line.list('set') ?? []) {
    const at = pair.indexOf('=');
    if (at <= 0) throw misuse('Expected --set to be given key=value, such as --set verify=always.', { option: 'set' });
    overrides[pair.slice(0, at)] = pair.slice(at + 1);
  }
  const warehouse = line.text('warehouse');
  if (warehouse !== undefined) overrides['warehouse.uri'] = warehouse;
  return overrides;
}

/** Ctrl-C and the like, while a command runs. */
class Signals {
  readonly #abort = new AbortController();
  readonly #cleans: boolean;
  /** The exit code, once a signal came. */
  code: number | undefined;

  constructor(cleans: boolean) {
    this.#cleans = cleans;
    process.on('SIGINT', this.#onInterrupt);
    process.on('SIGTERM', this.#onTerminate);
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  end(): void {
    process.off('SIGINT', this.#onInterrupt);
    process.off('SIGTERM', this.#onTerminate);
  }

  readonly #onInterrupt = (): void => this.#stop(interrupted, 'Ctrl-C');
  readonly #onTerminate = (): void => this.#stop(terminated, 'SIGTERM');

  #stop(code: number, name: string): void {
    if (this.code !== undefined || !this.#cleans) process.exit(code);
    this.code = code;
    if (process.stderr.isTTY) process.stderr.write('\nStopping; once more to end at once.\n');
    this.#abort.abort(new SpiralError('cancelled', `The command was stopped by ${name}.`));
  }
}

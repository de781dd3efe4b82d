import type { Spiral } from '../index.js';
import type { Output } from './output.js';

/** The public door, loaded when a command runs: help and completions answer without it. */
export type Door = typeof import('../index.js');

/** A positional argument. */
export interface ArgumentSpec {
  readonly name: string;
  readonly about: string;
  /** Default: it must be given, once. */
  readonly many?: true;
  readonly optional?: true;
  readonly choices?: readonly string[];
}

/** An option; without `value` a switch. */
export interface OptionSpec {
  /** Without dashes: `batch-size`. */
  readonly name: string;
  readonly short?: string;
  readonly about: string;
  /** What stands for its value in the help. */
  readonly value?: string;
  /** How the value is read. Default `text`. */
  readonly kind?: 'text' | 'count' | 'list' | 'duration' | 'bytes';
  readonly choices?: readonly string[];
  readonly otherwise?: string;
}

/** What a command is called, takes and does: `run`, or `print` for what needs no client. */
export interface CommandSpec {
  /** `['tables', 'ls']`. */
  readonly words: readonly string[];
  readonly about: string;
  readonly arguments?: readonly ArgumentSpec[];
  readonly options?: readonly OptionSpec[];
  /** For programs: not in the help. */
  readonly hidden?: true;
  /** What comes behind `spiral`, with a word of what it does. */
  readonly examples: readonly string[];
  /** Ends by itself, and cleans up, when its signal aborts. Otherwise Ctrl-C ends the process where it is. */
  readonly stops?: true;
  /** Resolves with the exit code. */
  readonly run?: (call: Call) => Promise<number>;
  readonly print?: (line: CommandLine) => string;
}

/** One call of a command. */
export interface Call {
  readonly door: Door;
  readonly line: CommandLine;
  readonly out: Output;
  readonly signal: AbortSignal;
  /** The settings of the command line. */
  readonly overrides: Readonly<Record<string, string>>;
  /** A client with these; closed behind the command. */
  readonly spiral: Spiral;
}

/** What was given on the command line. */
export class CommandLine {
  readonly #arguments: ReadonlyMap<string, unknown>;
  readonly #options: Readonly<Record<string, unknown>>;

  constructor(given: ReadonlyMap<string, unknown>, options: Readonly<Record<string, unknown>>) {
    this.#arguments = given;
    this.#options = options;
  }

  /** An argument that must be there. */
  argument(name: string): string {
    return this.#arguments.get(name) as string;
  }

  optionalArgument(name: string): string | undefined {
    return this.#arguments.get(name) as string | undefined;
  }

  arguments(name: string): readonly string[] {
    return (this.#arguments.get(name) as readonly string[] | undefined) ?? [];
  }

  text(option: string): string | undefined {
    return this.#value(option) as string | undefined;
  }

  flag(option: string): boolean {
    return this.#value(option) === true;
  }

  /** A whole number; a duration in milliseconds; bytes. */
  count(option: string): number | undefined {
    return this.#value(option) as number | undefined;
  }

  list(option: string): readonly string[] | undefined {
    return this.#value(option) as readonly string[] | undefined;
  }

  /** Those of `options` that were given, by their names in camel case. */
  counts(...options: readonly string[]): Record<string, number> {
    const given = options.filter((option) => this.#value(option) !== undefined);
    return Object.fromEntries(given.map((option) => [camelCase(option), this.count(option)!]));
  }

  #value(option: string): unknown {
    return this.#options[camelCase(option)];
  }
}

/** `batchSize` of `batch-size`. */
function camelCase(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

import { readFileSync } from 'node:fs';
import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import type { CommandSpec, OptionSpec } from './command.js';
import { CommandLine } from './command.js';
import { failureText, misuse } from './failure.js';

/** Options of every command. */
export const commonOptions: readonly OptionSpec[] = [
  { name: 'warehouse', value: 'uri', about: 'where projects and tables are kept (the setting warehouse.uri)' },
  { name: 'set', value: 'key=value', kind: 'list', about: 'a setting; may be given again' },
  { name: 'json', about: 'answer in JSON, errors too' },
  { name: 'quiet', short: 'q', about: 'no progress' },
  { name: 'debug', about: 'the stack of an error, and what caused it' },
];

/** What groups of commands are about. */
const groups: Readonly<Record<string, string>> = {
  projects: 'sets of tables',
  tables: 'tables: their rows, files and versions; with --files, files in their place',
  loader: 'what a training loop would read, and how fast',
  stream: 'data sets of MosaicML Streaming',
};

/** Does what was asked for; resolves with the exit code. */
export type Runner = (spec: CommandSpec, line: CommandLine) => Promise<void>;

/**
 * The parser of the whole command line. It throws CommanderErrors, and has then written help, or what is wrong: as JSON where
 * `json` says so.
 */
export function commandProgram(specs: readonly CommandSpec[], run: Runner, json: boolean): Command {
  const program = new Command('spiral')
    .description('Tables in plain files, and loaders that feed training loops from them.')
    .version(packageVersion(), '-v, --version', 'print the version')
    .helpOption('-h, --help', 'print this text')
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => write(json ? failureText(misuse(text.trim()), { json, debug: false }) : text),
    })
    .addHelpText('after', exitCodes);
  for (const option of commonOptions) program.addOption(commanderOption(option));
  const made = new Map<string, Command>();
  for (const spec of specs) {
    const [group, ...rest] = spec.words;
    const parent = rest.length === 0 ? program : groupOf(program, group!, made);
    const command = parent.command(spec.words.at(-1)!, { hidden: spec.hidden === true }).description(spec.about);
    for (const { name, about, many, optional, choices } of spec.arguments ?? []) {
      const dots = many ? '...' : '';
      const argument = new Argument(optional ? `[${name}${dots}]` : `<${name}${dots}>`, about);
      command.addArgument(choices === undefined ? argument : argument.choices(choices));
    }
    for (const option of spec.options ?? []) command.addOption(commanderOption(option));
    const examples = spec.examples.map((example) => `  $ spiral ${example}`).join('\n');
    command.addHelpText('after', `\nExamples:\n${examples}`);
    command.action(async () => {
      const given = command.registeredArguments.map((argument, at) => [argument.name(), command.processedArgs[at]]);
      await run(spec, new CommandLine(new Map(given as [string, unknown][]), command.optsWithGlobals()));
    });
  }
  program
    .command('version')
    .description('print the version')
    .action(() => {
      process.stdout.write(`${packageVersion()}\n`);
    });
  return program;
}

const exitCodes = `
Exit codes: 0 done, 1 failed, 2 the command line or a setting was not understood, 130 stopped by Ctrl-C.`;

function groupOf(program: Command, name: string, made: Map<string, Command>): Command {
  let group = made.get(name);
  if (group === undefined) {
    group = program.command(name).description(groups[name] ?? '');
    made.set(name, group);
  }
  return group;
}

function commanderOption({ name, short, value, about, kind, choices, otherwise }: OptionSpec): Option {
  const flags = `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` <${value}>`}`;
  const option = new Option(flags, about);
  if (choices !== undefined) option.choices(choices);
  if (kind === 'count') option.argParser(wholeNumber);
  if (kind === 'duration') option.argParser(duration);
  if (kind === 'bytes') option.argParser(byteCount);
  if (kind === 'list') option.argParser((text: string, before: readonly string[] = []) => [...before, text]);
  if (otherwise !== undefined) {
    const parsers = {
      count: wholeNumber,
      duration,
      bytes: byteCount,
      text: (text: string) => text,
      list: (text: string) => [text],
    };
    option.default(parsers[kind ?? 'text'](otherwise), otherwise);
  }
  return option;
}

function wholeNumber(text: string): number {
  const value = Number(text.replaceAll('_', ''));
  if (/^\d[\d_]*$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError(`Expected a whole number, got '${text}'.`);
}

const unitMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

function duration(text: string): number {
  const [, digits = '', unit = ''] = /^(\d+)(ms|s|m|h|d|w)$/.exec(text) ?? [];
  const value = Number(digits) * (unitMs[unit] ?? 0);
  if (unit !== '' && Number.isSafeInteger(value)) return value;
  if (text === '0') return 0;
  throw new InvalidArgumentError(`Expected a duration such as 7d, 12h, 30m, 10s or 250ms, got '${text}'.`);
}

const unitBytes: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

function byteCount(text: string): number {
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)([kmgt]?)(?:i?b)?$/i.exec(text) ?? [];
  const value = Math.round(Number(digits) * unitBytes[unit.toLowerCase()]!);
  if (digits !== '' && Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError(`Expected bytes such as 4096, 64mb or 1.5gb (of 1024), got '${text}'.`);
}

function packageVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return (manifest as { version: string }).version;
}

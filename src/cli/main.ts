#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { knownOptions, listed, nearest } from '../core/check.js';
import { isSpiralError, SpiralError } from '../core/errors.js';

const usage = `Usage: spiral [options]

Options:
  -v, --version  print the version of spiral-loader
  -h, --help     print this text

Exit codes: 0 done, 1 failed, 2 the command line was not understood.
`;

const options = {
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const;

const commands: readonly string[] = ['help', 'version'];

/** What the command line asks for. Throws `invalid_argument` where it cannot be understood. */
function asked(argv: readonly string[]): 'help' | 'version' {
  const { values, positionals } = parseArgs({ args: [...argv], options, strict: false });
  knownOptions('spiral', values, Object.keys(options));
  const [command] = positionals;
  if (command !== undefined && !commands.includes(command)) {
    const near = nearest(command, commands);
    const hint = near.length > 0 ? ` Did you mean ${listed(near)}?` : '';
    throw new SpiralError('invalid_argument', `spiral has no command \`${command}\`.${hint}`, {
      details: { command, near },
    });
  }
  if (values['help'] === true || command === 'help') return 'help';
  if (values['version'] === true || command === 'version') return 'version';
  throw new SpiralError('invalid_argument', 'Expected an option, found none.');
}

function packageVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return (manifest as { version: string }).version;
}

function run(argv: readonly string[]): number {
  try {
    process.stdout.write(asked(argv) === 'help' ? usage : `${packageVersion()}\n`);
    return 0;
  } catch (error) {
    if (!isSpiralError(error, 'invalid_argument')) throw error;
    process.stderr.write(`${error.message}\n\n${usage}`);
    return 2;
  }
}

process.exitCode = run(process.argv.slice(2));

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { commands } from '../../src/cli/commands.js';
import { commandProgram } from '../../src/cli/program.js';
import { screensOf, spiral } from './spiral-process.js';

const cwd = mkdtempSync(join(tmpdir(), 'spiral-cli-'));
afterAll(() => rmSync(cwd, { recursive: true, force: true }));
const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

describe('spiral', () => {
  it('prints its version', async () => {
    expect(await spiral(['--version'], { cwd })).toEqual({ code: 0, out: `${manifest.version}\n`, err: '' });
    expect(await screensOf([['version'], ['-v']], { cwd })).toEqual(Array(2).fill(`${manifest.version}\n`));
  });

  it('prints its commands and exit codes', async () => {
    const { code, out, err } = await spiral(['--help'], { cwd });
    expect([code, err]).toEqual([0, '']);
    for (const part of ['Usage: spiral', '--version', 'tables', 'Exit codes']) expect(out).toContain(part);
    expect(await screensOf([['-h'], ['help']], { cwd })).toEqual([out, out]);
  });

  it('shows arguments, options and examples of each command', async () => {
    const screens = await screensOf(
      commands.map(({ words }) => [...words, '--help']),
      { cwd },
    );
    for (const [at, { words, options = [], examples }] of commands.entries()) {
      expect(screens[at]).toContain(`Usage: spiral ${words.join(' ')}`);
      for (const { name } of options) expect(screens[at]).toContain(`--${name}`);
      for (const example of examples) expect(screens[at]).toContain(`$ spiral ${example}`);
      expect(screens[at]).not.toContain('(exit code');
    }
  });

  it('has examples that its own parser understands', async () => {
    const wrong: string[] = [];
    const run = async (): Promise<void> => {};
    for (const example of commands.flatMap(({ examples }) => examples)) {
      const [line = ''] = example.split(/ [|>]/);
      const words = Array.from(
        line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g),
        ([, one, two, three]) => one ?? two ?? three!,
      );
      await commandProgram(commands, run, false)
        .parseAsync(words, { from: 'user' })
        .catch((error: unknown) => wrong.push(`${example}: ${error}`));
    }
    expect(wrong).toEqual([]);
  });

  it('leaves with code 2, and says why, where it does not understand', async () => {
    const asked: readonly (readonly [argv: string[], reason: RegExp])[] = [
      [['--vesrion'], /unknown option '--vesrion'\n\(Did you mean --version\?\)/],
      [['verson'], /unknown command 'verson'\n\(Did you mean version\?\)/],
      [[], /Usage: spiral/],
      [['tables'], /Usage: spiral tables/],
      [['tables', 'head'], /missing required argument 'source'/],
      [['tables', 'head', 'demo/t', '-n', 'ten'], /Expected a whole number, got 'ten'/],
      [['tables', 'vacuum', 'demo/t', '--retain', 'a while'], /Expected a duration such as 7d/],
      [['tables', 'head', 'images'], /error\[invalid_argument\]: Expected a table as project\/table/],
      [['tables', 'head', 'demo/a/b'], /Expected a table as project\/table/],
      [['tables', 'head', 'a.csv', '--files', '--asof', '5'], /no --asof beside --files/],
      [['tables', 'head', 'demo/t', '--format', 'csv'], /--files beside --format/],
      [['tables', 'create', 'demo/t'], /Expected --key/],
      [['tables', 'create', 'demo/t', '--key', 'id'], /Expected each key column with its type/],
      [['tables', 'ls', '--set', 'verify=sometimes'], /error\[invalid_config\]: .*'first', 'always' or 'never'/],
      [['tables', 'ls', '--set', 'verify'], /--set to be given key=value/],
    ];
    const screens = await screensOf(
      asked.map(([argv]) => argv),
      { cwd },
    );
    for (const [at, [argv, reason]] of asked.entries()) {
      expect(screens[at], argv.join(' ')).toMatch(reason);
      expect(screens[at], argv.join(' ')).toContain('(exit code 2)');
    }
    expect(await spiral(['tables', 'hed'], { cwd })).toMatchObject({ code: 2, out: '' });
  });

  it('writes errors as JSON where that is asked for, those of the command line too', async () => {
    const lines = [
      ['tables', 'ls', 'nowhere', '--json'],
      ['--json', 'tables', 'hed'],
    ];
    const screens = await screensOf(lines, { cwd });
    const errors = screens.map((screen) => JSON.parse(screen.split('\n')[0]!) as unknown);
    expect(errors).toMatchObject([{ error: { code: 'unknown_project' } }, { error: { code: 'invalid_argument' } }]);
  });

  it('shows stack and cause with --debug alone', async () => {
    const argv = ['tables', 'head', '--files', 'nothing.jsonl'];
    const [plain, debugged] = await screensOf([argv, [...argv, '--debug']], { cwd });
    expect(plain).not.toContain('\n    at ');
    expect(debugged).toContain('\n    at ');
  });
});

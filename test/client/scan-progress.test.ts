import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { typescript } from '../typescript.js';

const program = (word: 'show' | 'hide'): string[] => [
  process.execPath,
  ...typescript,
  fileURLToPath(new URL('show-scan.ts', import.meta.url)),
  word,
];

/** What a command prints. */
async function printed(command: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  const [file, ...rest] = command as [string, ...string[]];
  const child = spawn(file, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { stdout, stderr };
}

const terminal = spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux') ?? false;

describe('the progress line of a scan (law 26)', () => {
  it('stays away where stderr is no terminal', async () => {
    expect(await printed(program('show'))).toEqual({ stdout: '100\n', stderr: '' });
  });

  it.runIf(terminal)('appears on a terminal once reading takes long, unless it is hidden', async () => {
    const inTerminal = (word: 'show' | 'hide'): string[] => [
      'script',
      '-qec',
      program(word)
        .map((part) => `'${part}'`)
        .join(' '),
      join('/dev', 'null'),
    ];
    const [shown, hidden] = await Promise.all([printed(inTerminal('show')), printed(inTerminal('hide'))]);
    expect(shown.stdout).toMatch(/scan · 100 of 100 rows · [\d,]+ rows\/s/);
    expect(shown.stdout.trimEnd().split('\n').at(-1)).toBe('100');
    expect(hidden.stdout).toBe('100\r\n');
  });
});

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string };

function spiral(...argv: readonly string[]): { code: number | null; out: string; err: string } {
  const run = spawnSync(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', ...argv], {
    cwd: root,
    encoding: 'utf8',
  });
  return { code: run.status, out: run.stdout, err: run.stderr };
}

describe('spiral', () => {
  it.each(['--version', '-v', 'version'])('%s prints the version of the package', (word) => {
    expect(spiral(word)).toEqual({ code: 0, out: `${manifest.version}\n`, err: '' });
  });

  it.each(['--help', '-h', 'help'])('%s prints the usage on stdout', (word) => {
    const { code, out, err } = spiral(word);
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain('Usage: spiral');
    expect(out).toContain('--version');
  });

  it.each([
    [['--vesrion'], "no option `vesrion`. Did you mean 'version'?"],
    [['verson'], "no command `verson`. Did you mean 'version'?"],
    [[], 'found none'],
  ])('leaves with code 2 and says why on stderr: %j', (argv, reason) => {
    const { code, out, err } = spiral(...argv);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(reason);
    expect(err).toContain('Usage: spiral');
  });
});

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { commands } from '../../src/cli/commands.js';
import { wordsAfter } from '../../src/cli/completion.js';

const hasBash = spawnSync('bash', ['--version']).status === 0;

describe('completion', () => {
  it.each<[string[], string[]]>([
    [['pro'], ['projects']],
    [
      ['tables', 'h'],
      ['head', 'history'],
    ],
    [['tables', 'scan', '--wh'], ['--where']],
    [['tables', 'scan', '--ware'], ['--warehouse']],
    [
      ['tables', 'scan', 'demo/t', '--format', ''],
      ['arrow', 'csv', 'jsonl', 'mds', 'parquet'],
    ],
    [['tables', 'scan', '--where', ''], []],
    [
      ['completion', ''],
      ['bash', 'fish', 'zsh'],
    ],
    [['nothing', ''], []],
  ])('of %j', (typed, expected) => {
    expect(wordsAfter(commands, typed)).toEqual(expected);
  });

  it('knows every command that is not hidden', () => {
    const groups = new Set(commands.filter(({ hidden }) => !hidden).map(({ words }) => words[0]!));
    expect(wordsAfter(commands, [''])).toEqual(expect.arrayContaining([...groups]));
    expect(wordsAfter(commands, [''])).not.toContain('complete');
  });

  it.runIf(hasBash)('works in bash', () => {
    const folder = mkdtempSync(join(tmpdir(), 'spiral-bash-'));
    try {
      const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
      writeFileSync(join(folder, 'spiral'), `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`, { mode: 0o755 });
      const script = `source <(spiral completion bash)
        COMP_WORDS=(spiral tables sc) COMP_CWORD=2
        _spiral_complete
        printf '%s\\n' "\${COMPREPLY[@]}"`;
      const env = { ...process.env, PATH: `${folder}:${process.env['PATH']}` };
      expect(execFileSync('bash', ['-c', script], { env, encoding: 'utf8' }).trim().split('\n')).toEqual([
        'scan',
        'schema',
      ]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

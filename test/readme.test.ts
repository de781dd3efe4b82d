import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { repositoryFiles } from './source-text.js';

const root = fileURLToPath(new URL('..', import.meta.url));
// Beside the package, so that the code finds it by its name as a user's would.
const programs = join(root, '.docs-code');
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'spiral-docs-'));
  mkdirSync(programs, { recursive: true });
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  rmSync(programs, { recursive: true, force: true });
});

const documents = repositoryFiles()
  .filter(({ path }) => path === 'README.md' || path.startsWith('docs/guides/'))
  .sort((a, b) => Number(b.path === 'README.md') - Number(a.path === 'README.md'))
  .map(({ path, text }) => ({ path, blocks: [...text.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code!) }));

describe('the code in the documents runs, one block after the other in one folder', () => {
  test.each(documents)('$path', ({ path, blocks }) => {
    expect(blocks.length).toBeGreaterThan(0);
    for (const [at, code] of blocks.entries()) {
      const file = join(programs, `${path.replaceAll('/', '-')}-${at}.mjs`);
      writeFileSync(file, transformSync(code, { loader: 'ts', format: 'esm', target: 'node20' }).code);
      const run = spawnSync(process.execPath, [file], {
        cwd: folder,
        encoding: 'utf8',
        timeout: 100_000,
        env: { ...process.env, NODE_OPTIONS: '' },
      });
      expect(`${run.stderr}${run.status}`, `${path}, block ${at + 1}`).toBe('0');
    }
  });
});

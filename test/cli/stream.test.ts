import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { MDSWriter } from '../../src/index.js';
import { screensOf } from './spiral-process.js';

const cwd = mkdtempSync(join(tmpdir(), 'spiral-stream-'));
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

/** The command lines; `test/cli/goldens/stream.txt` has what they print. */
const lines: readonly (readonly string[])[] = [
  ['stream', 'inspect', 'train'],
  ['stream', 'inspect', 'train', '--json'],
  ['stream', 'inspect', '.'],
  ['stream', 'verify', 'train'],
  ['stream', 'verify', 'broken'],
  ['stream', 'verify', 'broken', '--json'],
  ['stream', 'stats', 'train'],
  ['stream', 'stats', 'broken'],
  [
    'stream',
    'simulate',
    'train',
    '--batch-size',
    '8',
    '--bandwidth',
    '4kb',
    '--cache-limit',
    '4kb',
    '--html',
    'run.html',
  ],
  [
    'stream',
    'simulate',
    '--shards',
    '16',
    '--shard-samples',
    '1000',
    '--shard-bytes',
    '64mb',
    '--step',
    '1s',
    '--json',
  ],
  ['stream', 'simulate', '--shards', '16'],
  ['stream', 'simulate', 'train', '--cache-limit', '1kb'],
  ['stream', 'simulate', 'train', '--shuffle-algo', 'py1s'],
  ['stream', 'simulate', 'train', '--bandwidth', 'fast'],
];

it('prints the same as ever of data sets', async () => {
  const out = join(cwd, 'train');
  await using writer = new MDSWriter({
    out,
    columns: { id: 'int', text: 'str', score: 'float32' },
    compression: 'zstd:3',
    hashes: ['sha1'],
    sizeLimit: 2048,
  });
  for (let id = 0; id < 200; id++) await writer.write({ id, text: `sample ${id}`, score: id / 8 });
  await writer.finish();
  cpSync(out, join(cwd, 'broken'), { recursive: true });
  truncateSync(join(cwd, 'broken', 'shard.00001.mds.zstd'), 20);
  const damaged = join(cwd, 'broken', 'shard.00002.mds.zstd');
  const bytes = readFileSync(damaged);
  bytes[40] = bytes[40]! ^ 255;
  writeFileSync(damaged, bytes);
  const screens = (await screensOf(lines, { cwd })).map((screen, at) => `$ spiral ${lines[at]!.join(' ')}\n${screen}`);
  await expect(screens.join('\n').replaceAll(cwd, 'FOLDER')).toMatchFileSnapshot('goldens/stream.txt');
  expect(readFileSync(join(cwd, 'run.html'), 'utf8')).toContain('</svg>');
});

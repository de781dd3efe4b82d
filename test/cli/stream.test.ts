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
  ['stream', 'convert', '--files', 'rows.jsonl', 'made', '--parts', '3', '--hashes', 'sha1', '--select', 'id,text'],
  ['stream', 'verify', 'made'],
  ['stream', 'convert', '--files', 'rows.jsonl', 'made', '--parts', '3'],
  ['tables', 'scan', '--files', 'made', '--format', 'mds', '--select', 'id,text', '--limit', '3'],
  ['stream', 'convert', '--files', 'mixed.jsonl', 'half', '--parts', '2'],
  ['stream', 'convert', '--files', 'mixed.jsonl', 'half', '--parts', '2', '--select', 'id'],
  ['stream', 'convert', '--files', 'rows.jsonl', 'one', '--parts', '1', '--encode', 'note=json'],
  ['stream', 'convert', '--files', 'rows.jsonl', 'none', '--where', 'id < 0', '--select', 'id'],
  ['stream', 'merge', 'parts'],
  ['stream', 'inspect', 'parts'],
  ['stream', 'merge', 'nowhere'],
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
  for (const part of ['a', 'b']) cpSync(out, join(cwd, 'parts', part), { recursive: true });
  const rows = Array.from({ length: 60 }, (_, id) => ({ id, text: `row ${id}`, note: id % 2 === 0 ? null : 'odd' }));
  writeFileSync(join(cwd, 'rows.jsonl'), rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  // The null is in the last part: what the first one wrote is deleted again.
  const mixed = rows.map(({ id }) => ({ id, note: id === 59 ? null : 'x' }));
  writeFileSync(join(cwd, 'mixed.jsonl'), mixed.map((row) => `${JSON.stringify(row)}\n`).join(''));
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

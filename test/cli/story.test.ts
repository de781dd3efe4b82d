import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { screensOf } from './spiral-process.js';

const cwd = mkdtempSync(join(tmpdir(), 'spiral-story-'));
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

/** The command lines, one after the other in one warehouse; `test/cli/goldens/story.txt` has what they print. */
const lines: readonly (readonly string[])[] = [
  ['projects', 'create', 'demo'],
  ['projects', 'ls'],
  ['tables', 'create', 'demo/web.pages', '--key', 'host:utf8,time:timestamp[us, UTC]'],
  ['tables', 'import', 'demo/images', 'rows/*.jsonl'],
  ['tables', 'import', 'demo/images', 'rows/*.jsonl', '--key', 'id'],
  [
    'tables',
    'import',
    'demo/lines',
    'rows',
    '--key',
    'file,row',
    '--select',
    'label',
    '--where',
    'score > 5',
    '--json',
  ],
  ['tables', 'import', 'demo/others', 'rows', '--key', 'idd'],
  ['tables', 'ls'],
  ['tables', 'ls', 'demo', '--json'],
  ['tables', 'schema', 'demo/images'],
  ['tables', 'schema', '--files', 'rows/a.jsonl'],
  ['tables', 'head', 'demo/images', '-n', '3'],
  ['tables', 'head', 'demo/images', '-n', '2', '--json'],
  ['tables', 'scan', 'demo/lines'],
  [
    'tables',
    'scan',
    'demo/images',
    '--where',
    "label in ('cat') and meta.w >= 12",
    '--select',
    'id,meta.w',
    '--limit',
    '2',
  ],
  ['tables', 'scan', 'demo/images', '--where', 'score > 9.5', '--json', '--select', 'id'],
  ['tables', 'scan', 'demo/images', '--where', 'note is not null', '--count'],
  ['tables', 'scan', 'demo/images', '--where', 'score >> 1'],
  ['tables', 'scan', 'demo/images', '--where', 'scor > 1'],
  ['tables', 'scan', 'demo/images', '--asof', 'before'],
  ['tables', 'scan', '--files', 'rows/b.jsonl', '--select', 'row,id', '--limit', '1'],
  ['tables', 'tag', 'demo/images', 'first'],
  ['tables', 'drop-columns', 'demo/images', 'note', 'meta.w'],
  ['tables', 'drop-columns', 'demo/images', 'note'],
  ['tables', 'schema', 'demo/images', '--asof', 'first'],
  ['tables', 'export', 'demo/images', 'cats.jsonl', '--where', "label = 'cat'"],
  ['tables', 'export', 'demo/images', 'cats.parquet', '--asof', 'first', '--json'],
  ['tables', 'export', 'demo/images', 'cats.txt'],
  ['tables', 'schema', '--files', 'cats.parquet'],
  ['tables', 'history', 'demo/images'],
  ['tables', 'inspect', 'demo/images'],
  ['tables', 'compact', 'demo/images'],
  ['tables', 'vacuum', 'demo/images', '--retain', '0', '--grace', '0'],
  ['tables', 'untag', 'demo/images', 'first'],
  ['tables', 'rename', 'demo/images', 'pictures'],
  ['tables', 'move', 'demo/pictures', 'old'],
  ['tables', 'head', 'demo/images'],
  ['shards', 'demo/old.pictures', '--rows', '8', '--where', 'score >= 2'],
  ['shards', 'demo/old.pictures', '--json'],
  ['loader', 'plan', 'demo/old.pictures', '--world-size', '3', '--uneven', 'split', '--batch-size', '4'],
  ['config', '--set', 'verify=always', '--warehouse', 'memory://m'],
];

it('prints the same as ever', async () => {
  mkdirSync(join(cwd, 'rows'));
  const row = (id: number): object => ({
    id,
    label: ['cat', 'dog', 'cow'][id % 3],
    score: id / 2,
    note: id % 4 === 0 ? 'a\ttab, a\nline' : null,
    meta: { w: id * 2, tags: ['x', 'y'].slice(0, id % 3) },
  });
  const text = (from: number, to: number): string =>
    Array.from({ length: to - from }, (_, at) => `${JSON.stringify(row(from + at))}\n`).join('');
  writeFileSync(join(cwd, 'rows/a.jsonl'), text(0, 12));
  writeFileSync(join(cwd, 'rows/b.jsonl'), text(12, 20));
  const typed = (word: string): string => (/^[\w./:=,@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
  const found = await screensOf(lines, { cwd });
  expect(found).toHaveLength(lines.length);
  const screens = found.map((screen, at) => `$ spiral ${lines[at]!.map(typed).join(' ')}\n${screen}`);
  const steady = screens
    .join('\n')
    .replaceAll(cwd, 'FOLDER')
    .replaceAll(/tbl_\w+/g, 'tbl_ID')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME');
  await expect(steady).toMatchFileSnapshot('goldens/story.txt');
});

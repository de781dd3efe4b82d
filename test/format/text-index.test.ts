import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { toSchema } from '../../src/arrow/schema.js';
import { isSpiralError } from '../../src/core/errors.js';
import { textRowBytesMax } from '../../src/core/limits.js';
import { jsonlFormat } from '../../src/format/jsonl-file.js';
import type { RowFile, RowFileFormat } from '../../src/format/row-file.js';
import { encodeTextIndex, textIndexKey } from '../../src/format/text-index.js';
import { fileStore } from '../../src/storage/file-store.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { allRows } from './plain-text.js';

const lines = Buffer.from(Array.from({ length: 100 }, (_, at) => `{"a":${at},"b":"row ${at}"}\n`).join(''));
const path = 'a.jsonl';
const sizes = { groupRows: 7, chunkBytes: 64 };

afterEach(() => vi.resetModules());

async function storeOf(bytes: Uint8Array): Promise<ObjectStore> {
  const store = memoryStore();
  await store.put(path, bytes);
  return store;
}

/** Opens the file, and says how much was read of it. */
async function opened(
  format: RowFileFormat,
  store: ObjectStore,
  options: { modifiedMs?: number; indexes?: ObjectStore; index?: Uint8Array; size?: number } = {},
): Promise<{ file: RowFile; bytes: number }> {
  const { size = lines.length, modifiedMs = 1, ...rest } = options;
  const counters = { bytes: 0, requests: 0 };
  const file = await format.open(store, path, size, { modifiedMs, counters, ...rest });
  return { file, bytes: counters.bytes };
}

/** Opens the file as another process does, which remembers nothing. `indexes`: the folder to keep indexes in. */
async function openedElsewhere(
  folder: string,
  options: { indexes?: string; modifiedMs?: number; index?: Uint8Array; bytes?: Uint8Array } = {},
): Promise<{ file: RowFile; bytes: number }> {
  const { indexes, bytes = lines, ...rest } = options;
  await writeFile(`${folder}/${path}`, bytes);
  vi.resetModules();
  const { jsonlFormat: format } = await import('../../src/format/jsonl-file.js');
  const { fileStore: storeAt } = await import('../../src/storage/file-store.js');
  const given = indexes === undefined ? rest : { ...rest, indexes: storeAt(indexes) };
  return opened(format(sizes), storeAt(folder), { ...given, size: bytes.length });
}

/** The one file that is kept below `folder`. */
async function onlyFile(folder: string): Promise<string> {
  const names = await readdir(`${folder}/text-index`);
  expect(names).toHaveLength(1);
  return `${folder}/text-index/${names[0]}`;
}

test('a file is gone through once in a process, until it changes', async () => {
  const store = await storeOf(lines);
  const first = await opened(jsonlFormat(sizes), store);
  expect(first.bytes).toBeGreaterThanOrEqual(lines.length);
  const again = await opened(jsonlFormat(sizes), store);
  expect(again.bytes).toBe(0);
  expect(again.file.groups).toEqual(first.file.groups);
  expect(await allRows(again.file)).toEqual(await allRows(first.file));
  expect((await opened(jsonlFormat(sizes), store, { modifiedMs: 2 })).bytes).toBeGreaterThanOrEqual(lines.length);
  expect((await opened(jsonlFormat({ groupRows: 8 }), store)).bytes).toBeGreaterThanOrEqual(lines.length);
});

test('two that open a file at once go through it together', async () => {
  const store = await storeOf(lines);
  const both = await Promise.all([opened(jsonlFormat(sizes), store), opened(jsonlFormat(sizes), store)]);
  expect(Math.min(...both.map(({ bytes }) => bytes))).toBe(0);
});

test('one that is cancelled takes nobody along', async () => {
  const store = await storeOf(lines);
  const control = new AbortController();
  const given = { modifiedMs: 1, signal: control.signal };
  const first = jsonlFormat(sizes).open(store, path, lines.length, given);
  const second = opened(jsonlFormat(sizes), store);
  control.abort();
  await expect(first).rejects.toMatchObject({ code: 'cancelled' });
  expect(await allRows((await second).file)).toHaveLength(100);
});

test('another process takes the index that is kept, and reads nothing of the file', async () => {
  await using folder = await temporaryFolder();
  const indexes = `${folder.path}/indexes`;
  const first = await openedElsewhere(folder.path, { indexes });
  expect(first.bytes).toBeGreaterThanOrEqual(lines.length);
  const second = await openedElsewhere(folder.path, { indexes });
  expect(second.bytes).toBe(0);
  expect(await allRows(second.file)).toEqual(await allRows(first.file));
  expect(String(second.file.schema)).toBe(String(first.file.schema));
  expect((await openedElsewhere(folder.path, { indexes, modifiedMs: 2 })).bytes).toBeGreaterThan(0);
});

test('an index that is damaged, at any byte, or another file’s, is made again', async () => {
  await using folder = await temporaryFolder();
  const indexes = `${folder.path}/indexes`;
  const { file } = await openedElsewhere(folder.path, { indexes });
  const kept = await onlyFile(indexes);
  const sound = await readFile(kept);
  const damaged = Array.from({ length: 12 }, (_, part) => {
    const at = Math.floor((part * sound.length) / 12);
    const bytes = Uint8Array.from(sound);
    bytes[at]! ^= 1 << (part % 8);
    return bytes;
  });
  for (const bytes of [...damaged, new Uint8Array(0), sound.subarray(0, 40), Buffer.from('not an index')]) {
    await writeFile(kept, bytes);
    const again = await openedElsewhere(folder.path, { indexes });
    expect(again.bytes).toBeGreaterThan(0);
    expect(again.file.groups).toEqual(file.groups);
    expect(await readFile(kept)).toEqual(sound);
  }
  const others = `${folder.path}/others`;
  await openedElsewhere(folder.path, { indexes: others, bytes: Buffer.concat([lines, lines]) });
  await writeFile(kept, await readFile(await onlyFile(others)));
  expect((await openedElsewhere(folder.path, { indexes })).file.groups).toEqual(file.groups);
});

test('an index can be handed over; a wrong one counts for none', async () => {
  await using folder = await temporaryFolder();
  const { file } = await openedElsewhere(folder.path);
  const index = file.index!;
  const handed = await openedElsewhere(folder.path, { index });
  expect(handed.bytes).toBe(0);
  expect(await allRows(handed.file)).toEqual(await allRows(file));
  expect((await openedElsewhere(folder.path, { index, modifiedMs: 3 })).bytes).toBeGreaterThan(0);
});

test('where no index can be kept, files are opened all the same', async () => {
  await using folder = await temporaryFolder();
  await writeFile(`${folder.path}/file`, 'no folder');
  const { file } = await openedElsewhere(folder.path, { indexes: `${folder.path}/file/below` });
  expect(await allRows(file)).toHaveLength(100);
});

test('a file that changes under its index is refused', async () => {
  const store = await storeOf(lines);
  const { file } = await opened(jsonlFormat(sizes), store);
  const merged = Buffer.from(lines);
  merged[merged.indexOf('\n')] = 0x20;
  await store.put(path, merged);
  await expect(file.readGroup(0, [0])).rejects.toMatchObject({ code: 'corrupt_file' });
  await store.put(path, Buffer.from(lines.toString().replace('}\n{"a":1,', '}  {"a":1,')));
  await expect(file.readGroup(0, [0])).rejects.toMatchObject({ code: 'corrupt_file' });
  await store.put(path, Buffer.from(lines.toString().replace('{"a":1,"b":"row 1"}', '                   ')));
  await expect(file.readGroup(0, [0])).rejects.toMatchObject({ code: 'corrupt_file' });
  await store.put(path, lines.subarray(0, lines.length - 1));
  await expect(file.readGroup(file.groups.length - 1, [0])).rejects.toMatchObject({ code: 'corrupt_file' });
});

test('rows beyond 4 GiB are read at their place', async () => {
  await using folder = await temporaryFolder();
  const store = fileStore(folder.path);
  const start = 5 * 2 ** 30;
  await writeFile(`${folder.path}/${path}`, '');
  await truncate(`${folder.path}/${path}`, start);
  await writeFile(`${folder.path}/${path}`, '{"a":1}\n{"a":2}\n', { flag: 'a' });
  const size = start + 16;
  const options = { modifiedMs: 1, schema: toSchema({ a: 'int64' }, 'the test') };
  // Sparse bytes before the rows are no text: the index says where those begin.
  const key = textIndexKey(`${store.uri}/${path}`, size, options, 'jsonl 4096 1048576');
  const index = encodeTextIndex(key, {
    schema: options.schema,
    header: [],
    starts: Float64Array.of(start, size),
    rowStarts: Float64Array.of(0, 2),
  });
  const file = await jsonlFormat().open(store, path, size, { ...options, index });
  expect(await allRows(file)).toEqual([{ a: 1n }, { a: 2n }]);
});

test('a row of 20 MB is read; one that never ends is refused', async () => {
  const long = 'x'.repeat(20 * 2 ** 20);
  const bytes = Buffer.from(`{"a":"short"}\n{"a":"${long}"}\n{"a":"after"}\n`);
  const { file } = await opened(jsonlFormat(), await storeOf(bytes), { size: bytes.length });
  expect(file.groups.map(({ rows }) => rows)).toEqual([1, 1, 1]);
  const rows = await allRows(file);
  expect(rows.map(({ a }) => (a as string).length)).toEqual([5, long.length, 5]);

  await using folder = await temporaryFolder();
  await writeFile(`${folder.path}/${path}`, '{"a":1}\n');
  const size = textRowBytesMax + 2 ** 22;
  await truncate(`${folder.path}/${path}`, size);
  const opening = jsonlFormat().open(fileStore(folder.path), path, size, { modifiedMs: 1 });
  const error = await opening.catch((thrown: unknown) => thrown);
  expect(isSpiralError(error, 'limit_exceeded') && error.details).toMatchObject({ row: 1, byte: 8 });
});

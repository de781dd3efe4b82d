import { expect, test } from 'vitest';
import { toSchema } from '../../src/arrow/schema.js';
import { ArrowFile } from '../../src/format/arrow-file.js';
import { readRows } from '../../src/format/arrow-read.js';
import { batchOf, fileBytes, openedFile, path, refusal, request, storeOf, valuesOf } from './stored-file.js';

const rows = 8192;
const range = Array.from({ length: rows }, (_, row) => row);
const vector = (row: number): Float32Array => new Float32Array(16).fill(row);
const schema = toSchema({ id: 'int64', vec: 'fixed_size_list<float32>[16]', text: 'utf8', label: 'int32' }, 'the test');
const columns = [range.map(BigInt), range.map(vector), range.map((row) => `text ${row} `.repeat(20)), range];
const batch = batchOf(schema, columns);

test('reading one column reads its buffers and no more', async () => {
  const file = await openedFile(schema, [batch, batch]);
  const counters = { bytes: 0, requests: 0 };
  await readRows(file, 1, 0, rows, request(file, { columns: [1], counters }));
  expect(counters).toEqual({ bytes: rows * 64, requests: 1 });
});

test('neighbours are read together, and nothing twice', async () => {
  const file = await openedFile(schema, [batch]);
  const counters = { bytes: 0, requests: 0 };
  await readRows(file, 0, 0, rows, request(file, { columns: [3, 0, 1, 0], counters }));
  // id and vec lie side by side; the text between them and label is too long to be read over.
  expect(counters).toEqual({ bytes: rows * (8 + 64 + 4), requests: 2 });
});

test('a hundred columns are one read', async () => {
  const names = Array.from({ length: 100 }, (_, at) => [`c${at}`, 'int8'] as const);
  const wide = toSchema(names, 'the test');
  const file = await openedFile(wide, [
    batchOf(
      wide,
      names.map(() => [1, 2, 3]),
    ),
  ]);
  const counters = { bytes: 0, requests: 0 };
  await readRows(file, 0, 0, 3, request(file, { counters }));
  expect(counters.requests).toBe(1);
  expect(counters.bytes).toBeLessThanOrEqual(100 * 64);
});

test('a hundred rows of a verified batch take the bytes of a hundred rows', async () => {
  const file = await openedFile(schema, [batch]);
  const first = { bytes: 0, requests: 0 };
  await readRows(file, 0, 4000, 4100, request(file, { counters: first }));
  expect(first.bytes).toBeGreaterThan(rows * 100);
  const counters = { bytes: 0, requests: 0 };
  const read = await readRows(file, 0, 4000, 4100, request(file, { counters }));
  const text = columns[2]!.slice(4000, 4100).join('').length;
  expect(counters).toEqual({ bytes: 100 * (8 + 64 + 4) + 101 * 4 + text, requests: 5 });
  expect(valuesOf(read[2]!)).toEqual(columns[2]!.slice(4000, 4100));
});

test('a file is opened by one read, by two where its footer is long', async () => {
  const narrow = toSchema({ n: 'int8' }, 'the test');
  for (const [batches, reads] of [
    [1, 1],
    [1000, 2],
  ] as const) {
    const { bytes } = await fileBytes(narrow, Array(batches).fill(batchOf(narrow, [[1]])));
    const store = await storeOf(bytes);
    const getTail = store.getTail.bind(store);
    let tails = 0;
    store.getTail = (...args) => {
      tails++;
      return getTail(...args);
    };
    const file = await ArrowFile.open(store, path, bytes.byteLength);
    expect([tails, file.rows]).toEqual([reads, batches]);
  }
});

test('every failure of a read is heard by the caller, also where several fail at once', async () => {
  const nullable = toSchema({ t: 'utf8', l: 'list<int32>' }, 'the test');
  const file = await openedFile(nullable, [
    batchOf(nullable, [Array.from({ length: 40 }, (_, row) => (row % 3 ? 'x' : null)), Array(40).fill([1, null])]),
  ]);
  const unheard: unknown[] = [];
  const note = (reason: unknown): number => unheard.push(reason);
  process.on('unhandledRejection', note);
  try {
    for (const [verify, from, to] of [
      ['first', 0, 40],
      ['never', 3, 9],
    ] as const) {
      const signal = AbortSignal.abort(new Error('enough'));
      const error = await refusal(readRows(file, 0, from, to, { ...request(file, { verify }), signal }));
      expect(error.code).toBe('cancelled');
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect(unheard).toEqual([]);
  } finally {
    process.off('unhandledRejection', note);
  }
});

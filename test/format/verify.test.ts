import { describe, expect, test } from 'vitest';
import { toSchema } from '../../src/arrow/schema.js';
import type { Verify } from '../../src/core/verify.js';
import { ArrowFile } from '../../src/format/arrow-file.js';
import { readRows } from '../../src/format/arrow-read.js';
import { FileCache } from '../../src/format/file-cache.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { batchOf, fileBytes, path, refusal, request, storeOf, valuesOf } from './stored-file.js';

const schema = toSchema({ n: 'int32', t: 'utf8' }, 'the test');
const numbers = Array.from({ length: 64 }, (_, row) => row);
const texts = numbers.map((row) => `row ${row}`);

/** A store whose ranges come with the lowest bit of their first byte flipped, once `flip` was called. */
async function flippingStore(): Promise<{ store: ObjectStore; size: number; flip(): void }> {
  const { bytes } = await fileBytes(schema, [batchOf(schema, [numbers, texts])]);
  const store = await storeOf(bytes);
  const getRange = store.getRange.bind(store);
  let flipped = false;
  store.getRange = async (...args) => {
    const range = await getRange(...args);
    if (flipped) range[0]! ^= 1;
    return range;
  };
  return {
    store,
    size: bytes.byteLength,
    flip: () => {
      flipped = true;
    },
  };
}

async function readNumbers(file: ArrowFile, verify: Verify, from = 0, to = numbers.length): Promise<unknown[]> {
  const [data] = await readRows(file, 0, from, to, request(file, { columns: [0], verify }));
  return valuesOf(data!);
}

describe("verify: 'first'", () => {
  test('finds a byte that was flipped before the first read, in whole batches and in parts', async () => {
    for (const [from, to] of [
      [0, 64],
      [3, 5],
    ] as const) {
      const { store, size, flip } = await flippingStore();
      const file = await ArrowFile.open(store, path, size);
      flip();
      const error = await refusal(readNumbers(file, 'first', from, to));
      expect(error.code).toBe('corrupt_file');
      expect(error.details['file']).toBe(`${store.uri}/${path}`);
      expect(error.message).toContain("column 'n' of batch 0");
    }
  });

  test('checks a buffer once in a process, however often the file is opened through one cache', async () => {
    const { store, size, flip } = await flippingStore();
    const files = new FileCache();
    expect(await readNumbers(await files.open(store, path, size), 'first')).toEqual(numbers);
    flip();
    const again = await files.open(store, path, size);
    expect((await readNumbers(again, 'first')).slice(0, 2)).toEqual([1, 1]);
    expect(await readNumbers(again, 'first', 2, 4)).toEqual([3, 3]);
  });

  test('still checks the buffers that no read has checked', async () => {
    const { store, size, flip } = await flippingStore();
    const file = await ArrowFile.open(store, path, size);
    await readNumbers(file, 'first');
    flip();
    const error = await refusal(readRows(file, 0, 0, 64, request(file, { columns: [1] })));
    expect(error.message).toContain("column 't' of batch 0");
  });

  test('checks again what a failed read could not', async () => {
    const { store, size, flip } = await flippingStore();
    const file = await ArrowFile.open(store, path, size);
    flip();
    await refusal(readNumbers(file, 'first'));
    expect((await refusal(readNumbers(file, 'first'))).code).toBe('corrupt_file');
  });
});

test("verify: 'always' finds a byte that was flipped after the first read", async () => {
  const { store, size, flip } = await flippingStore();
  const file = await ArrowFile.open(store, path, size);
  expect(await readNumbers(file, 'always')).toEqual(numbers);
  flip();
  expect((await refusal(readNumbers(file, 'always'))).code).toBe('corrupt_file');
  expect((await refusal(readNumbers(file, 'always', 2, 4))).code).toBe('corrupt_file');
});

test("verify: 'never' hands out what it reads, and vouches for nothing", async () => {
  const { store, size, flip } = await flippingStore();
  const file = await ArrowFile.open(store, path, size);
  flip();
  expect((await readNumbers(file, 'never')).slice(0, 2)).toEqual([1, 1]);
  expect((await refusal(readNumbers(file, 'first'))).code).toBe('corrupt_file');
});

test('a cache opens a file again that could not be opened', async () => {
  const { store, size } = await flippingStore();
  const files = new FileCache();
  expect((await refusal(files.open(store, path, size + 1))).code).toBe('corrupt_file');
  expect(await readNumbers(await files.open(store, path, size), 'first')).toEqual(numbers);
  expect(await files.open(store, path, size)).toBe(await files.open(store, path, size));
});

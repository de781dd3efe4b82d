import type { DataType } from 'apache-arrow';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { plainRowBytes } from '../../src/arrow/layout.js';
import { toSchema } from '../../src/arrow/schema.js';
import { parseType } from '../../src/arrow/words.js';
import { ArrowFile } from '../../src/format/arrow-file.js';
import { readRows } from '../../src/format/arrow-read.js';
import { readSpan } from '../../src/format/arrow-span.js';
import { type ReadsNow, readNow } from '../../src/storage/read-now.js';
import { faultStore } from '../../src/testing/fault-store.js';
import { arbValue, arbWords, expectSameValues } from '../arrow/arbitrary.js';
import { lawRuns } from '../laws.js';
import {
  allValues,
  arbSource,
  batchOf,
  fileBytes,
  openedFile,
  path,
  refusal,
  request,
  type Source,
  storeOf,
  valuesOf,
} from './stored-file.js';

const isPlain = (type: DataType): boolean => plainRowBytes(type) !== undefined;

/** Batches of columns of plain values, few of which are null. */
const arbPlain: fc.Arbitrary<Pick<Source, 'schema' | 'batches'>> = fc
  .array(
    arbWords(1).filter((words) => isPlain(parseType(words))),
    { minLength: 1, maxLength: 4 },
  )
  .chain((types) => {
    const schema = toSchema(
      types.map((type, at) => [`c${at}`, type] as const),
      'the test',
    );
    const whole = (type: DataType): fc.Arbitrary<unknown> =>
      arbValue(type).filter((value) => value !== null && value !== undefined && !hasNull(value));
    const rows = fc.integer({ min: 0, max: 20 }).chain((length) => {
      const cells = { minLength: length, maxLength: length };
      return fc.tuple(
        ...schema.fields.map(({ type }) =>
          fc.oneof({ weight: 15, arbitrary: fc.array(whole(type), cells) }, fc.array(arbValue(type), cells)),
        ),
      );
    });
    return fc
      .array(rows, { minLength: 1, maxLength: 4 })
      .map((drawn) => ({ schema, batches: drawn.map((columns) => batchOf(schema, columns)) }));
  });

const hasNull = (value: unknown): boolean =>
  Array.isArray(value) && value.some((one) => one === null || one === undefined);

test('several batches that are read as one are what they are one by one, or are refused', async () => {
  let joined = 0;
  const property = fc.asyncProperty(
    fc.oneof(arbPlain, arbSource()),
    fc.constantFrom('first', 'always', 'never'),
    fc.nat(3),
    fc.nat(3),
    async ({ schema, batches }, verify, a, b) => {
      const file = await openedFile(schema, batches);
      const [from, to] = [Math.min(a, b, batches.length), Math.min(Math.max(a, b) + 1, batches.length)];
      if (from === to) return;
      // In another order than they are stored, and one of them twice.
      const columns = [...schema.fields.keys(), 0].reverse();
      const counters = { bytes: 0, requests: 0 };
      const read = await readSpan(file, from, to, request(file, { columns, verify, counters }));
      if (read === undefined) {
        expect(counters.requests).toBe(0);
        return;
      }
      joined++;
      expect(schema.fields.every(({ type }) => isPlain(type))).toBe(true);
      const values = await allValues(file);
      for (const [at, column] of columns.entries()) {
        expectSameValues(valuesOf(read[at]!), values[column]!.slice(from, to).flat());
      }
    },
  );
  await fc.assert(property, { numRuns: lawRuns(200, 4000) });
  expect(joined).toBeGreaterThan(40);
});

const schema = toSchema({ n: 'int32', vec: 'fixed_size_list<float32>[2]', text: 'utf8', far: 'int64' }, 'the test');
const rows = 2000;
const batches = [0, 1, 2].map((batch) => {
  const ids = Array.from({ length: rows }, (_, row) => batch * rows + row);
  const texts = ids.map((id) => `${id} `.repeat(40));
  return batchOf(schema, [ids, ids.map((id) => Float32Array.of(id, -id)), texts, ids.map(BigInt)]);
});

test('what a store reads at once, in this turn and later ones, and what it leaves, make the same rows', async () => {
  const narrow = toSchema({ n: 'int32' }, 'the test');
  const ids = Array.from({ length: 30 }, (_, batch) => Array.from({ length: 50 }, (_, row) => batch * 50 + row));
  const { bytes } = await fileBytes(
    narrow,
    ids.map((own) => batchOf(narrow, [own])),
  );
  const property = fc.asyncProperty(fc.array(fc.nat(6), { maxLength: 12 }), async (counts) => {
    const store = faultStore(await storeOf(bytes));
    const seen: number[] = [];
    const quick: ReadsNow = {
      [readNow]: (_, ranges) => {
        const read = Math.min(counts[seen.length] ?? 0, ranges.length);
        for (const { offset, into } of ranges.slice(0, read)) into.set(bytes.subarray(offset, offset + into.length));
        seen.push(read);
        return read;
      },
    };
    const file = await ArrowFile.open(Object.assign(store, quick), path, bytes.byteLength);
    const counters = { bytes: 0, requests: 0 };
    const before = store.operations;
    const read = await readSpan(file, 0, 30, request(file, { counters }));
    expect(read?.map(valuesOf)).toEqual([ids.flat()]);
    expect(counters).toEqual({ bytes: 30 * 50 * 4, requests: 30 });
    expect(store.operations - before).toBe(30 - seen.reduce((sum, one) => sum + one, 0));
  });
  await fc.assert(property, { numRuns: lawRuns(50, 1000) });
});

test('neighbours are read together, and what was verified so is not verified again', async () => {
  const file = await openedFile(schema, batches);
  const counters = { bytes: 0, requests: 0 };
  const columns = [3, 1, 0];
  const owned: ArrayBuffer[] = [];
  const read = await readSpan(file, 0, 3, { ...request(file, { columns, counters }), owned });
  expect(read?.map(({ length }) => length)).toEqual([3 * rows, 3 * rows, 3 * rows]);
  expect(counters.requests).toBe(6);
  // What lies between two that are read together is padding.
  const { bytes } = counters;
  expect(bytes - 3 * rows * (8 + 8 + 4)).toBeLessThan(3 * 64);
  expect(owned.map(({ byteLength }) => byteLength)).toEqual([3 * rows * (8 + 8 + 4)]);
  // A part of a batch is read by itself where nothing is left to verify.
  await readRows(file, 1, 10, 20, request(file, { columns: [0], counters }));
  expect(counters.bytes - bytes).toBe(40);
});

test('text, nulls, compression and memory that is given are left to others', async () => {
  const file = await openedFile(schema, batches);
  expect(await readSpan(file, 0, 3, request(file))).toBeUndefined();
  const memory = { allocate: (bytes: number) => new Uint8Array(bytes) } as never;
  expect(await readSpan(file, 0, 3, { ...request(file, { columns: [0] }), memory })).toBeUndefined();
  const packed = await openedFile(schema, batches, 'zstd');
  expect(await readSpan(packed, 0, 3, request(packed, { columns: [0] }))).toBeUndefined();
  const one = toSchema({ n: 'int32' }, 'the test');
  const holed = await openedFile(one, [batchOf(one, [[1, 2]]), batchOf(one, [[3, null]])]);
  expect(await readSpan(holed, 0, 2, request(holed))).toBeUndefined();
  expect((await readSpan(holed, 0, 1, request(holed)))?.map(valuesOf)).toEqual([[1, 2]]);
});

test('a byte that is flipped is found, and named by its column and batch', async () => {
  const { bytes } = await fileBytes(schema, batches);
  const clean = await ArrowFile.open(await storeOf(bytes), path, bytes.byteLength);
  const { bodyOffset, offsets } = clean.index.batches[1]!;
  for (const column of [0, 1, 3]) {
    const damaged = bytes.slice();
    const { buffer, buffers } = clean.places[column]!;
    damaged[bodyOffset + offsets[buffer + buffers - 1]! + 5]! ^= 16;
    const file = await ArrowFile.open(await storeOf(damaged), path, damaged.byteLength);
    const error = await refusal(readSpan(file, 0, 3, request(file, { columns: [0, 1, 3] })));
    expect(error.code).toBe('corrupt_file');
    expect(error.message).toContain(`column '${schema.fields[column]!.name}' of batch 1`);
  }
});

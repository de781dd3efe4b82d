import { Dictionary, Field, Int8, Schema, Utf8 } from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { batchSources, gatherBatch } from '../../src/arrow/gather.js';
import { allRanges } from '../../src/arrow/ranges.js';
import { toSchema } from '../../src/arrow/schema.js';
import { ArrowFile } from '../../src/format/arrow-file.js';
import { ArrowFileWriter } from '../../src/format/arrow-writer.js';
import { compressions } from '../../src/format/codec.js';
import { lawRuns } from '../laws.js';
import { allValues, arbSource, batchOf, fileBytes, openedFile, path, refusal, storeOf } from './stored-file.js';

const schema = toSchema({ n: 'int32', t: 'utf8' }, 'the test');
const batch = batchOf(schema, [[1], ['a']]);

describe('the writer', () => {
  test.each([
    [
      'another type',
      toSchema({ n: 'int64', t: 'utf8' }, 'the test'),
      /column 0 .* 'n' of type Int64 and 1 rows, found Int32/,
    ],
    [
      'a column more',
      toSchema({ n: 'int32', t: 'utf8', more: 'int8' }, 'the test'),
      /column 2 .* 'more' .* found none/,
    ],
    ['a column less', toSchema({ n: 'int32' }, 'the test'), /column 1 .* to be absent, found Utf8/],
  ])('refuses a batch where its schema has %s', async (_, wanted, message) => {
    const error = await refusal(fileBytes(wanted, [batch]));
    expect(error.code).toBe('type_mismatch');
    expect(error.message).toMatch(message);
  });

  test('refuses a dictionary below the top of a column', async () => {
    const inner = toSchema({ l: 'list<dictionary<int8, utf8>>' }, 'the test');
    const error = await refusal(ArrowFileWriter.create(inner));
    expect([error.code, error.details['column']]).toEqual(['unsupported_type', 'l']);
  });

  test('refuses a column named like the mark of its checksum', async () => {
    const marked = new Schema([new Field('spiral.footer:crc32=', new Int8(), true)]);
    expect((await refusal(fileBytes(marked, []))).code).toBe('invalid_schema');
  });

  test('refuses more values in all dictionaries of a column than its index counts', async () => {
    const words = toSchema({ w: 'dictionary<int8, utf8>' }, 'the test');
    const distinct = (from: number): string[] => Array.from({ length: 100 }, (_, at) => `word ${from + at}`);
    const parts = [batchOf(words, [distinct(0)]), batchOf(words, [distinct(100)])];
    expect((await refusal(fileBytes(words, parts))).code).toBe('limit_exceeded');
    const shared = [batchOf(words, [distinct(0)]), batchOf(words, [distinct(20).slice(0, 80)])];
    expect((await allValues(await openedFile(words, shared)))[0]).toEqual([distinct(0), distinct(20).slice(0, 80)]);
  });

  test('keeps two dictionaries apart that came with one id', async () => {
    const type = new Dictionary(new Utf8(), new Int8(), 7);
    const twins = new Schema([new Field('a', type, true), new Field('b', type, true)]);
    const file = await openedFile(twins, [
      batchOf(twins, [
        ['x', 'y'],
        ['y', 'z'],
      ]),
    ]);
    expect(await allValues(file)).toEqual([[['x', 'y']], [['y', 'z']]]);
  });

  test('keeps metadata and nullability of a schema, and a file says nothing of its own index', async () => {
    const own = new Schema(
      [new Field('n', new Int8(), false, new Map([['unit', 'm']]))],
      new Map([['made by', 'the test']]),
    );
    const file = await openedFile(own, [batchOf(own, [[1]])]);
    expect(file.schema.metadata).toEqual(own.metadata);
    expect(file.schema.fields[0]!.nullable).toBe(false);
    expect(file.schema.fields[0]!.metadata).toEqual(new Map([['unit', 'm']]));
    const again = await openedFile(file.schema, [batchOf(file.schema, [[2]])]);
    expect(await allValues(again)).toEqual([[[2]]]);
  });
});

test('a batch of parts makes the very file that one batch of their rows makes', async () => {
  await fc.assert(
    fc.asyncProperty(arbSource(), fc.constantFrom(...compressions), async (source, compression) => {
      const parts = source.batches;
      fc.pre(parts.length > 1);
      const columns = batchSources(source.schema, parts);
      const whole = gatherBatch(source.schema, columns, allRanges(parts.map(({ numRows }) => numRows)));
      const [joined, plain] = await Promise.all(
        [parts, [whole]].map(async (batches) => {
          const writer = await ArrowFileWriter.create(source.schema, compression);
          const chunks = [...writer.start(), ...writer.batch(...batches)];
          return Buffer.concat([...chunks, ...writer.finish().chunks]);
        }),
      );
      expect(joined!.equals(plain!)).toBe(true);
    }),
    { numRuns: lawRuns(60, 5000) },
  );
});

test('parts of text, binary and vectors without nulls are stored from where they lie', async () => {
  const large = toSchema(
    { t: 'utf8', l: 'large_utf8', b: 'binary', v: 'fixed_size_list<float32>[3]', n: 'int16' },
    'the test',
  );
  const long = 'x'.repeat(40);
  const parts = [
    batchOf(large, [
      ['b', `${long}b`],
      ['', 'ü'],
      [Uint8Array.of(255), Uint8Array.of(0)],
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      [1, 2],
    ]),
    batchOf(large, [
      ['', `${long}a`, 'c'].slice(1),
      [long, long],
      [Uint8Array.of(), Uint8Array.of(9)],
      [
        [7, 8, 9],
        [0, 0, 0],
      ],
      [3, 4],
    ]).slice(1),
    batchOf(large, [['zz'], ['a'], [new Uint8Array(33).fill(255)], [[1, 1, 1]], [5]]),
  ];
  const columns = batchSources(large, parts);
  const whole = gatherBatch(large, columns, allRanges(parts.map(({ numRows }) => numRows)));
  for (const compression of compressions) {
    const [joined, plain] = await Promise.all(
      [parts, [whole]].map(async (batches) => {
        const writer = await ArrowFileWriter.create(large, compression);
        return [...writer.start(), ...writer.batch(...batches), ...writer.finish().chunks];
      }),
    );
    expect(Buffer.concat(joined!).equals(Buffer.concat(plain!))).toBe(true);
    if (compression !== 'none') continue;
    const stored = new Set(joined!.map(({ buffer }) => buffer));
    for (const part of parts) {
      for (const column of [0, 1, 2]) expect(stored.has(part.data.children[column]!.values.buffer)).toBe(true);
      expect(stored.has(part.data.children[3]!.children[0]!.values.buffer)).toBe(true);
    }
  }
});

test("a dictionary is verified also with verify: 'never', as all readers share it", async () => {
  const words = toSchema({ w: 'dictionary<int8, utf8>' }, 'the test');
  const { bytes } = await fileBytes(words, [batchOf(words, [['red', 'green']])]);
  const at = Buffer.from(bytes).indexOf('redgreen');
  bytes[at]! ^= 1;
  const file = await ArrowFile.open(await storeOf(bytes), path, bytes.length);
  const error = await refusal(allValues(file, 'never'));
  expect(error.message).toContain("the dictionary of column 'w'");
});

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { CompressionType, compressionRegistry, RecordBatchReader, tableFromIPC } from 'apache-arrow';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { toSchema } from '../../src/arrow/schema.js';
import { type Compression, codecFor, compressions } from '../../src/format/codec.js';
import { decompressFrame } from '../../src/format/lz4-frame.js';
import { readyZstd } from '../../src/format/zstd-once.js';
import { expectSameValues } from '../arrow/arbitrary.js';
import { lawRuns } from '../laws.js';
import { everyBuffer } from './every-buffer.js';
import { arbSource, batchOf, fileBytes, type Source, valuesOf } from './stored-file.js';

/** Teaches apache-arrow a compression, from libraries that know no sizes beforehand. */
async function register(): Promise<void> {
  const lz4 = await import('lz4-napi');
  const zstd = await import('@bokuweb/zstd-wasm');
  await readyZstd(zstd);
  compressionRegistry.set(CompressionType.LZ4_FRAME, {
    encode: (bytes) => lz4.compressFrameSync(Buffer.from(bytes)),
    decode: (bytes) => lz4.decompressFrameSync(Buffer.from(bytes)),
  });
  compressionRegistry.set(CompressionType.ZSTD, {
    encode: (bytes) => zstd.compress(bytes),
    decode: (bytes) => zstd.decompress(bytes),
  });
}

/** What apache-arrow reads of the file with `source`: `[column][batch][row]`. */
async function readByArrow({ schema, batches }: Source, compression: Compression): Promise<unknown[][][]> {
  const { bytes } = await fileBytes(schema, batches, compression);
  // Of a file without batches it makes one without columns.
  const read = [...RecordBatchReader.from(bytes)].slice(0, batches.length);
  expect(tableFromIPC(bytes).numRows).toBe(batches.reduce((sum, batch) => sum + batch.numRows, 0));
  return schema.fields.map((_, column) => read.map((batch) => valuesOf(batch.data.children[column]!)));
}

describe('apache-arrow', () => {
  beforeAll(register);

  test.each(compressions)('reads a file with compression %s', async (compression) => {
    const source = everyBuffer();
    expectSameValues(await readByArrow(source, compression), source.values);
  });

  test('reads files of every type', async () => {
    await fc.assert(
      fc.asyncProperty(arbSource(), async (source) => {
        expectSameValues(await readByArrow(source, 'none'), source.values);
      }),
      { numRuns: lawRuns(150, 3000) },
    );
  });
});

/** What is used of nodejs-polars. */
interface Polars {
  readIPC(bytes: Buffer): { toRecords(): Record<string, unknown>[] };
  DataFrame(columns: Record<string, unknown[]>): { writeIPC(options: { compression: string }): Buffer };
}

/**
 * nodejs-polars as the benchmarks install it, in `bench/node_modules`, or in the folder that SPIRAL_BENCH_MODULES names;
 * undefined where it is in neither.
 */
function loadPolars(): Polars | undefined {
  const own = fileURLToPath(new URL('../../bench/node_modules', import.meta.url));
  try {
    return createRequire(`${process.env['SPIRAL_BENCH_MODULES'] ?? own}/`)('nodejs-polars') as Polars;
  } catch {
    return undefined;
  }
}

const polars = loadPolars();
const why = polars === undefined ? ' (skipped: no nodejs-polars, see SPIRAL_BENCH_MODULES in this file)' : '';

describe.skipIf(polars === undefined)(`polars${why}`, () => {
  const schema = toSchema(
    {
      id: 'int64',
      label: 'int32',
      small: 'uint8',
      x: 'float32',
      y: 'float64',
      flag: 'bool',
      text: 'utf8',
      long: 'large_utf8',
      word: 'dictionary<uint32, utf8>',
      list: 'list<int32>',
      inner: 'struct<{a: int32, b: utf8}>',
    },
    'the test',
  );

  const rowOf = (row: number): unknown[] =>
    row % 5 === 4
      ? schema.fields.map(() => null)
      : [
          row * 3,
          row - 7,
          row % 256,
          row / 4,
          row / 3,
          row % 2 === 0,
          `text ${row}`.repeat(row % 4),
          `long ${row}`,
          ['red', 'green', 'blue'][row % 3],
          Array.from({ length: row % 3 }, (_, at) => at + row),
          { a: row, b: `${row}` },
        ];

  test.each(compressions)('reads a file with compression %s', async (compression) => {
    const parts = [Array.from({ length: 3000 }, (_, row) => rowOf(row)), [rowOf(9), rowOf(3)]];
    const batches = parts.map((rows) =>
      batchOf(
        schema,
        schema.fields.map((_, at) => rows.map((row) => row[at])),
      ),
    );
    const { bytes } = await fileBytes(schema, batches, compression);
    const read = polars!.readIPC(Buffer.from(bytes)).toRecords();
    const expected = parts
      .flat()
      .map((row) => Object.fromEntries(schema.fields.map(({ name }, at) => [name, row[at]])));
    const plain = (rows: readonly Record<string, unknown>[]): unknown[] =>
      rows.map((row) => ({
        ...row,
        id: row['id'] === null ? null : Number(row['id']),
        // polars gives a null struct as a struct of nulls.
        inner: row['inner'] ?? { a: null, b: null },
      }));
    expect(plain(read)).toEqual(plain(expected));
  });

  test('writes LZ4 frames of linked blocks, which our decoder reads', async () => {
    const lz4 = await import('lz4-napi');
    const values = Array.from({ length: 100_000 }, (_, row) => row ^ (row >> 3));
    const file = polars!.DataFrame({ n: values }).writeIPC({ compression: 'lz4' });
    const at = file.indexOf(Buffer.of(0x04, 0x22, 0x4d, 0x18));
    const linked = (file[at + 4]! & 32) === 0;
    const size = Number(file.readBigInt64LE(at - 8));
    const [{ offset, length }] = framesOf(file, at);
    const read = decompressFrame(file.subarray(offset, offset + length), size, lz4.uncompressSync);
    expect(linked).toBe(true);
    expect([...new Float64Array(read.buffer)]).toEqual(values);
  });
});

/** The frame at `at` of `file`, by its blocks (each with a checksum, and the frame with one, as polars writes them). */
function framesOf(file: Buffer, at: number): [{ offset: number; length: number }] {
  let end = at + 7;
  for (;;) {
    const length = file.readUInt32LE(end) & 0x7fff_ffff;
    end += 4;
    if (length === 0) return [{ offset: at, length: end + 4 - at }];
    end += length + 4;
  }
}

test('a codec gives back what it compressed, and refuses every other size', async () => {
  for (const compression of ['lz4', 'zstd'] as const) {
    const codec = await codecFor(compression);
    await fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), fc.integer({ min: 1, max: 400 }), (piece, times) => {
        const bytes = new Uint8Array(Buffer.concat(Array(times).fill(piece)));
        const packed = codec.compress(bytes);
        expect(Buffer.compare(codec.decompress(packed, bytes.length), bytes)).toBe(0);
        for (const size of [0, bytes.length - 1, bytes.length + 1, 2 * bytes.length + 7, 2 ** 40]) {
          expect(() => codec.decompress(packed, size)).toThrow(/compressed with/);
        }
        expect(() => codec.decompress(packed.subarray(0, -1), bytes.length)).toThrow(/compressed with/);
      }),
      { numRuns: lawRuns(60, 2000) },
    );
  }
});

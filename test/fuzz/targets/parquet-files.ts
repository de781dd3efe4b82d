import { brotliCompressSync, gzipSync } from 'node:zlib';
import type { RecordBatch } from 'apache-arrow';
import type { CompressionCodec } from 'hyparquet';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { compressSync } from 'lz4-napi';
import { type Codec, codecFor } from '../../../src/format/codec.js';
import { encodedFile } from '../../../src/format/file-encoder.js';
import { ParquetEncoder } from '../../../src/format/parquet-encoder.js';
import { parquetFormat } from '../../../src/format/parquet-file.js';
import { byteInputs, type FuzzTarget, type OpenTarget } from '../fuzz-target.js';
import { mutateBytes, pick } from '../mutate-bytes.js';
import { readFile, seedBatch } from './seed-rows.js';

async function* these(batches: readonly RecordBatch[]): AsyncGenerator<RecordBatch> {
  yield* batches;
}

async function parquetOf(batches: readonly RecordBatch[]): Promise<Uint8Array> {
  const encoder = await ParquetEncoder.create(batches[0]!.schema);
  const pieces: Uint8Array[] = [];
  for await (const piece of encodedFile(encoder, these(batches))) pieces.push(piece);
  return new Uint8Array(Buffer.concat(pieces));
}

const compressors: Readonly<Record<string, (page: Uint8Array) => Uint8Array>> = {
  GZIP: (page) => gzipSync(page),
  BROTLI: (page) => brotliCompressSync(page),
  LZ4_RAW: (page) => lz4Block(page),
  LZ4: (page) => hadoopBlock(page),
};

/** Without the size that the library sets before it. */
const lz4Block = (page: Uint8Array): Uint8Array => new Uint8Array(compressSync(Buffer.from(page))).slice(4);

function hadoopBlock(page: Uint8Array): Uint8Array {
  const block = lz4Block(page);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(page.length, 0);
  head.writeUInt32BE(block.length, 4);
  return new Uint8Array(Buffer.concat([head, block]));
}

/** A file with every encoding, its pages compressed by `codec`. */
function encoded(codec: CompressionCodec, zstd: Codec): Uint8Array {
  const numbers = Array.from({ length: 20 }, (_, row) => row * row - 50);
  const texts = numbers.map((number) => `text ${number % 7}`);
  const file = parquetWriteBuffer({
    codec,
    compressors: { ...compressors, ZSTD: (page) => zstd.compress(page) },
    pageSize: 60,
    columnData: [
      { name: 'plain', type: 'INT32', data: numbers, encoding: 'PLAIN' },
      { name: 'packed', type: 'INT32', data: numbers, encoding: 'DELTA_BINARY_PACKED' },
      { name: 'wide', type: 'INT64', data: numbers.map(BigInt), encoding: 'DELTA_BINARY_PACKED' },
      { name: 'split', type: 'DOUBLE', data: numbers.map((number) => number / 3), encoding: 'BYTE_STREAM_SPLIT' },
      { name: 'lengths', type: 'STRING', data: texts, encoding: 'DELTA_LENGTH_BYTE_ARRAY' },
      { name: 'prefixes', type: 'STRING', data: texts, encoding: 'DELTA_BYTE_ARRAY' },
      { name: 'coded', type: 'STRING', data: texts.map((text, at) => (at % 4 === 0 ? null : text)), nullable: true },
      { name: 'flag', type: 'BOOLEAN', data: numbers.map((number) => number % 2 === 0), encoding: 'RLE' },
    ],
  });
  return new Uint8Array(file);
}

async function open(): Promise<OpenTarget> {
  const zstd = await codecFor('zstd');
  const seeds = [
    ...(['GZIP', 'BROTLI', 'LZ4_RAW', 'LZ4', 'ZSTD', 'UNCOMPRESSED'] as const).map((codec) => encoded(codec, zstd)),
    await parquetOf([seedBatch(0, 9), seedBatch(9, 12, false)]),
    await parquetOf([seedBatch(0, 40, true, ['n', 'text', 'word', 'flag'])]),
    await parquetOf([seedBatch(0, 12, true, ['list', 'inner', 'pair', 'texts'])]),
  ];
  const whole = byteInputs(seeds, (bytes) => readFile(parquetFormat, { 'data.parquet': bytes }));
  return {
    ...whole,
    input: (draw) => {
      const kind = draw.below(3);
      if (kind === 0) return whole.input(draw);
      const seed = pick(seeds, draw);
      const length = Buffer.from(seed).readUInt32LE(seed.length - 8);
      const end = seed.length - 8 - length;
      const [pages, footer] = [seed.subarray(0, end), seed.slice(end, seed.length - 8)];
      // Pages keep their places, so that the footer goes on to find them; the footer may be of any length.
      const body = new Uint8Array(end);
      body.set(kind === 1 ? mutateBytes(pages, draw).subarray(0, end) : pages);
      const tail = kind === 2 ? mutateBytes(footer, draw) : footer;
      const size = Buffer.alloc(4);
      size.writeUInt32LE(tail.length);
      return new Uint8Array(Buffer.concat([body, tail, size, Buffer.from('PAR1')]));
    },
  };
}

export const parquetTargets: readonly FuzzTarget[] = [{ name: 'parquet file', ci: 120, long: 60_000, open }];

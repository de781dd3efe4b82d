import { openStore } from '../../../src/storage/open-store.js';
import { CSVWriter } from '../../../src/streaming/writing/csv-writer.js';
import { JSONWriter } from '../../../src/streaming/writing/json-writer.js';
import { MDSWriter } from '../../../src/streaming/writing/mds-writer.js';
import type { SampleWriter } from '../../../src/streaming/writing/sample-writer.js';

/** The files of a data set by their paths, the index first. */
export type WrittenFiles = Readonly<Record<string, Uint8Array>>;

interface Choices {
  readonly hashes: readonly string[];
  readonly compression?: string;
}

let number = 0;

async function written(
  make: (out: string) => SampleWriter,
  samples: readonly Readonly<Record<string, unknown>>[],
): Promise<WrittenFiles> {
  const out = `memory://fuzz-set-${number++}`;
  const writer = make(out);
  for (const sample of samples) await writer.write(sample);
  await writer.finish();
  const store = openStore(out);
  const files: Record<string, Uint8Array> = { 'index.json': await store.get('index.json') };
  for await (const { path } of store.list('')) files[path] = await store.get(path);
  for (const path of Object.keys(files)) await store.delete(path);
  return files;
}

const rows = Array.from({ length: 9 }, (_, row) => row);

/** A value of every kind of encoding, over two shards. */
export function mdsWriter({ hashes, compression }: Choices): Promise<WrittenFiles> {
  const columns = {
    id: 'int',
    text: 'str',
    blob: 'bytes',
    half: 'float16',
    shown: 'str_float',
    any: 'ndarray',
    some: 'ndarray:int16',
    all: 'ndarray:uint8:2,3',
    image: 'pil',
    images: 'list[pil]',
    parts: 'list[jpeg]',
  };
  const image = (row: number): object => ({
    width: 2,
    height: row + 1,
    mode: 'L',
    pixels: new Uint8Array(2 * (row + 1)),
  });
  const jpeg = Uint8Array.of(0xff, 0xd8, 0xff, 0xd9);
  const samples = rows.map((row) => ({
    id: BigInt(row),
    text: 'ab'.repeat(row),
    blob: Uint8Array.of(row, 255),
    half: row / 2,
    shown: row / 4,
    any: { shape: [(row % 3) + 1], data: Int32Array.from({ length: (row % 3) + 1 }, (_, at) => at) },
    some: { shape: [2, 1], data: Int16Array.of(row, -row) },
    all: Uint8Array.of(1, 2, 3, 4, 5, row),
    image: image(row),
    images: row % 2 === 0 ? [image(1), image(0)] : [],
    parts: [jpeg, jpeg],
  }));
  const zipped = compression === undefined ? {} : { compression };
  return written((out) => new MDSWriter({ out, columns, hashes: [...hashes], sizeLimit: 1500, ...zipped }), samples);
}

const textRows = rows.map((row) => ({ id: BigInt(row), text: `été ${row}`, score: row / 3 }));
const textColumns = { id: 'int', text: 'str', score: 'float' };

export function jsonWriter({ hashes, compression }: Choices): Promise<WrittenFiles> {
  const zipped = compression === undefined ? {} : { compression };
  return written(
    (out) => new JSONWriter({ out, columns: textColumns, hashes: [...hashes], sizeLimit: 300, ...zipped }),
    textRows,
  );
}

export function csvWriter({ hashes, compression }: Choices): Promise<WrittenFiles> {
  const zipped = compression === undefined ? {} : { compression };
  return written(
    (out) => new CSVWriter({ out, columns: textColumns, hashes: [...hashes], sizeLimit: 300, ...zipped }),
    textRows,
  );
}

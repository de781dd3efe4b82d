import { readdirSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import {
  Field,
  FixedSizeList,
  Float32,
  Int32,
  Int64,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  tableToIPC,
  Utf8,
} from 'apache-arrow';
import { importPeer } from '../peers.js';
import { type DataSet, dataFolder, makeTable } from './data-set.js';
import { numbersFrom } from './numbers.js';

/** {id int64, vec float32[16], text of 153 to 253 bytes, label int32}: 283 bytes a row with the offset of its text. */
export const wideRows: DataSet = {
  name: 'wide',
  make: async (scale) => {
    await makeTable('wide', wideBatches(scale.rows(wideRowCount), BigInt));
    await makePeerFiles();
    await makeLance(wideBatches(scale.rows(wideRowCount), BigInt));
  },
};

/** Rows of the whole data set. */
export const wideRowCount = 1_000_000;
/** Bytes of a row on average. */
export const wideRowBytes = 283;

/** The data files of the table. */
export function wideFiles(): string[] {
  const tables = `${dataFolder}wide/tables/`;
  return readdirSync(tables).flatMap((table) =>
    readdirSync(`${tables}${table}/data`).map((file) => `${tables}${table}/data/${file}`),
  );
}

/** The same rows as one Parquet file, not compressed, which all its readers read fastest. */
export const wideParquet: string = `${dataFolder}wide.parquet`;

/** The same rows as the one table of a database of LanceDB's, in the same order. */
export const wideLance: string = `${dataFolder}wide-lance`;

/** The same Arrow files once more, with the ending that polars wants. */
export function wideIpcFiles(): string[] {
  return readdirSync(dataFolder)
    .filter((file) => file.endsWith('.ipc'))
    .map((file) => `${dataFolder}${file}`);
}

const batchRows = 50_000;
const vec = new FixedSizeList(16, new Field('item', new Float32(), true));
const schema = new Schema([
  new Field('id', new Int64(), true),
  new Field('vec', vec, true),
  new Field('text', new Utf8(), true),
  new Field('label', new Int32(), true),
]);

/** Rows of the data set, with ids of their own. */
export function* wideBatches(rows: number, idOf: (row: number) => bigint): Generator<RecordBatch> {
  const next = numbersFrom(1);
  const prose = proseOf(next);
  for (let from = 0; from < rows; from += batchRows) {
    const ids = BigInt64Array.from({ length: Math.min(batchRows, rows - from) }, (_, row) => idOf(from + row));
    yield batch(ids, prose, next);
  }
}

function batch(ids: BigInt64Array<ArrayBuffer>, prose: Uint8Array, next: () => number): RecordBatch {
  const rows = ids.length;
  const floats = Float32Array.from({ length: rows * 16 }, () => next() / 2 ** 32);
  const labels = Int32Array.from({ length: rows }, () => next() % 1000);
  const offsets = new Int32Array(rows + 1);
  for (let row = 0; row < rows; row++) offsets[row + 1] = offsets[row]! + 153 + (next() % 101);
  const text = new Uint8Array(offsets[rows]!);
  for (let row = 0; row < rows; row++) {
    const length = offsets[row + 1]! - offsets[row]!;
    const start = next() % (prose.length - length);
    text.set(prose.subarray(start, start + length), offsets[row]!);
  }
  const children = [
    makeData({ type: new Int64(), length: rows, data: ids }),
    makeData({ type: vec, length: rows, child: makeData({ type: new Float32(), length: rows * 16, data: floats }) }),
    makeData({ type: new Utf8(), length: rows, valueOffsets: offsets, data: text }),
    makeData({ type: new Int32(), length: rows, data: labels }),
  ];
  return new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length: rows, children }));
}

/** A megabyte of words from a vocabulary of 4,000. */
function proseOf(next: () => number): Uint8Array {
  const word = (): string =>
    Array.from({ length: 2 + (next() % 9) }, () => String.fromCharCode(97 + (next() % 26))).join('');
  const words = Array.from({ length: 4000 }, word);
  let prose = '';
  while (prose.length < 1 << 20) prose += `${words[next() % words.length]} `;
  return new TextEncoder().encode(prose);
}

interface Frame {
  writeParquet(path: string, options: { compression: string }): void;
}

/** What is used of `@lancedb/lancedb`. */
export interface LanceDb {
  connect(path: string): Promise<{
    createTable(name: string, rows: Table): Promise<LanceTable>;
    openTable(name: string): Promise<LanceTable>;
  }>;
}

interface LanceTable {
  takeOffsets(offsets: number[]): { toArrow(): Promise<Table> };
}

/** Left out where LanceDB is not installed. */
async function makeLance(batches: Iterable<RecordBatch>): Promise<void> {
  let lance: LanceDb;
  try {
    lance = await importPeer('@lancedb/lancedb');
  } catch {
    return;
  }
  // It knows Arrow tables by the classes of the CommonJS build, which it loads.
  const { tableFromIPC } = createRequire(import.meta.url)('apache-arrow') as { tableFromIPC(bytes: Uint8Array): Table };
  const rows = tableFromIPC(tableToIPC(new Table([...batches]), 'stream'));
  // In one write, as of each it makes a fragment.
  await (await lance.connect(wideLance)).createTable('wide', rows);
}

/** Left out where polars is not installed; the sides that want the files then say so. */
async function makePeerFiles(): Promise<void> {
  let polars: { default: { readIPC(path: string): Frame; concat(frames: Frame[]): Frame } };
  try {
    polars = await importPeer('nodejs-polars');
  } catch {
    return;
  }
  const files = wideFiles();
  await Promise.all(files.map((file, at) => copyFile(file, `${dataFolder}wide-${at}.ipc`)));
  const frames = wideIpcFiles().map((file) => polars.default.readIPC(file));
  const all = frames.length === 1 ? frames[0]! : polars.default.concat(frames);
  all.writeParquet(wideParquet, { compression: 'uncompressed' });
}

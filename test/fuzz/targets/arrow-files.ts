import { RecordBatchFileWriter, Table } from 'apache-arrow';
import { Footer } from 'apache-arrow/ipc/metadata/file';
import { Packr } from 'msgpackr';
import { checksum } from '../../../src/arrow/checksum.js';
import { ArrowFile } from '../../../src/format/arrow-file.js';
import { footerChecksumPlace } from '../../../src/format/arrow-index.js';
import { readPicked } from '../../../src/format/arrow-pick.js';
import { readRows } from '../../../src/format/arrow-read.js';
import { ArrowFileWriter } from '../../../src/format/arrow-writer.js';
import { type Compression, compressions } from '../../../src/format/codec.js';
import { ipcFormat } from '../../../src/format/ipc-file.js';
import { memoryStore } from '../../../src/storage/memory-store.js';
import { withIndexText } from '../../format/forged-file.js';
import { byteInputs, expectSame, type FuzzTarget, type OpenTarget } from '../fuzz-target.js';
import { mutateBytes, pick } from '../mutate-bytes.js';
import { mutateValue, type Plain } from '../mutate-value.js';
import { readFile, seedBatch, valuesOf } from './seed-rows.js';

const path = 'data.arrow';
const packr = new Packr({ useRecords: false });

/** Few columns a file: what is small is hit often, and read quickly. */
const columnSets = [
  ['n', 'text', 'word'],
  ['list', 'inner', 'flag'],
  ['wide', 'bytes', 'pair', 'money'],
] as const;

function ownFiles(): Promise<Uint8Array[]> {
  return Promise.all(compressions.flatMap((compression) => columnSets.map((names) => ownFile(compression, names))));
}

async function ownFile(compression: Compression, columns: readonly string[]): Promise<Uint8Array> {
  const batches = [seedBatch(0, 9, true, columns), seedBatch(9, 14, false, columns)];
  const writer = await ArrowFileWriter.create(batches[0]!.schema, compression);
  const chunks = [...writer.start(), ...batches.flatMap((batch) => writer.batch(batch))];
  return new Uint8Array(Buffer.concat([...chunks, ...writer.finish().chunks]));
}

/** Rows as a scan reads them: a part, picked ones, then all. */
async function readOwn(bytes: Uint8Array, verify: 'first' | 'never'): Promise<unknown[][] & { name: string }> {
  const store = memoryStore();
  await store.put(path, bytes);
  const file = await ArrowFile.open(store, path, bytes.length);
  const columns = Array.from(file.schema.fields.keys());
  const found: unknown[][] = columns.map(() => []);
  for (const [batch, { rows }] of file.index.batches.entries()) {
    const parts = [
      rows > 3 ? await readRows(file, batch, 1, 3, { columns, verify }) : [],
      rows > 3 ? await readPicked(file, batch, Int32Array.of(0, rows - 1), { columns, verify }) : [],
      await readRows(file, batch, 0, rows, { columns, verify }),
      rows > 3 ? await readRows(file, batch, 1, 3, { columns, verify }) : [],
    ];
    for (const part of parts) for (const [column, data] of part.entries()) found[column]!.push(valuesOf(data));
  }
  return Object.assign(found, { name: file.schema.fields[0]!.name });
}

/** Damage anywhere: rows as they were, or an error. */
async function openRaw(): Promise<OpenTarget> {
  const seeds = await ownFiles();
  const rows = new Map<string, unknown>();
  for (const seed of seeds) {
    const read = await readOwn(seed, 'first');
    rows.set(read.name, read);
  }
  const parse = async (bytes: Uint8Array): Promise<void> => {
    const found = await readOwn(bytes, 'first');
    expectSame(found, rows.get(found.name), 'a row');
  };
  return { ...byteInputs(seeds, parse), input: (draw) => mutateBytes(pick(seeds, draw), draw) };
}

/** Damage in the footer and in the index within it, their checksum mended; buffers are not verified. */
async function openSealed(): Promise<OpenTarget> {
  const seeds = await ownFiles();
  return {
    seeds,
    parse: (bytes) => readOwn(bytes, 'never'),
    input: (draw) => {
      const seed = pick(seeds, draw);
      switch (draw.below(4)) {
        case 3:
          return withIndexText(seed, (text) => {
            const index = packr.unpack(Buffer.from(text, 'base64')) as Plain;
            return packr.pack(mutateValue(index, draw)).toString('base64');
          });
        case 0:
          return withIndexText(seed, (text) =>
            Buffer.from(mutateBytes(Buffer.from(text, 'base64'), draw)).toString('base64'),
          );
        case 1:
          return sealed(seed, (footer) => mutateBytes(footer, draw));
        default: {
          // The batches alone: the footer tells of them as they were.
          const end = seed.length - 10 - footerLength(seed);
          const damaged = mutateBytes(seed.subarray(0, end), draw);
          const body = new Uint8Array(end);
          body.set(damaged.subarray(0, end));
          return new Uint8Array(Buffer.concat([body, seed.subarray(end)]));
        }
      }
    },
  };
}

const footerLength = (bytes: Uint8Array): number => Buffer.from(bytes).readInt32LE(bytes.length - 10);

/** `bytes` with another footer, its length and checksum mended as far as it has one. */
function sealed(bytes: Uint8Array, change: (footer: Uint8Array) => Uint8Array): Uint8Array {
  const length = footerLength(bytes);
  const footer = change(bytes.slice(bytes.length - 10 - length, bytes.length - 10));
  const at = footerChecksumPlace(footer);
  if (at >= 0 && at + 8 <= footer.length) {
    footer.fill(0x30, at, at + 8);
    footer.set(Buffer.from(checksum(footer).toString(16).padStart(8, '0')), at);
  }
  const size = Buffer.alloc(4);
  size.writeInt32LE(footer.length);
  return new Uint8Array(
    Buffer.concat([bytes.subarray(0, bytes.length - 10 - length), footer, size, Buffer.from('ARROW1')]),
  );
}

/** The file without what only this package writes, and so read as one of others. */
function foreign(bytes: Uint8Array): Uint8Array {
  return sealed(bytes, (footer) => {
    const read = Footer.decode(footer);
    read.schema.metadata.clear();
    return Footer.encode(read).slice();
  });
}

async function openForeign(): Promise<OpenTarget> {
  const own = await ownFiles();
  const seeds = [...own.map(foreign), await RecordBatchFileWriter.writeAll(new Table(seedBatch(0, 8))).toUint8Array()];
  const parse = (bytes: Uint8Array): Promise<unknown> => readFile(ipcFormat, { [path]: bytes });
  const whole = byteInputs(seeds, parse);
  return {
    ...whole,
    input: (draw) => {
      if (draw.below(2) === 0) return whole.input(draw);
      return sealed(pick(seeds, draw), (footer) => mutateBytes(footer, draw));
    },
  };
}

export const arrowTargets: readonly FuzzTarget[] = [
  { name: 'table file', ci: 60, long: 30_000, open: openRaw },
  { name: 'table file, checksums mended', ci: 60, long: 40_000, open: openSealed },
  { name: 'arrow file of others', ci: 100, long: 40_000, open: openForeign },
];

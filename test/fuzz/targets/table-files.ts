import { Packr } from 'msgpackr';
import { checksum } from '../../../src/arrow/checksum.js';
import { batchRows } from '../../../src/arrow/rows.js';
import { readIndexRecord } from '../../../src/client/index-record.js';
import { Scan } from '../../../src/client/scan.js';
import type { Table } from '../../../src/client/table.js';
import { SpiralError } from '../../../src/core/errors.js';
import { scanRecipe } from '../../../src/scan/recipe.js';
import { versionRows } from '../../../src/scan/version-rows.js';
import { memoryStore } from '../../../src/storage/memory-store.js';
import type { ObjectStore } from '../../../src/storage/store.js';
import { compactTable } from '../../../src/table/compact.js';
import { inspectTable } from '../../../src/table/inspect.js';
import { keyText } from '../../../src/table/key-values.js';
import type { TableStoreOptions } from '../../../src/table/table-store.js';
import { vacuumTable } from '../../../src/table/vacuum.js';
import { WarehouseOver, withProject } from '../../client/warehouse-over.js';
import { expectSame, type FuzzTarget, type OpenTarget } from '../fuzz-target.js';
import { mutateBytes, pick } from '../mutate-bytes.js';
import { mutateValue, type Plain } from '../mutate-value.js';

/** A warehouse whose tables have a checkpoint every three commits. */
class FuzzWarehouse extends WarehouseOver {
  override get tableOptions(): TableStoreOptions {
    return { author: 'tester', checkpointEvery: 3 };
  }
}

/** A table with a file of every kind: log, hint, checkpoints, one kept by vacuum, tags, floor, an index with its ranges. */
async function filled(): Promise<Map<string, Uint8Array>> {
  const store = await withProject(memoryStore(), 'p');
  const warehouse = new FuzzWarehouse(store);
  const project = warehouse.project('p');
  const table = await project.createTable('t', { keySchema: { id: 'int32', part: 'utf8' } });
  const opened = await warehouse.openTable(table.id);
  const row = (id: number): object => ({ id, part: `p${id % 2}`, text: `row ${id}`, s: { x: id / 2 } });
  await table.write([1, 2, 3].map(row));
  await table.tag('first');
  await table.write([2, 3, 4].map(row));
  await table.deleteKeys({ id: [3], part: ['p1'] });
  await compactTable(opened, { rows: (version) => versionRows(opened, version), targetBytes: 2 ** 27 });
  await vacuumTable(opened, { retainMs: 0, graceMs: -1000 });
  await table.write([5, 6].map(row), { compression: 'lz4' });
  await table.tag('second');
  await table.dropColumns(['s.x']);
  const index = await project.createKeySpaceIndex('i', 2, table, { where: table.col('id').gte(2) });
  await index.sync();
  const files = new Map<string, Uint8Array>();
  for await (const { path } of store.list('')) files.set(path, await store.get(path));
  return files;
}

async function storeOf(files: ReadonlyMap<string, Uint8Array>): Promise<ObjectStore> {
  const store = memoryStore();
  for (const [path, bytes] of files) await store.put(path, bytes);
  return store;
}

/** All that can be read of what is stored: rows of every version, tags, history, facts, the ranges of the index. */
async function everything(store: ObjectStore): Promise<unknown> {
  const warehouse = new FuzzWarehouse(store);
  const project = warehouse.project('p');
  const table = await project.table('t');
  const opened = await warehouse.openTable(table.id);
  const { version, fragments, keys } = await opened.latest();
  const types = keys.map(({ type }) => type);
  const tags = await table.tags();
  const seen: unknown[] = [version, tags.map((tag) => [tag.name, tag.version, tag.time])];
  for (const of of [version, ...tags.map((tag) => tag.version)]) seen.push(await rowsAt(warehouse, table, of));
  seen.push((await table.history()).map(({ version: of, time, operations }) => [of, time, operations]));
  seen.push(
    fragments.map(({ keyMin, keyMax, batchKeys }) => [keyMin, keyMax, ...batchKeys].map((key) => keyText(key, types))),
  );
  // It counts files that may be lost as well.
  await inspectTable(opened);
  const index = await project.keySpaceIndex('i');
  for (const shard of await index.shards()) {
    const { begin, end } = shard.keyRange;
    seen.push([shard.cardinality, shard.segments, begin, end]);
  }
  return seen;
}

async function rowsAt(warehouse: WarehouseOver, table: Table, version: number): Promise<unknown[]> {
  const scan = await warehouse.openScan(scanRecipe([{ table: table.id, version }], table.node));
  const rows: unknown[] = [];
  for await (const batch of new Scan(scan, { batchReadahead: 2 }).toRecordBatches({ hideProgressBar: true })) {
    rows.push(...batchRows(batch));
  }
  return rows;
}

/** An input is the number of a file, and what stands in it instead. */
function withFile(file: number, bytes: Uint8Array): Uint8Array {
  return new Uint8Array(Buffer.concat([Uint8Array.of(file), bytes]));
}

function changed(files: ReadonlyMap<string, Uint8Array>, input: Uint8Array): Map<string, Uint8Array> {
  const paths = [...files.keys()];
  return new Map(files).set(paths[(input[0] ?? 0) % paths.length]!, input.slice(1));
}

/** Checkpoints and hints may be lost: they spare work, so what is read without them is the same. */
async function openRaw(): Promise<OpenTarget> {
  const files = await filled();
  const contents = [...files.values()];
  const expected = await everything(await storeOf(files));
  return {
    seeds: [withFile(0, contents[0]!)],
    parse: async (input) =>
      expectSame(await everything(await storeOf(changed(files, input))), expected, 'what is stored'),
    input: (draw) => {
      const file = draw.below(contents.length);
      return withFile(file, mutateBytes(contents[file]!, draw, pick(contents, draw)));
    },
  };
}

const packr = new Packr({ useRecords: false, int64AsType: 'bigint' });
const headerBytes = 12;

/** A metadata file with another body and a checksum that holds. */
function framed(bytes: Uint8Array, body: Uint8Array): Uint8Array {
  const whole = new Uint8Array(Buffer.concat([bytes.subarray(0, headerBytes), body]));
  const view = new DataView(whole.buffer);
  view.setUint32(8, checksum(body, checksum(whole.subarray(0, 8))), true);
  return whole;
}

/** Damage that is well formed, in every kind of file that tells of others. Data files are fuzzed by themselves. */
async function openSealed(): Promise<OpenTarget> {
  const files = await filled();
  const contents = [...files.values()];
  const frames = contents.flatMap((bytes, file) =>
    Buffer.from(bytes).toString('latin1', 0, 3) === 'SPL' ? [file] : [],
  );
  const texts = contents.flatMap((bytes, file) => (bytes[0] === 0x7b ? [file] : []));
  if (frames.length < 8 || texts.length < 2) throw new Error('Some kind of file is missing.');
  const bodies = new Map(frames.map((file) => [file, packr.unpack(contents[file]!.subarray(headerBytes)) as Plain]));
  const values = [...bodies.values()];
  return {
    seeds: frames.map((file) => withFile(file, contents[file]!)),
    parse: async (input) => everything(await storeOf(changed(files, input))),
    input: (draw) => {
      if (draw.below(8) === 0) {
        const file = pick(texts, draw);
        const value = JSON.parse(Buffer.from(contents[file]!).toString()) as Plain;
        return withFile(file, Buffer.from(JSON.stringify(mutateValue(value, draw))));
      }
      const file = pick(frames, draw);
      const bytes = contents[file]!;
      const body =
        draw.below(3) === 0
          ? mutateBytes(bytes.subarray(headerBytes), draw)
          : packr.pack(mutateValue(bodies.get(file)!, draw, pick(values, draw)));
      return withFile(file, framed(bytes, body));
    },
  };
}

/** The record of an index, whose expressions are JSON in text. */
async function openIndexRecord(): Promise<OpenTarget> {
  const files = await filled();
  const [path, bytes] = [...files].find(([name]) => name.startsWith('indexes/') && name.endsWith('/index'))!;
  const [, id] = path.split('/') as [string, string];
  const record = packr.unpack(bytes.subarray(headerBytes)) as { projection: string; where: string };
  const nodes = [record.projection, record.where].map((text) => JSON.parse(text) as Plain);
  return {
    seeds: [bytes],
    parse: async (input) => {
      const read = await readIndexRecord(await storeOf(new Map([[path, input]])), id);
      if (read.id !== id) throw new SpiralError('internal', 'Another index.');
    },
    input: (draw) => {
      const node = JSON.stringify(mutateValue(pick(nodes, draw), draw, pick(nodes, draw)));
      const changedRecord = draw.below(2) === 0 ? { ...record, projection: node } : { ...record, where: node };
      return framed(bytes, packr.pack(changedRecord));
    },
  };
}

export const tableTargets: readonly FuzzTarget[] = [
  { name: 'files of a table', ci: 6, long: 1_000, open: openRaw },
  { name: 'files of a table, checksums mended', ci: 8, long: 2_000, open: openSealed },
  { name: 'record of an index', ci: 60, long: 20_000, open: openIndexRecord },
];

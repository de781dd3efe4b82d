import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Scan } from '../../src/client/scan.js';
import type { Spiral } from '../../src/client/spiral.js';
import type { Table } from '../../src/client/table.js';
import { ArrowFile } from '../../src/format/arrow-file.js';
import { columnBytes } from '../../src/format/arrow-pick.js';
import { fileStore } from '../../src/storage/file-store.js';
import { newTable, refusal, spiralAt } from '../client/spiral-at.js';
import { temporaryFolder } from '../storage/temporary-folder.js';

const [writes, rowsOfWrite, batchRows] = [4, 5000, 500];
const rowsInAll = writes * rowsOfWrite;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let table: Table;
let writer: Spiral;

/** Four writes of 5,000 rows in batches of 500: `at` grows with the key, `any` does not, `text` has 300 bytes a row. */
beforeAll(async () => {
  folder = await temporaryFolder();
  writer = spiralAt(folder.path);
  table = await newTable(writer);
  for (let write = 0; write < writes; write++) {
    const ids = Array.from({ length: rowsOfWrite }, (_, at) => write * rowsOfWrite + at);
    await table.write(
      {
        id: BigInt64Array.from(ids, BigInt),
        at: Int32Array.from(ids, (id) => id * 10),
        any: Int32Array.from(ids, (id) => (id * 7919) % 1000),
        text: ids.map((id) => `${id} `.padEnd(300, 'x')),
      },
      { batchRows },
    );
  }
});
afterAll(async () => {
  await writer.close();
  await folder[Symbol.asyncDispose]();
});

async function opened(verify: 'first' | 'never' = 'first'): Promise<{ spiral: Spiral; own: Table }> {
  const spiral = spiralAt(folder.path, { verify });
  return { spiral, own: await spiral.table(table.id) };
}

const filesOf = async (): Promise<ArrowFile[]> => {
  const { fragments } = await table.inspect();
  const store = fileStore(join(folder.path, 'tables', table.id));
  return Promise.all(fragments.map(({ files }) => ArrowFile.open(store, files[0]!.path)));
};

/** Bytes that the buffers of columns of batches take, where a batch is number `at` of the whole table. */
async function bytesOf(names: readonly string[], batches: readonly number[]): Promise<number> {
  const files = await filesOf();
  let bytes = 0;
  for (const at of batches) {
    const file = files[Math.floor(at / (rowsOfWrite / batchRows))]!;
    for (const name of names) {
      const column = file.schema.fields.findIndex((field) => field.name === name);
      bytes += columnBytes(file, at % (rowsOfWrite / batchRows), column);
    }
  }
  return bytes;
}

describe('a filter', () => {
  it('on what grows with the key reads hardly more than the batches of the rows that it keeps, and opens no other file by key', async () => {
    const { spiral, own } = await opened();
    // One row in a hundred, of batches 24 to 24.
    const [from, to] = [12_050, 12_250];
    const scan = await spiral.scan(own, {
      where: own
        .col('at')
        .gte(from * 10)
        .and(own.col('at').lt(to * 10)),
    });
    expect(await scan.toRows()).toHaveLength(to - from);
    const least = await bytesOf(['id', 'at', 'any', 'text'], [24]);
    expect(scan.metrics.bytes).toBeLessThanOrEqual(1.2 * least);
    expect(scan.metrics).toMatchObject({ rows: 200, batchesPruned: 39, filesOpened: 4, filesPruned: 0 });
    const byKey = await spiral.scan(own, {
      where: own
        .col('id')
        .gte(BigInt(from))
        .and(own.col('id').lt(BigInt(to))),
    });
    expect(await byKey.toRows()).toHaveLength(to - from);
    expect(byKey.metrics).toMatchObject({ rows: 200, batchesPruned: 39, filesOpened: 1, filesPruned: 3 });
    await spiral.close();
  });

  it('reads of verified batches only the ranges of the rows that it keeps', async () => {
    const { spiral, own } = await opened('never');
    const [from, to] = [12_050, 12_250];
    const where = own
      .col('at')
      .gte(from * 10)
      .and(own.col('at').lt(to * 10));
    const scan = await spiral.scan(own.select('text'), { where });
    expect(await scan.toRows()).toHaveLength(to - from);
    const filter = await bytesOf(['at'], [24]);
    const least = filter + (to - from) * 304;
    expect(scan.metrics.bytes).toBeLessThanOrEqual(1.2 * least);
    const few = await spiral.scan(own.select('text'), { where: own.col('id').in([12_001n, 12_490n]) });
    expect(await few.toRows()).toHaveLength(2);
    // Both rows of a batch, 150 KB apart: two ranges of each buffer, not all between.
    expect(few.metrics.bytes).toBeLessThan((await bytesOf(['id', 'text'], [24])) / 4);
    await spiral.close();
  });

  it('on what does not grow with the key reads its column first, others where rows survive', async () => {
    const { spiral, own } = await opened();
    // Zone maps hold 0 to 999 for every batch; one row in 4,000 survives.
    const where = own.col('any').eq(7).and(own.col('at').lt(10_000));
    const scan = await spiral.scan(own.select('text'), { where });
    const rows = await scan.toRows();
    expect(rows.map(({ text }) => Number.parseInt(text as string, 10))).toEqual(
      Array.from({ length: 1000 }, (_, id) => id).filter((id) => (id * 7919) % 1000 === 7),
    );
    expect(scan.metrics.bytes).toBeLessThan(await bytesOf(['any', 'at', 'text'], [0, 1]));
    await spiral.close();
  });

  it('reads no column of its own where statistics tell that every row survives', async () => {
    const { spiral, own } = await opened();
    const scan = await spiral.scan(own.select('id'), { where: own.col('at').gte(0) });
    expect(await scan.toRows()).toHaveLength(rowsInAll);
    const all = Array.from({ length: rowsInAll / batchRows }, (_, at) => at);
    expect(scan.metrics.bytes).toBeLessThanOrEqual((await bytesOf(['id'], all)) + 64 * all.length);
    await spiral.close();
  });

  it('of which nothing can survive reads nothing, and by key knows it', async () => {
    const { spiral, own } = await opened();
    const byKey = await spiral.scan(own, { where: own.col('id').gt(1_000_000n) });
    expect(await byKey.isEmpty()).toBe(true);
    expect(await byKey.toRows()).toEqual([]);
    expect(byKey.metrics).toMatchObject({ bytes: 0, filesOpened: 0, filesPruned: 4 });
    const other = await spiral.scan(own, { where: own.col('at').lt(0) });
    expect(await other.isEmpty()).toBe(false);
    expect(await other.toRows()).toEqual([]);
    expect(other.metrics).toMatchObject({ bytes: 0, rows: 0, batches: 0, batchesPruned: 40 });
    const never = await spiral.scan(own, { where: own.col('at').isNull() });
    expect(await never.toRows()).toEqual([]);
    expect(never.metrics.bytes).toBe(0);
    await spiral.close();
  });

  it('fails where a damaged batch has rows that survive, however few of them are asked for, and nowhere else', async () => {
    const [file] = await filesOf();
    const column = file!.schema.fields.findIndex(({ name }) => name === 'text');
    const batch = file!.index.batches[1]!;
    const { buffer, buffers } = file!.places[column]!;
    const place = join(folder.path, 'tables', table.id, file!.path);
    const good = await readFile(place);
    const bad = Buffer.from(good);
    bad[batch.bodyOffset + batch.offsets[buffer + buffers - 1]! + 10]! ^= 0x40;
    await writeFile(place, bad);
    try {
      const { spiral, own } = await opened();
      const read = (scan: Scan): Promise<unknown> => scan.toRows();
      const beside = own.col('id').lt(500n).or(own.col('id').gte(1000n));
      expect(await read(await spiral.scan(own, { where: beside }))).toHaveLength(rowsInAll - 500);
      const one = await spiral.scan(own, { where: own.col('id').eq(700n) });
      expect(await refusal(read(one))).toMatchObject({ code: 'corrupt_file', details: { column: 'text' } });
      // None of these rows survives, but one of their batch does: reading them is to fail as reading that one does.
      const source = await one.openSource();
      const [shard] = source.shards;
      const block = source.readBlock(shard!, 900, 1000, new AbortController().signal);
      expect(await refusal(block)).toMatchObject({ code: 'corrupt_file' });
      await spiral.close();
    } finally {
      await writeFile(place, good);
    }
  });
});

describe('a projection', () => {
  it('of one column of a hundred reads at most two hundredths of the file', async () => {
    await using folder = await temporaryFolder();
    await using spiral = spiralAt(folder.path);
    const wide = await newTable(spiral);
    const column = (at: number): Int32Array => Int32Array.from({ length: 20_000 }, (_, row) => row * at);
    const columns = Object.fromEntries(Array.from({ length: 99 }, (_, at) => [`c${at}`, column(at)]));
    await wide.write({ id: BigInt64Array.from({ length: 20_000 }, (_, row) => BigInt(row)), ...columns });
    const scan = await spiral.scan(wide.select('c42'));
    expect(await scan.toRows()).toHaveLength(20_000);
    const [file] = (await wide.inspect()).fragments[0]!.files;
    expect(scan.metrics.bytes).toBeLessThanOrEqual(0.02 * file!.bytes);
  });
});

describe('explain', () => {
  it('tells what a filter rules out, and the bytes that reading then takes', async () => {
    const { spiral, own } = await opened();
    const where = own.col('id').gte(12_050n).and(own.col('at').lt(122_500));
    const scan = await spiral.scan(own.select('text'), { where });
    const text = await scan.explain();
    expect(scan.metrics.bytes).toBe(0);
    await scan.toRows();
    const line = (name: string): string =>
      text
        .split('\n')
        .find((one) => one.startsWith(name))!
        .slice(13);
    expect(line('rows')).toBe('20,000 in 4 parts, 0 of them merged');
    expect(line('files')).toBe('4 files, 2 ruled out by keys');
    expect(line('batches')).toBe('40 record batches and pieces, 24 ruled out by keys, 15 ruled out by statistics');
    expect(line('reads first')).toBe('id, at');
    const [filter, others] = [await bytesOf(['id', 'at'], [24]), await bytesOf(['text'], [24])];
    const figures = [filter, others].map((bytes) => bytes.toLocaleString('en-US'));
    expect(line('bytes')).toBe(`${figures[0]} for the filter, at most ${figures[1]} for the rows that survive`);
    expect(scan.metrics.bytes).toBeGreaterThan(filter);
    expect(scan.metrics.bytes).toBeLessThanOrEqual(1.05 * (filter + others));
    const plain = await (await spiral.scan(own.select('at'))).explain();
    expect(plain).not.toContain('filter');
    expect(plain).toContain('40 record batches and pieces');
    await spiral.close();
  });
});

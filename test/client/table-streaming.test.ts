import { existsSync, readdirSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { recordBatch } from '../../src/arrow/record-batch.js';
import { batchRows } from '../../src/arrow/rows.js';
import type { KeySpaceIndex } from '../../src/client/key-space-index.js';
import type { Spiral } from '../../src/client/spiral.js';
import type { Table, TableStreamOptions } from '../../src/client/table.js';
import { SpiralError } from '../../src/core/errors.js';
import { type SharedStream, SpiralStream } from '../../src/streaming/table/spiral-stream.js';
import { expectSameValues } from '../arrow/arbitrary.js';
import { lawRuns } from '../laws.js';
import { arbPredicate } from '../scan/predicates.js';
import { arbSteps, predicateColumns, tableOf } from '../scan/random-table.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { newTable, refusal, spiralAt } from './spiral-at.js';

type Row = Record<string, unknown>;

const labels = ['cat', 'dog', null];
const rows = (from: number, to: number): Row[] =>
  Array.from({ length: to - from }, (_, at) => {
    const id = from + at;
    return { id: BigInt(id), label: labels[id % 3], box: { x: id / 2, tags: id % 4 === 0 ? null : [`t${id}`] } };
  });

/** A table of 100 rows, and an index over the 67 with a label. */
async function filled(spiral: Spiral): Promise<{ table: Table; index: KeySpaceIndex; expected: Row[] }> {
  const table = await newTable(spiral);
  for (const from of [0, 40, 70]) await table.write(rows(from, Math.min(100, from + 45)), { batchRows: 8 });
  const where = table.col('label').isNotNull();
  const index = await spiral.project('p').createKeySpaceIndex('i', 12, table, { where });
  await index.sync();
  return { table, index, expected: rows(0, 100).filter(({ label }) => label !== null) };
}

async function samples(stream: SpiralStream): Promise<Row[]> {
  const all: Row[] = [];
  for (let at = 0; at < stream.length; at++) all.push(await stream.get(at));
  return all;
}

const shardFiles = (folder: string): string[] => readdirSync(folder).filter((name) => name.startsWith('shard-'));

describe('table.toStreaming', () => {
  it('gives by random access what a scan gives, whatever the table, the index and the blocks (law 25)', () =>
    fc.assert(
      fc.asyncProperty(
        arbSteps,
        fc.option(arbPredicate(predicateColumns), { nil: undefined }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 9 }),
        fc.array(fc.nat(), { minLength: 1, maxLength: 12 }),
        async (steps, predicate, granularity, shardRowBlockSize, picks) => {
          await using spiral = spiralAt();
          const table = await tableOf(spiral, steps);
          const options = predicate === undefined ? {} : { where: predicate.expr(table) };
          const index = await spiral.project('p').createKeySpaceIndex('i', granularity, table, options);
          await index.sync();
          const expected = await (await spiral.scan(table, { ...options, asof: index.asof! })).toRows();
          await using stream = await table.toStreaming(index, { shardRowBlockSize });
          expect(stream.length).toBe(expected.length);
          if (expected.length === 0) return;
          const order = picks.map((pick) => pick % expected.length);
          expectSameValues(
            await Promise.all(order.map((place) => stream.get(place))),
            order.map((place) => expected[place]),
          );
          // Any stretch of any shard, as whoever reads by shards does.
          for (const [shard, size] of stream.shardSizes.entries()) {
            const pinned = await stream.pin(shard);
            const [from, to] = [picks[0]! % size, size];
            const columns = await pinned.read(from, to);
            const given = batchRows(recordBatch(stream.schema, columns, to - from));
            const start = stream.shardSizes.slice(0, shard).reduce((sum, own) => sum + own, 0);
            expectSameValues(given, expected.slice(start + from, start + to));
            pinned.release();
          }
        },
      ),
      { numRuns: lawRuns(12, 1000), endOnFailure: true },
    ));

  it('keeps one Arrow file a shard, in blocks of the size asked for, fetched when first needed', async () => {
    await using spiral = spiralAt();
    await using folder = await temporaryFolder();
    const { table, index, expected } = await filled(spiral);
    await using stream = await table.toStreaming(index, { cacheDir: folder.path, shardRowBlockSize: 5 });
    expect(stream.shardSizes).toEqual((await index.shards()).map(({ cardinality }) => cardinality));
    expect(await stream.size()).toBe(0);
    expect(await stream.get(0)).toEqual(expected[0]);
    expect(await stream.get(-1)).toEqual(expected.at(-1));
    expect(shardFiles(folder.path)).toHaveLength(2);
    const { tableFromIPC } = await import('apache-arrow');
    const file = tableFromIPC(await readFile(join(folder.path, 'shard-00000000.arrow')));
    expect(file.numRows).toBe(stream.shardSizes[0]);
    expect(file.batches.map(({ numRows }) => numRows).slice(0, -1)).toEqual(
      Array.from({ length: file.batches.length - 1 }, () => 5),
    );
    for (const shard of stream.shardSizes.keys()) await stream.prepare(shard);
    expect(shardFiles(folder.path)).toHaveLength(stream.shardSizes.length);
    const size = await stream.size();
    expect(await stream.evict(1)).toBe(true);
    expect(shardFiles(folder.path)).toHaveLength(stream.shardSizes.length - 1);
    expect(await stream.size()).toBeLessThan(size);
    const pinned = await stream.pin(1);
    expect(await stream.evict(1)).toBe(false);
    pinned.release();
    expect(await samples(stream)).toEqual(expected);
  });

  it('is of the version that the index was synced at, with a projection of its own where one is given', async () => {
    await using spiral = spiralAt();
    const { table, index, expected } = await filled(spiral);
    await table.write(rows(100, 200));
    await table.deleteKeys({ id: [1n, 2n, 3n] });
    await table.compact();
    await using plain = await table.toStreaming(index);
    expect(await samples(plain)).toEqual(expected);
    const projection = table.select('id').getitem('id');
    await using stream = await table.toStreaming(index, { projection: { twice: projection.add(projection) } as never });
    expect(stream.schema.names).toEqual(['twice']);
    expect(await samples(stream)).toEqual(expected.map(({ id }) => ({ twice: 2n * (id as bigint) })));
    expect(stream.identity).not.toBe(plain.identity);
    await index.sync();
    await using later = await table.toStreaming(index);
    expect(later.length).toBe(132);
    expect(later.identity).not.toBe(plain.identity);
  });

  it('goes on with the files that are there, mends damaged ones, and replaces those of another version', async () => {
    await using spiral = spiralAt();
    await using folder = await temporaryFolder();
    const { table, index, expected } = await filled(spiral);
    const options: TableStreamOptions = { cacheDir: folder.path };
    const first = await table.toStreaming(index, options);
    expect(await samples(first)).toEqual(expected);
    await first.close();
    await first.close();
    expect(await refusal(first.get(0))).toMatchObject({ code: 'closed' });
    const name = join(folder.path, shardFiles(folder.path)[2]!);
    const bytes = await readFile(name);
    for (const at of [40, Math.floor(bytes.length / 2), bytes.length - 20]) {
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= 0x40;
      await writeFile(name, damaged);
      await using again = await table.toStreaming(index, options);
      expect(await samples(again)).toEqual(expected);
    }
    await writeFile(name, bytes.subarray(0, bytes.length - 5));
    await using mended = await table.toStreaming(index, options);
    expect(await samples(mended)).toEqual(expected);
    await mended.close();
    await table.deleteKeys({ id: [0n] });
    await index.sync();
    await using later = await table.toStreaming(index, options);
    expect(await samples(later)).toEqual(expected.slice(1));
  });

  it('shares a folder with others of the same rows at once, and refuses one in use for other columns', async () => {
    await using spiral = spiralAt();
    await using folder = await temporaryFolder();
    const { table, index, expected } = await filled(spiral);
    const streams = await Promise.all(
      Array.from({ length: 3 }, () => table.toStreaming(index, { cacheDir: folder.path })),
    );
    for (const given of await Promise.all(streams.map(samples))) expect(given).toEqual(expected);
    expect(shardFiles(folder.path)).toHaveLength(streams[0]!.shardSizes.length);
    await using other = await table.toStreaming(index, { cacheDir: folder.path, projection: table.select('id') });
    expect(await refusal(other.get(0))).toMatchObject({ code: 'already_exists' });
    await Promise.all(streams.map((stream) => stream.close()));
    expect(await other.get(0)).toEqual({ id: expected[0]!['id'] });
  });

  it('keeps its files in a private temporary folder of its own, which ends with it', async () => {
    await using spiral = spiralAt();
    const { table, index } = await filled(spiral);
    const [one, two] = [await table.toStreaming(index), await table.toStreaming(index)];
    expect(one.folder).not.toBe(two.folder);
    expect(one.folder.startsWith(tmpdir())).toBe(true);
    await one.get(0);
    expect(existsSync(one.folder)).toBe(true);
    await one.close();
    expect(existsSync(one.folder)).toBe(false);
    expect(existsSync(two.folder)).toBe(true);
    await two.close();
    expect(existsSync(two.folder)).toBe(false);
  });

  it('is opened again from what it shares, with the same folder, which it leaves as it is', async () => {
    await using spiral = spiralAt();
    const { table, index, expected } = await filled(spiral);
    await using stream = await table.toStreaming(index, { shardRowBlockSize: 7 });
    await stream.get(0);
    const { data, ports, close } = stream.share();
    const { port1, port2 } = new MessageChannel();
    port1.postMessage(data, ports as MessagePort[]);
    const crossed = receiveMessageOnPort(port2)!.message as SharedStream;
    const again = await SpiralStream.reopen(crossed);
    expect(again.identity).toBe(stream.identity);
    expect(await samples(again)).toEqual(expected);
    await again.close();
    expect(shardFiles(stream.folder)).toHaveLength(stream.shardSizes.length);
    expect(await samples(stream)).toEqual(expected);
    close();
    port1.close();
  });

  it("refuses an index that was never synced, another table's, one whose version is gone, and options that are none", async () => {
    await using spiral = spiralAt();
    const { table, index } = await filled(spiral);
    const project = spiral.project('p');
    const fresh = await project.createKeySpaceIndex('fresh', 10, table);
    expect(await refusal(table.toStreaming(fresh))).toMatchObject({ code: 'index_not_synced' });
    const other = await project.createTable('other', { keySchema: { id: 'int64' } });
    expect(await refusal(other.toStreaming(index))).toMatchObject({ code: 'invalid_argument' });
    expect(await refusal(table.toStreaming({} as never))).toMatchObject({ code: 'invalid_argument' });
    const codeOf = async (options: object): Promise<string> => (await refusal(table.toStreaming(index, options))).code;
    expect(await codeOf({ projection: other })).toBe('invalid_expression');
    expect(await codeOf({ projection: table.col('id') })).toBe('invalid_expression');
    expect(await codeOf({ projection: table.select('nope') })).toBe('unknown_column');
    expect(await codeOf({ shardRowBlockSize: 0 })).toBe('invalid_size');
    expect(await codeOf({ cacheDir: '' })).toBe('invalid_argument');
    expect(await codeOf({ cacheDir: 'memory://x' })).toBe('invalid_argument');
    expect(await codeOf({ cacheDr: 'x' })).toBe('invalid_argument');
    await using stream = await table.toStreaming(index);
    for (const place of [stream.length, -stream.length - 1, 0.5, '0']) {
      expect(await refusal(stream.get(place as number))).toMatchObject({ code: 'invalid_size' });
    }
    for (const shard of [-1, stream.shardSizes.length, 0.5]) {
      expect(await refusal(stream.prepare(shard))).toMatchObject({ code: 'invalid_size' });
      expect(await refusal(stream.evict(shard))).toMatchObject({ code: 'invalid_size' });
      expect(await refusal(stream.pin(shard))).toMatchObject({ code: 'invalid_size' });
    }
    expect(await refusal(stream.get(0, { signal: AbortSignal.abort() }))).toMatchObject({ code: 'cancelled' });
    expect(await stream.get(0)).toMatchObject({ id: 0n });
    await table.write(rows(0, 95));
    await table.compact();
    await table.vacuum({ retainMs: 0, graceMs: 0 });
    expect(await refusal(table.toStreaming(index))).toMatchObject({ code: 'version_vacuumed' });
    // What is here stays; of what is not, the version is missed.
    expect(await stream.get(1)).toMatchObject({ id: 1n });
    expect(await refusal(stream.get(-1))).toMatchObject({ code: 'version_vacuumed' });
  });

  it('is empty where the index has no rows', async () => {
    await using spiral = spiralAt();
    const { table } = await filled(spiral);
    const none = await spiral.project('p').createKeySpaceIndex('n', 10, table, { where: table.col('id').lt(0n) });
    await none.sync();
    await using stream = await table.toStreaming(none);
    expect([stream.length, stream.shardSizes]).toEqual([0, []]);
    expect(await refusal(stream.get(0))).toBeInstanceOf(SpiralError);
    expect(await stream.size()).toBe(0);
    await rm(stream.folder, { recursive: true, force: true });
  });
});

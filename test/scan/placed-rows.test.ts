import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { batchRows } from '../../src/arrow/rows.js';
import { newestScan } from '../../src/client/newest-scan.js';
import type { Scan } from '../../src/client/scan.js';
import type { Table } from '../../src/client/table.js';
import type { OpenScan } from '../../src/scan/open-scan.js';
import { scanRecipe } from '../../src/scan/recipe.js';
import { shardReads } from '../../src/scan/record-batches.js';
import { Shard } from '../../src/sharding/shard.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import { refusal } from '../client/spiral-at.js';
import { WarehouseOver, withProject } from '../client/warehouse-over.js';

const rows = 4000;

/** Values of many types, nulls among them, for the rows of write number `write`. */
function written(write: number): Record<string, unknown>[] {
  const ids = Array.from({ length: rows }, (_, id) => id).filter((id) => (id * 31 + write * 7) % 4 < 2);
  return ids.map((id) => ({
    id: BigInt(id),
    text: id % 11 === 0 ? null : `${id} ${write} `.repeat(20),
    vector: Float32Array.from({ length: 8 }, (_, at) => id + at),
    flag: (id + write) % 3 === 0,
    tags: id % 5 === 0 ? null : Array.from({ length: id % 4 }, (_, at) => `${at}`),
    place: { x: id, note: write % 2 === 0 ? `n${write}` : null },
    ...(write === 2 ? { late: id } : {}),
  }));
}

describe('rows of overlapping writes that are read first and put together later', () => {
  let warehouse: WarehouseOver;
  let table: Table;
  let scan: OpenScan;

  beforeAll(async () => {
    warehouse = new WarehouseOver(await withProject(memoryStore(), 'p'));
    table = await warehouse.project('p').createTable('t', { keySchema: { id: 'int64' } });
    for (let write = 0; write < 4; write++) await table.write(written(write), { batchRows: 100 });
    await table.deleteKeys(Array.from({ length: 50 }, (_, at) => ({ id: BigInt(at * 13) })));
    const { version } = await (await warehouse.openTable(table.id)).latest();
    scan = await warehouse.openScan(scanRecipe([{ table: table.id, version }], table.node));
  });
  afterAll(() => warehouse.close());

  /** The stretches of the scan that are put together. */
  function* stretches(): Generator<[shard: OpenScan['shards'][number], from: number, to: number]> {
    for (const shard of scan.shards) {
      for (let from = 0; from < shard.physicalRows; ) {
        const to = scan.batchEnd(shard, from);
        yield [shard, from, to];
        from = to;
      }
    }
  }

  const allOf = async (own: Scan): Promise<unknown[]> => own.toRows();

  it('are the rows that are read in one step, all together or in part', async () => {
    let placed = 0;
    for (const [shard, from, to] of stretches()) {
      for (const [begin, end] of [
        [from, to],
        [from + 1, Math.max(from + 1, to - 3)],
      ] as const) {
        const reading = scan.placeRows!(shard, begin, end);
        if (reading === undefined) continue;
        placed++;
        const [given, expected] = [await (await reading).give(), await scan.readRows(shard, begin, end)];
        expect([...batchRows(given.batch)]).toEqual([...batchRows(expected.batch)]);
        expect(given.rows).toBeUndefined();
      }
    }
    expect(placed).toBeGreaterThan(10);
  });

  it('are not given under a filter, and not of several pieces', async () => {
    const [shard] = scan.shards;
    expect(scan.placeRows!(shard!, 0, shard!.physicalRows)).toBeUndefined();
    const filtered = await newestScan(warehouse, table.node, { where: table.col('id').gt(5n).node });
    expect(await allOf(filtered)).toEqual(
      (await allOf(await newestScan(warehouse, table.node))).filter((row) => (row as { id: bigint }).id > 5n),
    );
  });

  it('end with the signal, and can be read again afterwards', async () => {
    const [shard, from, to] = stretches().next().value!;
    const abort = new AbortController();
    const reading = scan.placeRows!(shard, from, to, { signal: abort.signal })!;
    abort.abort();
    expect((await refusal(reading)).code).toBe('cancelled');
    const read = await (await scan.placeRows!(shard, from, to)!).give();
    expect(read.batch.numRows).toBe(to - from);
  });

  it('take no more memory the more often nobody wants them', async () => {
    // What was read and verified once is read in part by a scan that has not kept it, where few rows are wanted.
    for (const [shard, from, to] of stretches()) await scan.readRows(shard, from, to);
    const other = await warehouse.openScan(scan.recipe);
    const shards = scan.shards.map(
      ({ keyRange, segments: [first] }) => new Shard(keyRange, null, [{ ...first!, to: first!.from + 20 }]),
    );
    const { signal } = new AbortController();
    const left = async (times: number): Promise<number> => {
      for (let time = 0; time < times; time++) {
        for (const read of shardReads(other, shards, { signal })) {
          await read.read;
          read.leave();
        }
      }
      return process.memoryUsage().arrayBuffers;
    };
    const before = await left(100);
    // Some 5 KB are read each time.
    expect((await left(2000)) - before).toBeLessThan(5_000_000);
  });

  it('are all there for the next, however often a reader left before, in order or as they come', async () => {
    const own = await newestScan(warehouse, table.node);
    const expected = await allOf(own);
    for (let time = 0; time < 40; time++) {
      const batches = time % 2 === 0 ? own.toRecordBatches() : own.toUnorderedRecordBatches();
      for await (const batch of batches) {
        expect(batch.numRows).toBeGreaterThan(0);
        if (time % 4 < 2) break;
      }
    }
    expect(await allOf(own)).toEqual(expected);
  });
});

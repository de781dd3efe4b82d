import { describe, expect, it } from 'vitest';
import { newestScan } from '../../src/client/newest-scan.js';
import type { Table } from '../../src/client/table.js';
import { toNode } from '../../src/expr/expr.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { WarehouseOver, withProject } from '../client/warehouse-over.js';

/** `store`, and the buffers of 64 KiB and more that its ranges came in. */
function watched(store: ObjectStore): { store: ObjectStore; read: ArrayBuffer[] } {
  const read: ArrayBuffer[] = [];
  const getRange: ObjectStore['getRange'] = async (...args) => {
    const bytes = await store.getRange(...args);
    if (bytes.length >= 64 * 1024) read.push(bytes.buffer as ArrayBuffer);
    return bytes;
  };
  const own = new Proxy(store, {
    get: (target, key) => {
      if (key === 'getRange') return getRange;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { store: own, read };
}

const rows = 20_000;
const ids = Int32Array.from({ length: rows }, (_, id) => id);

async function filled(store: ObjectStore): Promise<{ warehouse: WarehouseOver; table: Table }> {
  const warehouse = new WarehouseOver(await withProject(store, 'p'));
  const table = await warehouse.project('p').createTable('t', { keySchema: { id: 'int32' } });
  await table.write({
    id: ids,
    a: Float64Array.from(ids, (id) => id / 2),
    text: Array.from(ids, (id) => (id % 7 === 0 ? null : `row ${id}`)),
  });
  return { warehouse, table };
}

const expected = (id: number): Record<string, unknown> => {
  return { id, a: id / 2, text: id % 7 === 0 ? null : `row ${id}` };
};

describe('what a scan read', () => {
  it('is moved out of the buffers that its promises came with, and the same when it is read again', async () => {
    const { store, read } = watched(memoryStore());
    const { warehouse, table } = await filled(store);
    for (let pass = 0; pass < 2; pass++) {
      const scan = await newestScan(warehouse, table.node);
      const found = await scan.toRows();
      expect(found).toEqual(Array.from(ids, expected));
    }
    expect(read.length).toBeGreaterThan(4);
    expect(read.filter(({ byteLength }) => byteLength > 0)).toEqual([]);
  });

  it('is its reader’s alone where several read at once, in order or not', async () => {
    const { warehouse, table } = await filled(memoryStore());
    const scan = await newestScan(warehouse, table.node);
    const readers = [scan.toRecordBatches(), scan.toUnorderedRecordBatches(), scan.toRecordBatches()];
    const found = await Promise.all(
      readers.map(async (reader) => {
        const held = [];
        for await (const batch of reader) held.push(batch);
        return held.flatMap((batch) => batch.toArray().map((row) => row!['id'] as number));
      }),
    );
    for (const own of found) expect(own.sort((a, b) => a - b)).toEqual([...ids]);
  });

  it('is there in every column that is made of it, and under a filter that leaves all or some', async () => {
    const { warehouse, table } = await filled(memoryStore());
    const twice = {
      first: table.col('a'),
      again: table.col('a'),
      more: { text: table.col('text'), a: table.col('a') },
    };
    for (const where of [undefined, table.col('a').gte(0), table.col('id').modulo(2).eq(1)]) {
      const scan = await newestScan(warehouse, toNode(twice), { where: where && toNode(where) });
      const found = await scan.toRows();
      const kept = [...ids].filter((id) => where === undefined || where.toString().includes('>=') || id % 2 === 1);
      expect(found).toEqual(
        kept.map((id) => ({ first: id / 2, again: id / 2, more: { text: expected(id)['text'], a: id / 2 } })),
      );
    }
  });

  it('is still merged with what was written over it, and compacted', async () => {
    const { warehouse, table } = await filled(memoryStore());
    const odd = ids.filter((id) => id % 2 === 1);
    await table.write({ id: odd, a: Float64Array.from(odd, (id) => -id) });
    const merged = Array.from(ids, (id) => (id % 2 === 1 ? { ...expected(id), a: -id } : expected(id)));
    expect(await warehouse.rows(table)).toEqual(merged);
    await table.compact();
    expect(await warehouse.rows(table)).toEqual(merged);
  });
});

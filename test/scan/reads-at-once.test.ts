import { expect, it } from 'vitest';
import { newestScan } from '../../src/client/newest-scan.js';
import { partReadsMax } from '../../src/core/limits.js';
import { SpiralDataLoader } from '../../src/loader/data-loader.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { faultStore } from '../../src/testing/fault-store.js';
import { WarehouseOver, withProject } from '../client/warehouse-over.js';

/** `store`, with the most ranges that were asked of it at once. */
function watched(store: ObjectStore): { store: ObjectStore; most: () => number } {
  let [now, most] = [0, 0];
  const getRange: ObjectStore['getRange'] = async (...args) => {
    most = Math.max(most, ++now);
    try {
      return await store.getRange(...args);
    } finally {
      now--;
    }
  };
  const own = new Proxy(store, {
    get: (target, key) => {
      if (key === 'getRange') return getRange;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return { store: own, most: () => most };
}

it('a window of many pieces, each of many files, is not read all at once', async () => {
  const rows = 2000;
  const base = await withProject(memoryStore(), 'p');
  const table = await new WarehouseOver(base).project('p').createTable('t', { keySchema: { id: 'int32' } });
  // Each write touches rows throughout, so that every piece is made of all of them.
  for (let write = 0; write < 30; write++) {
    const ids = Int32Array.from({ length: rows }, (_, id) => id).filter((id) => (id * 7 + write) % 30 < 3);
    await table.write({ id: ids, a: ids.map((id) => id + write), b: Array.from(ids, (id) => `${id} ${write}`) });
  }
  const { store, most } = watched(faultStore(base, { delayMsMax: 1, keepLog: false }));
  const warehouse = new WarehouseOver(store);
  const watchedTable = await warehouse.project('p').table('t');
  // What was read and verified once is read in small parts the second time.
  for (let pass = 0; pass < 2; pass++) {
    const scan = await newestScan(warehouse, watchedTable.node);
    await using loader = new SpiralDataLoader(scan, { batchSize: 50, shuffleChunkRows: 20, feeder: false });
    let found = 0;
    for await (const batch of loader) found += batch.numRows;
    expect(found).toBe(rows);
  }
  // A piece has three columns here, and text two buffers.
  expect(most()).toBeLessThanOrEqual(4 * partReadsMax);
  expect(most()).toBeGreaterThan(partReadsMax / 4);
});

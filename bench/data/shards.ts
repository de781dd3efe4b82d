import { type DataSet, warehouse } from './data-set.js';

/** {id int64, value int32} in `count` record batches of `shardRows` rows, each of which is read as a shard of its own. */
export function shardsData(count: number): DataSet {
  const name = `shards-${count}`;
  return {
    name,
    make: async () => {
      await using spiral = warehouse(name);
      const table = await (await spiral.createProject('bench')).createTable(name, { keySchema: { id: 'int64' } });
      await table.write(rowsFrom(0, count * shardRows), { batchRows: shardRows });
    },
  };
}

/** {id int64, value int32} in `count` files, written one after the other. */
export function filesData(count: number): DataSet {
  const name = `files-${count}`;
  return {
    name,
    make: async () => {
      await using spiral = warehouse(name);
      const table = await (await spiral.createProject('bench')).createTable(name, { keySchema: { id: 'int64' } });
      for (let file = 0; file < count; file++) await table.write(rowsFrom(file * shardRows, shardRows));
    },
  };
}

/** As many as the first batch has, so that one shard is enough for it. */
const shardRows = 32;

function rowsFrom(start: number, rows: number): { id: BigInt64Array; value: Int32Array } {
  const id = BigInt64Array.from({ length: rows }, (_, row) => BigInt(start + row));
  return { id, value: Int32Array.from({ length: rows }, (_, row) => start + row) };
}

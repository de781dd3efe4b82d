import type { RecordBatch } from 'apache-arrow';
import { partitionBytesMax } from '../core/limits.js';
import { FileCache } from '../format/file-cache.js';
import type { TableStore } from '../table/table-store.js';
import type { TableVersion } from '../table/version.js';
import { openScan } from './open-scan.js';
import { scanRecipe } from './recipe.js';
import { readBatches, shardReads } from './record-batches.js';

/**
 * All rows of `version` of a table, or of what is left of it when fragments and columns are taken away, in the order of
 * their keys: what compaction reads.
 */
export async function* versionRows(table: TableStore, version: TableVersion): AsyncGenerator<RecordBatch, void> {
  const { tableId } = version;
  const scan = await openScan(
    scanRecipe([{ table: tableId, version: version.version }], { kind: 'table', table: tableId }),
    {
      openTable: async () => ({
        name: table.name,
        store: table.store,
        at: async () => version,
        explained: (error, number) => table.explained(error, number),
      }),
      files: new FileCache(),
      verify: 'first',
      shardBytesMax: partitionBytesMax,
    },
  );
  const { signal } = new AbortController();
  yield* readBatches(shardReads(scan, scan.shards, { signal }), 'kept', signal);
}

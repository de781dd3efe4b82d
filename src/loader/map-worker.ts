import { workerData } from 'node:worker_threads';
import { tableFromIPC } from 'apache-arrow';
import { BatchUnpacker } from '../arrow/packed-batch.js';
import { sliceBatch } from '../arrow/record-batch.js';
import { markHosted } from '../workers/hosted-thread.js';
import { serveTasks } from '../workers/serve-tasks.js';
import type { MapTask, MapWorkerData } from './map-protocol.js';
import { resultBuffers, type TimedResult } from './map-result.js';
import { MapTransform } from './map-transform.js';
import { PackedRowIds, type RowIds, SlicedRowIds } from './row-ids.js';
import { transformContext } from './transform.js';

/** A map worker's thread: loads the transform once, and runs it on each batch that it is sent. */
markHosted();
const { transform, schema: schemaBytes, seed, badRowsMax } = workerData as MapWorkerData;
const { schema } = tableFromIPC(schemaBytes);
const loaded = MapTransform.load(transform);
// The first task reports what went wrong with it.
loaded.catch(() => {});
let stream = -1;
let unpacker = new BatchUnpacker(schema);

serveTasks<MapTask, TimedResult>(({ stream: of, fresh, columns, rowIds: packed, parts }) => {
  if (of !== stream) {
    stream = of;
    unpacker = new BatchUnpacker(schema);
  }
  unpacker.learn(fresh);
  const all = unpacker.unpack(columns);
  const allIds = new PackedRowIds(packed);
  return parts.map(({ from, rows, place }) => async () => {
    const isAll = rows === all.numRows;
    const contextOf = (rowIds: RowIds) => transformContext(seed, place, rowIds);
    const given = {
      batch: isAll ? all : sliceBatch(all, from, rows),
      rowIds: isAll ? allIds : new SlicedRowIds(allIds, from, rows),
      contextOf,
    };
    const result = await (await loaded).apply(given, badRowsMax);
    return { result, transfer: resultBuffers(result.mapped) };
  });
});

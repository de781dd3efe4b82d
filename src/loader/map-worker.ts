import { workerData } from 'node:worker_threads';
import { tableFromIPC } from 'apache-arrow';
import { BatchUnpacker } from '../arrow/packed-batch.js';
import { markHosted } from '../workers/hosted-thread.js';
import { serveTasks } from '../workers/serve-tasks.js';
import type { MapTask, MapWorkerData } from './map-protocol.js';
import { resultBuffers, type TimedResult } from './map-result.js';
import { MapTransform } from './map-transform.js';
import { PackedRowIds, type RowIds } from './row-ids.js';
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

serveTasks<MapTask, TimedResult>(async (task) => {
  if (task.stream !== stream) {
    stream = task.stream;
    unpacker = new BatchUnpacker(schema);
  }
  unpacker.learn(task.fresh);
  const batch = unpacker.unpack(task.columns);
  const contextOf = (rowIds: RowIds) => transformContext(seed, task.place, rowIds);
  const given = { batch, rowIds: new PackedRowIds(task.rowIds), contextOf };
  const result = await (await loaded).apply(given, badRowsMax);
  return { result, transfer: resultBuffers(result.mapped) };
});

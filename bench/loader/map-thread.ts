/** A bare worker thread: keeps its part of the batches in memory, and maps all of them each time that it is told to. */
import { parentPort, workerData } from 'node:worker_threads';
import { batchesInMemory } from './batches-in-memory.js';
import type { MapWork } from './map-work.js';

/** What a bare thread is told when it starts: of `threads`, which it is. */
export interface MapThreadData {
  readonly data: string;
  readonly batchSize: number;
  readonly work: MapWork;
  readonly thread: number;
  readonly threads: number;
}

const { data, batchSize, work, thread, threads } = workerData as MapThreadData;
const { [work]: apply } = await import('./map-work.js');
const own = (await batchesInMemory(data, batchSize)).filter((_, at) => at % threads === thread);
parentPort!.on('message', () => {
  for (const batch of own) {
    const mapped = apply(batch);
    parentPort!.postMessage(mapped, [mapped.values.buffer]);
  }
  parentPort!.postMessage('done');
});
parentPort!.postMessage('ready');

import { type Schema, Table, tableToIPC } from 'apache-arrow';
import { BatchPacker, type PackedDictionary } from '../arrow/packed-batch.js';
import type { ErrorDetails } from '../core/errors.js';
import { mapBatchesPerWorker } from '../core/limits.js';
import { threadEntry } from '../workers/thread-entry.js';
import { WorkerLanes } from '../workers/worker-lanes.js';
import type { BatchMapper } from './batch-mapper.js';
import type { DrawnBatch } from './batch-stream.js';
import type { MapPlace, MapTask, MapWorkerData } from './map-protocol.js';
import type { TimedResult } from './map-result.js';
import { transformName } from './map-transform.js';
import type { MapSettings } from './options.js';
import { packRowIds } from './row-ids.js';
import { batchDetails, batchText } from './transform.js';

/** Map workers: threads that each load the transform once, started by the first batches and kept for the next epoch. */
export class MapPool implements BatchMapper {
  readonly ahead: { readonly min: number; readonly max: number };
  readonly #lanes: WorkerLanes<TimedResult>;
  readonly #name: string;
  #stream = 0;
  /** By the life of a worker: the packer for it, good within one stream. */
  #packers = new WeakMap<object, BatchPacker>();

  constructor(settings: MapSettings, schema: Schema) {
    const { transform, seed, badRowsMax, mapWorkers } = settings;
    const workerData: MapWorkerData = {
      transform,
      seed,
      badRowsMax,
      schema: tableToIPC(new Table(schema), 'stream'),
    };
    this.#name = transformName(transform);
    this.ahead = { min: mapWorkers, max: mapWorkers * mapBatchesPerWorker };
    this.#lanes = new WorkerLanes<TimedResult>(
      { script: threadEntry('loader/map-worker.js'), workerData, name: 'map' },
      {
        workers: mapWorkers,
        timeoutMs: settings.transformTimeoutMs,
        memoryBytesMax: settings.workerMemoryBytesMax,
        remedies: {
          died: 'Run with { mapWorkers: 0, feeder: false } to see why in this process.',
          late: 'Raise `transformTimeoutMs` if it needs longer.',
        },
      },
    );
  }

  begin(): void {
    this.#stream++;
    this.#packers = new WeakMap();
  }

  map(drawn: DrawnBatch, place: MapPlace, signal: AbortSignal): Promise<TimedResult> {
    let batch: DrawnBatch['batch'] | undefined = drawn.batch;
    const context = { ...place, rowIds: drawn.rowIds };
    return this.#lanes.run({
      signal,
      message: (life) => {
        // The buffers of the first try went with the worker that died.
        const task = this.#task(batch ?? drawn.redraw(), drawn, place, life);
        batch = undefined;
        return task;
      },
      subject: () => ({ text: this.#subject(context), details: this.#details(context) }),
    });
  }

  close(): Promise<void> {
    return this.#lanes.close();
  }

  #task(
    batch: DrawnBatch['batch'],
    { rowIds }: DrawnBatch,
    place: MapPlace,
    life: object,
  ): { body: MapTask; transfer: ArrayBuffer[] } {
    let packer = this.#packers.get(life);
    if (packer === undefined) {
      packer = new BatchPacker();
      this.#packers.set(life, packer);
    }
    const fresh: PackedDictionary[] = [];
    const columns = packer.pack(batch, fresh);
    const ids = packRowIds(rowIds);
    return {
      body: { stream: this.#stream, columns, fresh, rowIds: ids, place },
      transfer: [columns.buffer, ids.buffer as ArrayBuffer],
    };
  }

  #subject(context: MapPlace & Pick<DrawnBatch, 'rowIds'>): string {
    return `the transform '${this.#name}' of ${batchText(context)}`;
  }

  #details(context: MapPlace & Pick<DrawnBatch, 'rowIds'>): ErrorDetails {
    return { transform: this.#name, ...batchDetails(context) };
  }
}

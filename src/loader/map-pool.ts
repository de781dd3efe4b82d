import { type RecordBatch, type Schema, Table, tableToIPC } from 'apache-arrow';
import { BatchPacker, type PackedDictionary } from '../arrow/packed-batch.js';
import { sliceBatch } from '../arrow/record-batch.js';
import { mapBatchesPerWorker, mapTogetherMax, mapTogetherMs } from '../core/limits.js';
import { threadEntry } from '../workers/thread-entry.js';
import { type LaneTask, type MakeMessage, WorkerLanes } from '../workers/worker-lanes.js';
import type { BatchMapper, GroupPart, HeldRows } from './batch-mapper.js';
import type { MapPart, MapTask, MapWorkerData } from './map-protocol.js';
import type { TimedResult } from './map-result.js';
import { transformName } from './map-transform.js';
import type { MapSettings } from './options.js';
import { packRowIds, type RowIds } from './row-ids.js';
import { batchDetails, batchText } from './transform.js';

/** How many times the batches of a message, at the pace of those before, fit into the time limit of one. */
const togetherPerLimit = 8;
/** Batches that the time of a transform is an average of, about. */
const msMemory = 8;

/** Map workers: threads that each load the transform once, started by the first batches and kept for the next epoch. */
export class MapPool implements BatchMapper {
  readonly ahead: { readonly min: number; readonly max: number };
  readonly #lanes: WorkerLanes<TimedResult>;
  readonly #name: string;
  readonly #togetherMs: number;
  /** Milliseconds that the transform takes a batch, about. */
  #batchMs: number | undefined;
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
    // The time limit of the first is that of all.
    this.#togetherMs = Math.min(mapTogetherMs, settings.transformTimeoutMs / togetherPerLimit);
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

  get together(): number {
    const ms = this.#batchMs;
    return ms === undefined ? 1 : Math.max(1, Math.min(mapTogetherMax, Math.floor(this.#togetherMs / ms)));
  }

  map(group: HeldRows, parts: readonly GroupPart[], signal: AbortSignal): readonly Promise<TimedResult>[] {
    let batch: RecordBatch | undefined = group.batch;
    const all = { rowIds: group.rowIds, parts: parts.map(sentPart) };
    // The buffers of the first try went with the worker that died.
    const message: MakeMessage = (life) => {
      const task = this.#task(batch ?? group.redraw(), all, life);
      batch = undefined;
      return task;
    };
    const tasks = parts.map((part) => {
      const alone = { rowIds: part.rowIds, parts: [{ ...sentPart(part), from: 0 }] };
      const again: MakeMessage = (life) =>
        this.#task(sliceBatch(group.redraw(), part.from, part.rowIds.length), alone, life);
      return this.#laneTask(part, parts.length === 1 ? message : again, signal);
    });
    return this.#lanes.runTogether(tasks, message).map((result) => this.#timed(result));
  }

  close(): Promise<void> {
    return this.#lanes.close();
  }

  async #timed(result: Promise<TimedResult>): Promise<TimedResult> {
    const timed = await result;
    this.#batchMs =
      this.#batchMs === undefined ? timed.mapMs : this.#batchMs + (timed.mapMs - this.#batchMs) / msMemory;
    return timed;
  }

  #laneTask({ rowIds, place }: GroupPart, message: MakeMessage, signal: AbortSignal): LaneTask {
    const context = { ...place, rowIds };
    const transform = this.#name;
    return {
      message,
      signal,
      subject: () => ({
        text: `the transform '${transform}' of ${batchText(context)}`,
        details: { transform, ...batchDetails(context) },
      }),
    };
  }

  #task(
    batch: RecordBatch,
    { rowIds, parts }: { rowIds: RowIds; parts: readonly MapPart[] },
    life: object,
  ): ReturnType<MakeMessage> {
    let packer = this.#packers.get(life);
    if (packer === undefined) {
      packer = new BatchPacker();
      this.#packers.set(life, packer);
    }
    const fresh: PackedDictionary[] = [];
    const columns = packer.pack(batch, fresh);
    const ids = packRowIds(rowIds);
    const body: MapTask = { stream: this.#stream, columns, fresh, rowIds: ids, parts };
    return { body, transfer: [columns.buffer, ids.buffer] };
  }
}

function sentPart({ from, rowIds, place }: GroupPart): MapPart {
  return { from, rows: rowIds.length, place };
}

import type { Data } from 'apache-arrow';
import { abortable } from '../core/abort.js';
import { SpiralError } from '../core/errors.js';
import { transformTimeoutMs, workerMemoryBytesMax } from '../core/limits.js';
import type { BoundEffect } from '../expr/bound.js';
import { nodeText } from '../expr/node-text.js';
import { threadEntry } from '../workers/thread-entry.js';
import type { WorkerLanes } from '../workers/worker-lanes.js';
import { packColumns, unpackColumns } from './udf-columns.js';
import type { UdfColumns, UdfTask } from './udf-protocol.js';

/**
 * Threads that call the functions of `se.udf`, by how many a scan asks for: scans that ask for the same number share them.
 * They are started by the first batches; idle ones keep no process alive.
 */
export class UdfThreads {
  readonly #lanes = new Map<number, Promise<WorkerLanes<UdfColumns>>>();
  #closed = false;

  /**
   * Calls the function that `effect` stands for in one of `workers` threads. A thread that dies of it, or does not answer in
   * ten minutes, is replaced and the batch tried once more; one that is at work when `signal` aborts is ended.
   *
   * @throws SpiralError as `callUdf`; `worker_died`, `transform_timeout`, `cancelled`, `closed`.
   */
  async run(
    workers: number,
    effect: BoundEffect,
    args: readonly Data[],
    rows: number,
    signal: AbortSignal,
  ): Promise<Data> {
    const lanes = await this.#lanesOf(workers);
    const answer = lanes.run({
      signal,
      endsWithSignal: true,
      message: () => {
        const body: UdfTask = { node: effect.node, args: packColumns(args, rows) };
        return { body, transfer: [body.args.columns.buffer] };
      },
      subject: () => ({
        text: `the expression ${nodeText(effect.node)} for a batch of ${rows} rows`,
        details: { expression: nodeText(effect.node), rows },
      }),
    });
    return unpackColumns(await abortable(answer, signal, 'The scan'))[0]!;
  }

  /** Ends all threads; batches that have not come back reject with `closed`. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(Array.from(this.#lanes.values(), async (lanes) => (await lanes).close()));
  }

  #lanesOf(workers: number): Promise<WorkerLanes<UdfColumns>> {
    let lanes = this.#lanes.get(workers);
    if (lanes === undefined) {
      if (this.#closed) throw new SpiralError('closed', 'The client was closed. Make another with `new Spiral()`.');
      lanes = lanesOf(workers);
      this.#lanes.set(workers, lanes);
    }
    return lanes;
  }
}

async function lanesOf(workers: number): Promise<WorkerLanes<UdfColumns>> {
  // Of the many scans few need it, and it takes longer to load than the rest of this file.
  const { WorkerLanes } = await import('../workers/worker-lanes.js');
  return new WorkerLanes(
    { script: threadEntry('scan/udf-worker.js'), workerData: undefined, name: 'udf' },
    {
      workers,
      timeoutMs: transformTimeoutMs,
      memoryBytesMax: workerMemoryBytesMax,
      remedies: {
        died: 'Scan without `udfWorkers` to see why in this process.',
        late: 'Find out what it waits for, or scan without `udfWorkers`, where it may take any time.',
      },
    },
  );
}

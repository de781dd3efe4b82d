import { cancelled } from '../core/abort.js';
import { fromWire } from '../core/error-wire.js';
import { type ErrorDetails, SpiralError } from '../core/errors.js';
import { Lane, type WorkerEntry } from './lane.js';

/** What bounds the lanes. */
export interface LaneLimits {
  /** Workers, each of which runs one task at a time and may have the next one at hand. */
  readonly workers: number;
  /** Milliseconds of a task, after which its worker is ended. */
  readonly timeoutMs: number;
  /** Bytes of a worker's isolate, heap and buffers, above which it is replaced between tasks. */
  readonly memoryBytesMax: number;
}

/** A task for one of the workers. */
export interface LaneTask {
  /**
   * Makes what is sent, for every try anew, as buffers that were handed over are lost with their worker. `life` is one
   * object for each life of a worker: what a worker has been told before can be remembered by it.
   */
  message(life: object): { readonly body: unknown; readonly transfer: readonly ArrayBuffer[] };
  /** What the task is, for errors: as in `The transform 'x' failed on batch 3`, the part behind `on`. */
  subject(): { readonly text: string; readonly details: ErrorDetails };
  /** A task that no worker was sent when it aborts never begins. */
  readonly signal: AbortSignal;
}

interface Job<R> {
  readonly task: LaneTask;
  resolve(result: R): void;
  reject(error: unknown): void;
}

/** Tasks that a worker is sent before it has answered the first. */
const tasksAtHand = 2;

/** Deaths after which a task is given up: its first try, and one more (law 12). */
const deathsMax = 2;

/**
 * Runs tasks on a fixed number of workers, each in a lane of its own, so that one that dies, hangs or grows too fat is
 * replaced alone. Tasks wait here, never in a pool: no death but their own touches them. Results come in no order.
 */
export class WorkerLanes<R> {
  readonly #limits: LaneLimits;
  readonly #lanes: readonly Lane<R>[];
  /** Tasks that each lane has, by its place. */
  readonly #held: number[];
  readonly #waiting: Job<R>[] = [];
  #closed = false;

  constructor(entry: WorkerEntry, limits: LaneLimits) {
    this.#limits = limits;
    const { workers, timeoutMs, memoryBytesMax } = limits;
    this.#lanes = Array.from({ length: workers }, () => new Lane(entry, timeoutMs, memoryBytesMax));
    this.#held = this.#lanes.map(() => 0);
  }

  /**
   * Runs `task` once a worker is free. A worker that dies of it, or does not answer in time, is replaced and the task
   * tried once more.
   *
   * @throws what the worker threw; SpiralError `worker_died` and `transform_timeout` the second time, `cancelled` by the
   * task's signal, `closed`.
   */
  run(task: LaneTask): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ task, resolve, reject });
      this.#dispatch();
    });
  }

  /** Ends all workers; tasks that have not ended reject with `closed`. A second call does nothing. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { reject } of this.#waiting.splice(0)) reject(closed());
    await Promise.all(this.#lanes.map((lane) => lane.end()));
  }

  #dispatch(): void {
    while (this.#waiting.length > 0) {
      const at = this.#freest();
      if (this.#held[at]! >= tasksAtHand) return;
      void this.#serve(at, this.#waiting.shift()!);
    }
  }

  /** The lane with the fewest tasks; of those with none one whose worker is there. */
  #freest(): number {
    let best = 0;
    for (let at = 1; at < this.#lanes.length; at++) {
      const [held, least] = [this.#held[at]!, this.#held[best]!];
      if (held < least || (held === least && this.#lanes[at]!.started && !this.#lanes[best]!.started)) best = at;
    }
    return best;
  }

  async #serve(at: number, { task, resolve, reject }: Job<R>): Promise<void> {
    this.#held[at]!++;
    const settle = await this.#tried(this.#lanes[at]!, task).then(
      (result) => () => resolve(result),
      (error) => () => reject(error),
    );
    this.#held[at]!--;
    settle();
    this.#dispatch();
  }

  async #tried(lane: Lane<R>, task: LaneTask): Promise<R> {
    const { timeoutMs, memoryBytesMax } = this.#limits;
    for (let deaths = 0; ; ) {
      if (this.#closed) throw closed();
      if (task.signal.aborted) throw cancelled(task.signal, 'A task for a worker');
      const { body, transfer } = task.message(lane.life);
      const end = await lane.run(body, transfer);
      if (end.kind === 'answered') {
        if (end.reply.bytes > memoryBytesMax) await lane.end();
        if ('error' in end.reply) throw fromWire(end.reply.error);
        return end.reply.result;
      }
      if (this.#closed) throw closed();
      // A worker that was gone beforehand did not die of this task.
      if (end.kind === 'missed') continue;
      if (++deaths < deathsMax) continue;
      throw end.kind === 'late' ? tooLate(task, timeoutMs) : died(task, end.cause);
    }
  }
}

function died(task: LaneTask, cause: Error): SpiralError {
  const { text, details } = task.subject();
  return new SpiralError(
    'worker_died',
    `The worker died ${deathsMax} times on ${text}: ${cause.message} Run with { mapWorkers: 0, feeder: false } to see ` +
      'why in this process.',
    { details, cause },
  );
}

function tooLate(task: LaneTask, timeoutMs: number): SpiralError {
  const { text, details } = task.subject();
  return new SpiralError(
    'transform_timeout',
    `Expected an answer within ${timeoutMs} ms, got none in ${deathsMax} tries on ${text}. Raise \`transformTimeoutMs\` if ` +
      'it needs longer.',
    { details: { ...details, timeoutMs } },
  );
}

function closed(): SpiralError {
  return new SpiralError('closed', 'The workers were closed before the task ended.');
}

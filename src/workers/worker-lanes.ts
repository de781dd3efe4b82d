import { cancelled } from '../core/abort.js';
import { AbortWatch } from '../core/abort-watch.js';
import { fromWire } from '../core/error-wire.js';
import { type ErrorDetails, SpiralError } from '../core/errors.js';
import { Lane, type TaskEnd, type WorkerEntry } from './lane.js';

/** What bounds the lanes. */
export interface LaneLimits {
  /** Workers, each of which runs one task at a time and may have the next one at hand. */
  readonly workers: number;
  /** Milliseconds of a task, after which its worker is ended. */
  readonly timeoutMs: number;
  /** Bytes of a worker's isolate, heap and buffers, above which it is replaced between tasks. */
  readonly memoryBytesMax: number;
  /** What people may do about a task whose worker dies of it, and about one that is late: sentences for errors. */
  readonly remedies: { readonly died: string; readonly late: string };
}

/**
 * Makes what is sent, for every try anew, as buffers that were handed over are lost with their worker. `life` is one object
 * for each life of a worker: what a worker has been told before can be remembered by it.
 */
export type MakeMessage = (life: object) => { readonly body: unknown; readonly transfer: readonly ArrayBuffer[] };

/** A task for one of the workers. */
export interface LaneTask {
  readonly message: MakeMessage;
  /** What the task is, for errors: as in `The transform 'x' failed on batch 3`, the part behind `on`. */
  subject(): { readonly text: string; readonly details: ErrorDetails };
  /** A task that no worker was sent when it aborts never begins. */
  readonly signal: AbortSignal;
  /** Whether one that was sent then ends, and its worker with it: what else that had is sent again. Default false. */
  readonly endsWithSignal?: boolean;
}

/** A task that waits for its end. */
interface Job<R> {
  readonly task: LaneTask;
  resolve(result: R): void;
  reject(error: unknown): void;
}

/** Tasks that go to one worker, at first in one message. */
interface Parcel<R> {
  readonly jobs: readonly Job<R>[];
  readonly message: MakeMessage;
}

const aborts = new AbortWatch();

/** Parcels that a worker is sent before it has answered the first. */
const parcelsAtHand = 2;

/** Deaths after which a task is given up: its first try, and one more (law 12). */
const deathsMax = 2;

/**
 * Runs tasks on a fixed number of workers, each in a lane of its own, so that one that dies, hangs or grows too fat is
 * replaced alone. Tasks wait here, never in a pool: no death but their own touches them. Results come in no order.
 */
export class WorkerLanes<R> {
  readonly #limits: LaneLimits;
  readonly #lanes: readonly Lane<R>[];
  /** Parcels that each lane has, by its place. */
  readonly #held: number[];
  readonly #waiting: Parcel<R>[] = [];
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
    return this.runTogether([task], task.message)[0]!;
  }

  /**
   * The same for tasks that are short and so are sent in one message, all of the same signal. Each is answered, and tried
   * once more, by itself.
   */
  runTogether(tasks: readonly LaneTask[], message: MakeMessage): readonly Promise<R>[] {
    const jobs: Job<R>[] = [];
    const results = tasks.map((task) => new Promise<R>((resolve, reject) => jobs.push({ task, resolve, reject })));
    this.#waiting.push({ jobs, message });
    this.#dispatch();
    return results;
  }

  /** Ends all workers; tasks that have not ended reject with `closed`. A second call does nothing. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { jobs } of this.#waiting.splice(0)) for (const { reject } of jobs) reject(closed());
    await Promise.all(this.#lanes.map((lane) => lane.end()));
  }

  #dispatch(): void {
    while (this.#waiting.length > 0) {
      const at = this.#freest();
      if (this.#held[at]! >= parcelsAtHand) return;
      void this.#serve(at, this.#waiting.shift()!);
    }
  }

  /** The lane with the fewest parcels; of those with none one whose worker is there. */
  #freest(): number {
    let best = 0;
    for (let at = 1; at < this.#lanes.length; at++) {
      const [held, least] = [this.#held[at]!, this.#held[best]!];
      if (held < least || (held === least && this.#lanes[at]!.started && !this.#lanes[best]!.started)) best = at;
    }
    return best;
  }

  async #serve(at: number, { jobs, message }: Parcel<R>): Promise<void> {
    this.#held[at]!++;
    const lane = this.#lanes[at]!;
    const sent = this.#sent(
      lane,
      jobs.map(({ task }) => task),
      message,
    );
    let left = jobs.length;
    const end = async ({ task, resolve, reject }: Job<R>, place: number): Promise<void> => {
      const settle = await this.#tried(lane, task, sent[place]!).then(
        (result) => () => resolve(result),
        (error) => () => reject(error),
      );
      if (--left === 0) this.#held[at]!--;
      settle();
    };
    await Promise.all(jobs.map(end));
    this.#dispatch();
  }

  /** Sends tasks of one signal; what keeps them from being sent is the end of each. */
  #sent(lane: Lane<R>, tasks: readonly LaneTask[], message: MakeMessage): readonly Promise<TaskEnd<R>>[] {
    const { signal, endsWithSignal } = tasks[0]!;
    try {
      if (this.#closed) throw closed();
      if (signal.aborted) throw cancelled(signal, 'A task for a worker');
      const { body, transfer } = message(lane.life);
      const leave = endsWithSignal ? aborts.watch(signal, () => void lane.end()) : undefined;
      const ends = lane.runAll(body, transfer, tasks.length);
      if (leave !== undefined) void Promise.all(ends).then(leave);
      return ends;
    } catch (error) {
      return tasks.map(() => Promise.reject(error));
    }
  }

  /** @param sent its first try. */
  async #tried(lane: Lane<R>, task: LaneTask, sent: Promise<TaskEnd<R>>): Promise<R> {
    const { timeoutMs, memoryBytesMax, remedies } = this.#limits;
    for (let [end, deaths] = [await sent, 0]; ; end = await this.#sent(lane, [task], task.message)[0]!) {
      if (end.kind === 'answered') {
        if (end.reply.bytes > memoryBytesMax) await lane.end();
        if ('error' in end.reply) throw fromWire(end.reply.error);
        return end.reply.result;
      }
      if (this.#closed) throw closed();
      if (task.endsWithSignal && task.signal.aborted) throw cancelled(task.signal, 'A task for a worker');
      // A worker that was gone beforehand did not die of this task.
      if (end.kind === 'missed') continue;
      if (++deaths < deathsMax) continue;
      throw end.kind === 'late' ? tooLate(task, timeoutMs, remedies.late) : died(task, end.cause, remedies.died);
    }
  }
}

function died(task: LaneTask, cause: Error, remedy: string): SpiralError {
  const { text, details } = task.subject();
  return new SpiralError('worker_died', `The worker died ${deathsMax} times on ${text}: ${cause.message} ${remedy}`, {
    details,
    cause,
  });
}

function tooLate(task: LaneTask, timeoutMs: number, remedy: string): SpiralError {
  const { text, details } = task.subject();
  return new SpiralError(
    'transform_timeout',
    `Expected an answer within ${timeoutMs} ms, got none in ${deathsMax} tries on ${text}. ${remedy}`,
    { details: { ...details, timeoutMs } },
  );
}

function closed(): SpiralError {
  return new SpiralError('closed', 'The workers were closed before the task ended.');
}

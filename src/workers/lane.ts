import { MessageChannel, type MessagePort, receiveMessageOnPort, type Worker } from 'node:worker_threads';
import workerpool, { type Pool } from 'workerpool';
import { after } from '../core/runtime.js';
import type { LaneStart, TaskReply } from './lane-protocol.js';

/** How the workers of a lane are started. */
export interface WorkerEntry {
  /** Path of the worker's file, which calls `serveTasks`. */
  readonly script: string;
  /** What the worker finds as `workerData`. */
  readonly workerData: unknown;
  readonly name: string;
}

/** How a task ended. `died`: its worker did. `missed`: its worker was gone without it, before it began or after it was done. */
export type TaskEnd<R> =
  | { readonly kind: 'answered'; readonly reply: TaskReply<R> }
  | { readonly kind: 'died'; readonly cause: Error }
  | { readonly kind: 'missed' }
  | { readonly kind: 'late' };

/** Milliseconds that workerpool waits for a worker to end by itself before it ends it. Nothing needs them. */
const graceMs = 10;
/** Milliseconds after which the end of a worker that died, and so reports no end, is no longer waited for. */
const endMs = 1000;

/** A worker from its start to its end. */
interface Life<R> {
  readonly pool: Pool;
  readonly port: MessagePort;
  /** Tasks that the worker has begun, counted by it. */
  readonly begun: Int32Array;
  answered: number;
  /** What is to be told of the tasks that were sent and not answered, in their order. */
  readonly waiting: ((end: TaskEnd<R>) => void)[];
  /** Ends the clock of the first of them. */
  stopClock: () => void;
}

/**
 * One worker at a time, in a workerpool of one, which it serves by a port of its own: a worker that has a second task
 * at hand goes on with it at once, where its pool would hand it over only when told of the end of the first. The worker is
 * started by the first task, and keeps the process alive only while it has one.
 */
export class Lane<R> {
  readonly #entry: WorkerEntry;
  readonly #timeoutMs: number;
  readonly #bytesMax: number;
  #life: Life<R> | undefined;
  #name: object = {};

  /**
   * `timeoutMs` is that of a task, from when it may begin. A worker whose isolate holds more than `bytesMax` bytes begins no
   * further task: it is to be ended.
   */
  constructor(entry: WorkerEntry, timeoutMs: number, bytesMax: number) {
    this.#entry = entry;
    this.#timeoutMs = timeoutMs;
    this.#bytesMax = bytesMax;
  }

  /** One object for each life of the lane's worker: that of the worker which is sent the next task. */
  get life(): object {
    return this.#name;
  }

  /** Tasks that were sent and not answered. */
  get tasks(): number {
    return this.#life?.waiting.length ?? 0;
  }

  get started(): boolean {
    return this.#life !== undefined;
  }

  /** Runs one task, behind those before. A worker that died or is late is gone when this resolves. */
  run(message: unknown, transfer: readonly ArrayBuffer[]): Promise<TaskEnd<R>> {
    return this.runAll(message, transfer, 1)[0]!;
  }

  /** The same for the `count` tasks of one message: an end for each of them. */
  runAll(message: unknown, transfer: readonly ArrayBuffer[], count: number): readonly Promise<TaskEnd<R>>[] {
    const life = (this.#life ??= this.#start());
    const isIdle = life.waiting.length === 0;
    const ends = Array.from({ length: count }, () => this.#end(life));
    life.port.postMessage(message, transfer);
    if (isIdle) {
      this.#keepAlive(life, true);
      this.#time(life);
    }
    return ends;
  }

  async #end(life: Life<R>): Promise<TaskEnd<R>> {
    const end = await new Promise<TaskEnd<R>>((resolve) => life.waiting.push(resolve));
    if (end.kind === 'died' || end.kind === 'late') await this.#ended(life);
    return end;
  }

  /** Ends the worker; the next task starts another. Tasks that were sent end as `missed`. */
  async end(): Promise<void> {
    const life = this.#life;
    if (life === undefined) return;
    this.#leave(life, { kind: 'missed' });
    await this.#ended(life);
  }

  #start(): Life<R> {
    const { script, workerData, name } = this.#entry;
    const pool = workerpool.pool(script, {
      workerType: 'thread',
      maxWorkers: 1,
      workerTerminateTimeout: graceMs,
      // Options of this process (loaders, inspectors) are not the worker's.
      workerThreadOpts: { workerData, name, execArgv: [] },
    });
    const { port1: port, port2 } = new MessageChannel();
    const begun = new Int32Array(new SharedArrayBuffer(4));
    const life: Life<R> = { pool, port, begun, answered: 0, waiting: [], stopClock: () => {} };
    const start: LaneStart = { port: port2, begun, bytesMax: this.#bytesMax };
    Promise.resolve(pool.exec('serve', [start], { transfer: [port2] })).catch((error) => this.#died(life, error));
    port.on('message', (replies: readonly TaskReply<R>[]) => this.#answered(life, replies));
    return life;
  }

  #answered(life: Life<R>, replies: readonly TaskReply<R>[]): void {
    life.answered += replies.length;
    life.stopClock();
    const told = life.waiting.splice(0, replies.length);
    if (life.waiting.length === 0) this.#keepAlive(life, false);
    else this.#time(life);
    for (const [at, tell] of told.entries()) tell({ kind: 'answered', reply: replies[at]! });
  }

  /** Gives the first of the tasks that wait its time. */
  #time(life: Life<R>): void {
    // While there is a task its worker keeps the process alive, so the clock need not.
    life.stopClock = after(this.#timeoutMs, () => this.#leave(life, { kind: 'late' }));
  }

  #died(life: Life<R>, error: unknown): void {
    if (life !== this.#life) return;
    // What it answered before is not lost.
    for (let left = receiveMessageOnPort(life.port); left !== undefined; left = receiveMessageOnPort(life.port)) {
      this.#answered(life, left.message as TaskReply<R>[]);
    }
    // One that never began anything died of its start, which the next one would do again.
    const wasAtWork = Atomics.load(life.begun, 0) !== life.answered || life.answered === 0;
    this.#leave(life, wasAtWork ? { kind: 'died', cause: causeOf(error) } : { kind: 'missed' });
    void this.#ended(life);
  }

  /** The lane goes on without this worker: `present` is told of the task that it was at, the others are to begin anew. */
  #leave(life: Life<R>, present: TaskEnd<R>): void {
    if (life !== this.#life) return;
    this.#life = undefined;
    this.#name = {};
    life.stopClock();
    // Of tasks that were sent together the first may be done, their replies held back.
    const isAt = Math.max(0, Atomics.load(life.begun, 0) - life.answered - 1);
    for (const [at, tell] of life.waiting.splice(0).entries()) tell(at === isAt ? present : { kind: 'missed' });
  }

  async #ended({ pool, port }: Life<R>): Promise<void> {
    port.close();
    await Promise.resolve(pool.terminate(true, endMs)).catch(() => {});
  }

  #keepAlive({ pool, port }: Life<R>, alive: boolean): void {
    // workerpool hides its threads, but only they can be told to keep no process alive.
    const [handler] = (pool['workers'] ?? []) as readonly { readonly worker: Worker | null }[];
    for (const held of [port, handler?.worker]) {
      if (alive) held?.ref();
      else held?.unref();
    }
  }
}

/** Why a worker died: the error that it did not catch, or its exit code, which workerpool has in a text. */
function causeOf(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  if (error.cause instanceof Error) return error.cause;
  const code = /exitCode: `(.*?)`/.exec(error.message)?.[1];
  return code === undefined ? error : new Error(`Its thread ended with exit code ${code}.`);
}

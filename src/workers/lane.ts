import type { Worker } from 'node:worker_threads';
import workerpool, { type Pool } from 'workerpool';
import { sleep } from '../core/runtime.js';
import type { TaskReply } from './task-reply.js';

/** How the workers of a lane are started. */
export interface WorkerEntry {
  /** Path of the worker's file, which calls `serveTasks`. */
  readonly script: string;
  /** What the worker finds as `workerData`. */
  readonly workerData: unknown;
  readonly name: string;
}

/** How a task ended. `died`: its worker did. `missed`: its worker was dead before the task reached it. */
export type TaskEnd<R> =
  | { readonly kind: 'answered'; readonly reply: TaskReply<R> }
  | { readonly kind: 'died'; readonly cause: Error }
  | { readonly kind: 'missed' }
  | { readonly kind: 'late' };

/** Milliseconds that workerpool waits for a worker to end by itself before it ends it. Nothing needs them. */
const graceMs = 10;
/** Milliseconds after which the end of a worker that died, and so reports no end, is no longer waited for. */
const endMs = 1000;

/**
 * One worker at a time, in a workerpool of one: a pool that lost a worker strands the tasks queued in it, so each death
 * ends the pool with it. The worker is started by the first task, and keeps the process alive only while it has one.
 */
export class Lane {
  readonly #entry: WorkerEntry;
  #pool: Pool | undefined;
  #life: object = {};

  constructor(entry: WorkerEntry) {
    this.#entry = entry;
  }

  /** One object for each life of the lane's worker: that of the worker which runs the next task. */
  get life(): object {
    return this.#life;
  }

  /** Runs one task, after the one before has ended. A worker that died or is late is gone when this resolves. */
  async run<R>(message: unknown, transfer: readonly ArrayBuffer[], timeoutMs: number): Promise<TaskEnd<R>> {
    this.#pool ??= this.#start();
    const done = new AbortController();
    const late = sleep(timeoutMs, done.signal).then((): TaskEnd<R> => ({ kind: 'late' }));
    late.catch(() => {});
    const end = await Promise.race([this.#answer<R>(this.#pool, message, transfer), late]);
    done.abort();
    if (end.kind === 'answered') this.#worker()?.unref();
    else await this.end();
    return end;
  }

  /** Ends the worker; the next task starts another. The task under way, if any, ends as `died`. */
  async end(): Promise<void> {
    const pool = this.#pool;
    if (pool === undefined) return;
    this.#pool = undefined;
    this.#life = {};
    await Promise.resolve(pool.terminate(true, endMs)).catch(() => {});
  }

  #start(): Pool {
    const { script, workerData, name } = this.#entry;
    return workerpool.pool(script, {
      workerType: 'thread',
      maxWorkers: 1,
      workerTerminateTimeout: graceMs,
      // Options of this process (loaders, inspectors) are not the worker's.
      workerThreadOpts: { workerData, name, execArgv: [] },
    });
  }

  async #answer<R>(pool: Pool, message: unknown, transfer: readonly ArrayBuffer[]): Promise<TaskEnd<R>> {
    try {
      const answer = pool.exec('task', [message], { transfer: [...transfer] });
      this.#worker()?.ref();
      return { kind: 'answered', reply: (await answer) as TaskReply<R> };
    } catch (error) {
      return (error as Error).message === deadBefore ? { kind: 'missed' } : { kind: 'died', cause: causeOf(error) };
    }
  }

  /** workerpool hides its threads, but only they can be told to keep no process alive. */
  #worker(): Worker | undefined {
    const [handler] = (this.#pool?.['workers'] ?? []) as readonly { readonly worker: Worker | null }[];
    return handler?.worker ?? undefined;
  }
}

/** What workerpool says where a worker was dead before it got the task. */
const deadBefore = 'Worker is terminated';

/** Why a worker died: the error that it did not catch, or its exit code, which workerpool has in a text. */
function causeOf(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  if (error.cause instanceof Error) return error.cause;
  const code = /exitCode: `(.*?)`/.exec(error.message)?.[1];
  return code === undefined ? error : new Error(`Its thread ended with exit code ${code}.`);
}

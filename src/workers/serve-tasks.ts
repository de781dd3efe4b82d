import { getHeapStatistics } from 'node:v8';
import type { MessagePort } from 'node:worker_threads';
import workerpool from 'workerpool';
import { toWire } from '../core/error-wire.js';
import { repliesHeldMs } from '../core/limits.js';
import { after, monotonicMs } from '../core/runtime.js';
import type { LaneStart, TaskReply } from './lane-protocol.js';

/** What came of a task, and the buffers in it that are handed over. */
export interface TaskResult<R> {
  readonly result: R;
  readonly transfer: readonly ArrayBuffer[];
}

/** Runs a task; what it throws is the task's error. */
type RunTask<R> = () => Promise<TaskResult<R>>;

/** Serves the tasks of a `WorkerLanes` in this thread, one at a time: `tasksOf` tells those of a message. */
export function serveTasks<M, R>(tasksOf: (message: M) => readonly RunTask<R>[]): void {
  workerpool.worker({
    /** Ends with the thread. */
    serve: ({ port, begun, bytesMax }: LaneStart): Promise<never> => {
      const replies = new Replies<R>(port);
      let isFat = false;
      const serve = async (message: M): Promise<void> => {
        replies.begin();
        for (const task of isFat ? [] : tasksOf(message)) {
          Atomics.add(begun, 0, 1);
          const [reply, transfer] = await answer(task);
          replies.add(reply, transfer);
          isFat = reply.bytes > bytesMax;
          if (isFat) break;
        }
        replies.post();
      };
      let last = Promise.resolve();
      return new Promise((_, reject) => {
        port.on('message', (message: M) => {
          last = last.then(() => serve(message)).catch(reject);
        });
      });
    },
  });
}

/**
 * Replies to the tasks of one message go back in one message, as each wakes a thread: on busy cores in place of a worker. None
 * is held back for long by a task that takes long, or for ever by one that waits.
 */
class Replies<R> {
  readonly #port: MessagePort;
  #held: TaskReply<R>[] = [];
  #transfer: ArrayBuffer[] = [];
  /** When the first task began whose reply has not been posted. */
  #sinceMs = 0;
  #cancel: (() => void) | undefined;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  begin(): void {
    this.#sinceMs = monotonicMs();
  }

  add(reply: TaskReply<R>, transfer: readonly ArrayBuffer[]): void {
    this.#held.push(reply);
    this.#transfer.push(...transfer);
    if (monotonicMs() - this.#sinceMs >= repliesHeldMs) this.post();
    else this.#cancel ??= after(repliesHeldMs, () => this.post());
  }

  post(): void {
    this.#cancel?.();
    if (this.#held.length > 0) this.#port.postMessage(this.#held, this.#transfer);
    [this.#held, this.#transfer, this.#cancel] = [[], [], undefined];
    this.begin();
  }
}

async function answer<R>(task: RunTask<R>): Promise<[TaskReply<R>, readonly ArrayBuffer[]]> {
  try {
    const { result, transfer } = await task();
    return [{ result, bytes: isolateBytes() }, transfer];
  } catch (error) {
    // The structured clone would lose the error's name, class and cause.
    return [{ error: toWire(error), bytes: isolateBytes() }, []];
  }
}

/** Of this thread alone: `process.memoryUsage` counts the whole process. */
function isolateBytes(): number {
  const { used_heap_size, malloced_memory, external_memory } = getHeapStatistics();
  return used_heap_size + malloced_memory + external_memory;
}

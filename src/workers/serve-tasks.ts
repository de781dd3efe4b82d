import { getHeapStatistics } from 'node:v8';
import workerpool from 'workerpool';
import { toWire } from '../core/error-wire.js';
import type { TaskReply } from './task-reply.js';

/** What came of a task, and the buffers in it that are handed over. */
export interface TaskResult<R> {
  readonly result: R;
  readonly transfer: readonly ArrayBuffer[];
}

/** Serves the tasks of a `WorkerLanes` in this thread, one at a time; what `handle` throws is the task's error. */
export function serveTasks<M, R>(handle: (message: M) => Promise<TaskResult<R>>): void {
  workerpool.worker({
    task: async (message: M): Promise<unknown> => {
      try {
        const { result, transfer } = await handle(message);
        const reply: TaskReply<R> = { result, bytes: isolateBytes() };
        return new workerpool.Transfer(reply, [...transfer]);
      } catch (error) {
        // workerpool would lose the error's name, class and cause.
        const reply: TaskReply<R> = { error: toWire(error), bytes: isolateBytes() };
        return reply;
      }
    },
  });
}

/** Of this thread alone: `process.memoryUsage` counts the whole process. */
function isolateBytes(): number {
  const { used_heap_size, malloced_memory, external_memory } = getHeapStatistics();
  return used_heap_size + malloced_memory + external_memory;
}

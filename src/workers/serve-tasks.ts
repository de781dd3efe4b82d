import { getHeapStatistics } from 'node:v8';
import workerpool from 'workerpool';
import { toWire } from '../core/error-wire.js';
import type { LaneStart, TaskReply } from './lane-protocol.js';

/** What came of a task, and the buffers in it that are handed over. */
export interface TaskResult<R> {
  readonly result: R;
  readonly transfer: readonly ArrayBuffer[];
}

/** Serves the tasks of a `WorkerLanes` in this thread, one at a time; what `handle` throws is the task's error. */
export function serveTasks<M, R>(handle: (message: M) => Promise<TaskResult<R>>): void {
  workerpool.worker({
    /** Ends with the thread. */
    serve: ({ port, begun, bytesMax }: LaneStart): Promise<never> => {
      let isFat = false;
      const serve = async (message: M): Promise<void> => {
        if (isFat) return;
        Atomics.add(begun, 0, 1);
        const [reply, transfer] = await answer(handle, message);
        isFat = reply.bytes > bytesMax;
        port.postMessage(reply, transfer);
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

async function answer<M, R>(
  handle: (message: M) => Promise<TaskResult<R>>,
  message: M,
): Promise<[TaskReply<R>, readonly ArrayBuffer[]]> {
  try {
    const { result, transfer } = await handle(message);
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

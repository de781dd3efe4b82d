import { setFlagsFromString } from 'node:v8';
import { Worker, type WorkerOptions } from 'node:worker_threads';

/**
 * MiB that the heap of a thread for data may take before V8 looks for garbage in all of it. V8 counts the buffers that pass
 * through such a thread to its heap, which is small: left to itself it would collect it whole every ten megabytes of data,
 * on cores that the training needs.
 */
const heapMiB = 128;

/** Threads that have been told to start and are not online yet. */
let starting = 0;

/**
 * Starts a thread through which much data passes. Only the collector's first limit is raised, for this thread alone: of its
 * memory nothing is taken beforehand, and what is alive may still grow as it would.
 */
export function startRoomyWorker(file: string, options: WorkerOptions): Worker {
  // A limit that the process was given is its own.
  if (process.execArgv.some((argument) => /^--initial[-_]heap[-_]size/.test(argument)))
    return new Worker(file, options);
  // Threads take V8's flags as they find them while they start: there is no option of a thread for this one.
  starting++;
  setFlagsFromString(`--initial-heap-size=${heapMiB}`);
  let waiting = true;
  const started = (): void => {
    if (!waiting) return;
    waiting = false;
    if (--starting === 0) setFlagsFromString('--initial-heap-size=0');
  };
  const worker = new Worker(file, options);
  worker.once('online', started);
  worker.once('exit', started);
  return worker;
}

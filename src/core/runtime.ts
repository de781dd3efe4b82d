import { availableParallelism } from 'node:os';

/** The only door to time (style rule 7): everything else asks here, so that a simulation can see all of it. */

/** Milliseconds on a clock that never jumps; only differences mean anything. */
export function monotonicMs(): number {
  return performance.now();
}

/** Microseconds on a clock that never jumps and that all threads of the process share. */
export function processMicros(): number {
  return Number(process.hrtime.bigint()) / 1000;
}

/** Microseconds since the epoch, by the wall clock. */
export function wallMicros(): number {
  return Date.now() * 1000;
}

/** Resolves after `ms`; rejects with the signal's reason where that aborts first. Keeps the process alive meanwhile. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** Calls `work` after `ms`, unless the function that is returned is called before. Keeps no process alive. */
export function after(ms: number, work: () => void): () => void {
  const timer = setTimeout(work, ms);
  timer.unref();
  return () => clearTimeout(timer);
}

/** Calls `work` every `ms` until the function that is returned is called. Keeps no process alive. */
export function every(ms: number, work: () => void): () => void {
  const timer = setInterval(work, ms);
  timer.unref();
  return () => clearInterval(timer);
}

/** Lets timers and I/O have a turn. */
export function macrotask(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Threads that this process may run at once. */
export function cores(): number {
  return availableParallelism();
}

/** Milliseconds that the cores spent on this process so far, all its threads together. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

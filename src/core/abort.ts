import { AbortWatch } from './abort-watch.js';
import { SpiralError } from './errors.js';

const aborts = new AbortWatch();

/** The error of work that `signal` ended; `cause` is the signal's reason. */
export function cancelled(signal: AbortSignal, what: string): SpiralError {
  return new SpiralError('cancelled', `${what} was cancelled by its signal.`, { cause: signal.reason });
}

/**
 * Returns unless `signal` has aborted.
 *
 * @throws SpiralError `cancelled`, naming `what`.
 */
export function checkSignal(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) throw cancelled(signal, what);
}

/** Settles as `work` does, or rejects with `cancelled` as soon as `signal` aborts. `work` itself goes on. */
export async function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined, what: string): Promise<T> {
  if (signal === undefined) return work;
  // Whoever hears of the abort first, a later rejection of `work` has an owner.
  work.catch(() => {});
  checkSignal(signal, what);
  let unwatch: (() => void) | undefined;
  try {
    return await Promise.race([
      work,
      new Promise<never>((_, reject) => {
        unwatch = aborts.watch(signal, () => reject(cancelled(signal, what)));
      }),
    ]);
  } finally {
    unwatch?.();
  }
}

import { AbortWatch } from './abort-watch.js';
import { SpiralError } from './errors.js';

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

/** A signal that aborts with the first of `signals`. `end` aborts it, and leaves none of them a listener. */
export function linkedAbort(...signals: readonly (AbortSignal | undefined)[]): { signal: AbortSignal; end(): void } {
  const abort = new AbortController();
  const end = (): void => {
    for (const signal of signals) signal?.removeEventListener('abort', end);
    abort.abort();
  };
  for (const signal of signals) signal?.addEventListener('abort', end, { once: true });
  return { signal: abort.signal, end };
}

/** One for all that wait: a write has as many files under way as it has column groups. */
const aborts = new AbortWatch();

/** Settles as `work` does, or rejects with `cancelled` as soon as `signal` aborts. `work` itself goes on. */
export async function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined, what: string): Promise<T> {
  if (signal === undefined) return work;
  // Whoever hears of the abort first, a later rejection of `work` has an owner.
  work.catch(() => {});
  checkSignal(signal, what);
  let leave: (() => void) | undefined;
  try {
    return await Promise.race([
      work,
      new Promise<never>((_, reject) => {
        leave = aborts.watch(signal, () => reject(cancelled(signal, what)));
      }),
    ]);
  } finally {
    leave?.();
  }
}

import { fetchBackoffMsMax, fetchTriesMax } from '../core/limits.js';
import { deriveSeed } from '../core/random.js';
import { sleep } from '../core/runtime.js';
import type { Fetched } from './fetched.js';

/** What one try of a fetch gave. */
export interface FetchTry {
  readonly fetched: Fetched;
  /** Whether a failure may pass. */
  readonly mayPass: boolean;
  /** Milliseconds that the server wants waited. */
  readonly waitMs: number;
}

/** Statuses of HTTP that may pass. */
const transient: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Whether a status is that of a failure that may pass. */
export function statusMayPass(status: number): boolean {
  return transient.has(status);
}

/** What `once` gives for `place`, tried again after a random wait where a failure may pass. @throws `signal`'s reason. */
export async function fetchTries(place: string, signal: AbortSignal, once: () => Promise<FetchTry>): Promise<Fetched> {
  for (let tries = 1; ; tries++) {
    signal.throwIfAborted();
    const { fetched, mayPass, waitMs } = await once();
    if (!mayPass || tries === fetchTriesMax) return fetched;
    const most = Math.min(fetchBackoffMsMax, 100 * 2 ** tries);
    const share = deriveSeed('fetch', place, tries) / 2 ** 32;
    await sleep(Math.min(fetchBackoffMsMax, Math.max(waitMs, share * most)), signal);
  }
}

/**
 * `work` with a signal that aborts with `signal`, or after `timeoutMs`; what `failed` makes of its error, and of whether it
 * took too long. @throws `signal`'s reason.
 */
export async function withinTime<T>(
  timeoutMs: number,
  signal: AbortSignal,
  work: (own: AbortSignal) => Promise<T>,
  failed: (error: unknown, isLate: boolean) => T,
): Promise<T> {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  signal.addEventListener('abort', abort, { once: true });
  const ended = new AbortController();
  let isLate = false;
  sleep(timeoutMs, ended.signal).then(
    () => {
      isLate = true;
      controller.abort();
    },
    () => {},
  );
  try {
    signal.throwIfAborted();
    return await work(controller.signal);
  } catch (error) {
    signal.throwIfAborted();
    return failed(error, isLate);
  } finally {
    ended.abort();
    signal.removeEventListener('abort', abort);
  }
}

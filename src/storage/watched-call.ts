import { cancelled, checkSignal } from '../core/abort.js';
import { AbortWatch } from '../core/abort-watch.js';
import { monotonicMs, sleep } from '../core/runtime.js';
import type { CloudCall } from './cloud-client.js';
import { Stalled } from './http-wire.js';

/** What a request of a library is given: it ends when the signal aborts, and tells whenever bytes went or came. */
export interface WatchedCall {
  readonly signal: AbortSignal;
  readonly beat: () => void;
}

const aborts = new AbortWatch();

/**
 * What `work` gives, unless nothing went or came for `idleMs`, which it ends with {@link Stalled}, or the signal of `call`
 * aborted: libraries have no such limit, or one for the whole request.
 */
export async function watchedCall<T>(
  { signal, what }: CloudCall,
  idleMs: number,
  work: (call: WatchedCall) => Promise<T>,
): Promise<T> {
  checkSignal(signal, what);
  const [abort, ended] = [new AbortController(), new AbortController()];
  let lastMs = monotonicMs();
  let reason: Error | undefined;
  const end = (why: Error): void => {
    reason ??= why;
    abort.abort(why);
  };
  const unwatch = signal === undefined ? undefined : aborts.watch(signal, () => end(cancelled(signal, what)));
  const watch = async (): Promise<void> => {
    for (let leftMs = idleMs; leftMs > 0; leftMs = lastMs + idleMs - monotonicMs()) await sleep(leftMs, ended.signal);
    end(new Stalled(`no byte for ${idleMs} ms`));
  };
  watch().catch(() => {
    // It ended in time.
  });
  const beat = (): void => {
    lastMs = monotonicMs();
  };
  try {
    return await work({ signal: abort.signal, beat });
  } catch (error) {
    throw reason ?? error;
  } finally {
    ended.abort();
    unwatch?.();
  }
}

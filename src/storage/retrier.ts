import { cancelled, checkSignal } from '../core/abort.js';
import { AbortWatch } from '../core/abort-watch.js';
import { isSpiralError, SpiralError } from '../core/errors.js';
import {
  storeBackoffMs,
  storeBackoffMsMax,
  storeRetriesSaved,
  storeRetryMsMax,
  storeTriesMax,
} from '../core/limits.js';
import { type RandomStream, randomStream, uniqueId } from '../core/random.js';
import { monotonicMs, sleep } from '../core/runtime.js';

/** How often, and for how long, is tried again. */
export interface RetryOptions {
  /** Tries of one operation, the first included. Default 8. */
  readonly triesMax?: number;
  /** Milliseconds after an operation's first failure in which further tries begin. Default 60,000. */
  readonly retryMsMax?: number;
  /** Milliseconds of the first wait, at most; each further one is up to twice as long. Default 100. */
  readonly backoffMs?: number;
  /** Milliseconds of any wait, at most. Default 10,000. */
  readonly backoffMsMax?: number;
  /**
   * Tries again that all operations together have saved up: each takes one of them, each success gives one back. Where
   * there is none left, an operation fails at its first failure: a store that is down is not asked eight times as often.
   * Default 100.
   */
  readonly savedMax?: number;
  /** Told of each try after the first. */
  readonly onRetry?: (() => void) | undefined;
}

/** What is tried again. */
export interface RetriedWork {
  /** Names it, where it is cancelled. */
  readonly what: string;
  readonly signal: AbortSignal | undefined;
  /** Whether it changes anything. Default false. */
  readonly writes?: boolean;
}

const aborts = new AbortWatch();
/** What was tried again already, and is not to be by whoever is above. */
const givenUp = new WeakSet<Error>();

/** Tries again what fails with `unavailable`, after waits of random length (full jitter). One for a store. */
export class Retrier {
  readonly #options: Required<Omit<RetryOptions, 'onRetry'>>;
  readonly #onRetry: (() => void) | undefined;
  readonly #random: RandomStream = randomStream('retry', uniqueId(''));
  readonly #ended: AbortController = new AbortController();
  #saved: number;

  constructor(options: RetryOptions = {}) {
    this.#options = {
      triesMax: options.triesMax ?? storeTriesMax,
      retryMsMax: options.retryMsMax ?? storeRetryMsMax,
      backoffMs: options.backoffMs ?? storeBackoffMs,
      backoffMsMax: options.backoffMsMax ?? storeBackoffMsMax,
      savedMax: options.savedMax ?? storeRetriesSaved,
    };
    this.#saved = this.#options.savedMax;
    this.#onRetry = options.onRetry;
  }

  /**
   * Settles as the first try that does not fail with `unavailable`, or as the last one. `work` is told how many tries
   * failed before.
   *
   * @throws SpiralError `cancelled` where `signal` aborts between two tries, unless `writes`: whether what failed has had
   * its effect is not known then. Else what `work` throws, with `details.tries` where it was tried again.
   */
  async run<T>({ what, signal, writes = false }: RetriedWork, work: (failed: number) => Promise<T>): Promise<T> {
    checkSignal(signal, what);
    let firstMs: number | undefined;
    for (let failed = 0; ; ) {
      try {
        const value = await work(failed);
        this.#saved = Math.min(this.#options.savedMax, this.#saved + 1);
        return value;
      } catch (error) {
        failed++;
        if (!isSpiralError(error, 'unavailable') || givenUp.has(error)) throw error;
        firstMs ??= monotonicMs();
        const waitMs = this.#waitMs(failed, error, monotonicMs() - firstMs);
        if (waitMs === undefined) throw failed === 1 ? error : triedInVain(error, failed);
        this.#saved--;
        if (await this.#slept(waitMs, signal)) {
          this.#onRetry?.();
          continue;
        }
        if (signal?.aborted !== true || writes) throw error;
        throw cancelled(signal, what);
      }
    }
  }

  /** Ends every wait: what failed last is what its operation ends with. */
  close(): void {
    this.#ended.abort();
  }

  /** How long to wait for the next try; undefined for none. */
  #waitMs(failed: number, error: SpiralError, sinceMs: number): number | undefined {
    const { triesMax, retryMsMax, backoffMs, backoffMsMax } = this.#options;
    if (failed >= triesMax || this.#saved < 1 || this.#ended.signal.aborted) return undefined;
    const most = Math.min(backoffMsMax, backoffMs * 2 ** (failed - 1));
    const asked = Number(error.details['retryAfterMs'] ?? 0);
    const waitMs = Math.max(this.#random.unit() * most, asked);
    return sinceMs + waitMs > retryMsMax ? undefined : waitMs;
  }

  /** Whether the whole time has passed. */
  async #slept(ms: number, signal: AbortSignal | undefined): Promise<boolean> {
    if (signal?.aborted === true) return false;
    const woken = new AbortController();
    const watches = [this.#ended.signal, ...(signal === undefined ? [] : [signal])].map((one) =>
      aborts.watch(one, () => woken.abort()),
    );
    try {
      await sleep(ms, woken.signal);
      return true;
    } catch {
      return false;
    } finally {
      for (const leave of watches) leave();
    }
  }
}

/** Has nobody try again what failed with `error`. */
export function neverAgain(error: unknown): void {
  if (error instanceof Error) givenUp.add(error);
}

function triedInVain(error: SpiralError, tries: number): SpiralError {
  const found = new SpiralError('unavailable', `${error.message} (This was the last of ${tries} tries.)`, {
    details: { ...error.details, tries },
    cause: error,
  });
  neverAgain(found);
  return found;
}

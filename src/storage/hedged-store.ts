import { AbortWatch } from '../core/abort-watch.js';
import { isSpiralError } from '../core/errors.js';
import { hedgeSamples, hedgeSamplesMin, hedgesSavedMax } from '../core/limits.js';
import { monotonicMs, sleep } from '../core/runtime.js';
import { markReopenable, reopenUri } from './reopenable.js';
import type { ObjectInfo, ObjectStore, PutBody, RangeOptions, StoreOptions } from './store.js';
import type { StoreMeter } from './store-meter.js';

/** When a read is asked for a second time. */
export interface HedgeOptions {
  /** Share of reads of its size that a read has to be slower than, above 0 and below 1: 0.95 is one in twenty. */
  readonly quantile: number;
  /** Reads that may be asked for twice, as a share of all. Default 1 - quantile. */
  readonly shareMax?: number | undefined;
  /** Counts what is asked for twice. */
  readonly meter?: StoreMeter | undefined;
}

/**
 * `store`, with ranges that take longer than most asked for a second time: the first answer counts, the other request is
 * ended. How long most take is known of the last 128 reads of about the same size, from the 32nd on. All of them together are asked
 * for twice no more than `shareMax` of the time, so that a store that is slow altogether gets no more to do. Where one request fails
 * the other may still answer; where both fail, the error is that of the first. Closing it closes `store`.
 */
export function hedgedStore(store: ObjectStore, options: HedgeOptions): ObjectStore {
  const hedged = new HedgedStore(store, options);
  const uri = reopenUri(store);
  return uri === undefined ? hedged : markReopenable(hedged, uri);
}

class HedgedStore implements ObjectStore {
  readonly uri: string;
  readonly #store: ObjectStore;
  readonly #quantile: number;
  readonly #shareMax: number;
  readonly #meter: StoreMeter | undefined;
  /** By the power of two of their bytes. */
  readonly #times = new Map<number, RecentTimes>();
  #saved = 0;

  constructor(store: ObjectStore, { quantile, shareMax, meter }: HedgeOptions) {
    this.uri = store.uri;
    this.#store = store;
    this.#quantile = quantile;
    this.#shareMax = shareMax ?? 1 - quantile;
    this.#meter = meter;
  }

  get(path: string, options?: StoreOptions): Promise<Uint8Array> {
    return this.#store.get(path, options);
  }

  async getRange(path: string, offset: number, length: number, options?: RangeOptions): Promise<Uint8Array> {
    const times = this.#timesOf(length);
    const delayMs = times.quantile(this.#quantile);
    this.#saved = Math.min(hedgesSavedMax, this.#saved + this.#shareMax);
    const began = monotonicMs();
    const bytes =
      delayMs === undefined || this.#saved < 1
        ? await this.#store.getRange(path, offset, length, options)
        : await this.#raced(path, offset, length, options, delayMs);
    times.add(monotonicMs() - began);
    return bytes;
  }

  getTail(path: string, length: number, options?: StoreOptions): Promise<{ bytes: Uint8Array; size: number }> {
    return this.#store.getTail(path, length, options);
  }

  head(path: string, options?: StoreOptions): Promise<ObjectInfo | undefined> {
    return this.#store.head(path, options);
  }

  put(path: string, body: PutBody, options?: StoreOptions): Promise<void> {
    return this.#store.put(path, body, options);
  }

  putIfAbsent(path: string, body: Uint8Array, options?: StoreOptions): Promise<boolean> {
    return this.#store.putIfAbsent(path, body, options);
  }

  list(prefix: string, options?: StoreOptions): AsyncIterable<ObjectInfo> {
    return this.#store.list(prefix, options);
  }

  delete(path: string, options?: StoreOptions): Promise<void> {
    return this.#store.delete(path, options);
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  /** The range from whichever of two requests answers first, the second of which begins after `delayMs`. */
  async #raced(
    path: string,
    offset: number,
    length: number,
    options: RangeOptions | undefined,
    delayMs: number,
  ): Promise<Uint8Array> {
    const ends = [new AbortController(), new AbortController()] as const;
    const leave =
      options?.signal === undefined
        ? undefined
        : aborts.watch(options.signal, () => {
            for (const end of ends) end.abort(options.signal?.reason);
          });
    const ask = (end: AbortController): Promise<Uint8Array> =>
      // Not into the caller's memory: the request that loses may go on writing for a moment.
      this.#store.getRange(path, offset, length, { signal: end.signal, etag: options?.etag });
    try {
      if (options?.signal?.aborted === true) ends[0].abort(options.signal.reason);
      const first = ask(ends[0]);
      const second = this.#afterwards(first, delayMs, ends[1], ask);
      const bytes = await firstAnswer(first, second);
      if (options?.into === undefined) return bytes;
      options.into.set(bytes);
      return options.into.subarray(0, length);
    } finally {
      leave?.();
      for (const end of ends) end.abort();
    }
  }

  /** The second request, or a promise that never settles where none is made. */
  #afterwards(
    first: Promise<Uint8Array>,
    delayMs: number,
    end: AbortController,
    ask: (end: AbortController) => Promise<Uint8Array>,
  ): Promise<Uint8Array | undefined> {
    const settled = new AbortController();
    const over = (): void => settled.abort();
    first.then(over, over);
    return sleep(delayMs, AbortSignal.any([settled.signal, end.signal])).then(
      () => {
        if (this.#saved < 1) return undefined;
        this.#saved--;
        this.#meter?.add('hedges');
        return ask(end).then((bytes) => {
          if (!settled.signal.aborted) this.#meter?.add('hedgesWon');
          return bytes;
        });
      },
      () => undefined,
    );
  }

  #timesOf(length: number): RecentTimes {
    const size = Math.ceil(Math.log2(Math.max(1, Number(length) || 1)));
    let times = this.#times.get(size);
    if (times === undefined) {
      times = new RecentTimes();
      this.#times.set(size, times);
    }
    return times;
  }
}

const aborts = new AbortWatch();

/** The bytes of whichever has them first; where none does, the error of the first. `undefined` is no answer. */
async function firstAnswer(first: Promise<Uint8Array>, second: Promise<Uint8Array | undefined>): Promise<Uint8Array> {
  second.catch(() => {});
  const one = first.then(
    (bytes) => ({ bytes }),
    (error: unknown) => ({ error }),
  );
  const two = second.then(
    (bytes) => (bytes === undefined ? undefined : { bytes }),
    () => undefined,
  );
  const won = await Promise.race([one, two.then((answer) => answer ?? one)]);
  if ('bytes' in won) return won.bytes;
  // What is wrong with the request or the object is so for both of them.
  const other = isSpiralError(won.error, 'unavailable') ? await two : undefined;
  if (other === undefined) throw won.error;
  return other.bytes;
}

/** The times that the last reads took. */
class RecentTimes {
  readonly #times: number[] = [];
  #next = 0;
  #sorted: number[] | undefined;

  add(ms: number): void {
    this.#times[this.#next] = ms;
    this.#next = (this.#next + 1) % hedgeSamples;
    // Sorted anew for every eighth is exact enough, and costs little.
    if (this.#next % 8 === 0) this.#sorted = undefined;
  }

  /** Milliseconds that so large a share of them took at most; undefined where there are too few. */
  quantile(share: number): number | undefined {
    if (this.#times.length < hedgeSamplesMin) return undefined;
    this.#sorted ??= [...this.#times].sort((a, b) => a - b);
    return this.#sorted[Math.min(this.#sorted.length - 1, Math.floor(share * this.#sorted.length))];
  }
}

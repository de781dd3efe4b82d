import { cancelled, checkSignal } from '../core/abort.js';
import { AbortWatch } from '../core/abort-watch.js';
import { isSpiralError } from '../core/errors.js';
import { processMicros } from '../core/runtime.js';
import { Semaphore } from '../core/semaphore.js';
import type { Pace } from './pace.js';
import { followed, isStream } from './put-body.js';
import { markReopenable, reopenUri } from './reopenable.js';
import type { ObjectInfo, ObjectStore, PutBody, RangeOptions, StoreOptions } from './store.js';
import type { StoreMeter } from './store-meter.js';

/** How much a store is asked for. */
export interface LimitOptions {
  /** Operations under way at once; the rest wait in the order in which they came. */
  readonly concurrency: number;
  /** How fast bytes pass, both ways together. Default: as they come. */
  readonly pace?: Pace | undefined;
  /** Counts what is asked. */
  readonly meter?: StoreMeter | undefined;
}

/**
 * `store`, with at most so many operations at once, so many bytes a second, and each of them counted. A list counts as one
 * while its next object is asked for. Bytes are counted when their operation begins where their number is known then, else
 * when they have come: what follows waits for them. Closing it closes `store`.
 */
export function limitedStore(store: ObjectStore, options: LimitOptions): ObjectStore {
  const limited = new LimitedStore(store, options);
  const uri = reopenUri(store);
  return uri === undefined ? limited : markReopenable(limited, uri);
}

/** What waits for its turn. */
interface Asked {
  readonly what: string;
  readonly signal: AbortSignal | undefined;
  /** Bytes that it will read, where that is known. */
  readonly bytes?: number | undefined;
}

class LimitedStore implements ObjectStore {
  readonly uri: string;
  readonly #store: ObjectStore;
  readonly #room: Semaphore;
  readonly #pace: Pace | undefined;
  readonly #meter: StoreMeter | undefined;

  constructor(store: ObjectStore, { concurrency, pace, meter }: LimitOptions) {
    this.uri = store.uri;
    this.#store = store;
    this.#room = new Semaphore(concurrency);
    this.#pace = pace;
    this.#meter = meter;
  }

  get(path: string, options?: StoreOptions): Promise<Uint8Array> {
    return this.#read(
      path,
      options,
      undefined,
      () => this.#store.get(path, options),
      (bytes) => bytes.length,
    );
  }

  getRange(path: string, offset: number, length: number, options?: RangeOptions): Promise<Uint8Array> {
    // Nothing is asked of a store for no bytes, nor for numbers that it refuses.
    const bytes = Number.isSafeInteger(length) && length > 0 ? length : 0;
    return this.#read(
      path,
      options,
      bytes,
      () => this.#store.getRange(path, offset, length, options),
      () => bytes,
    );
  }

  getTail(path: string, length: number, options?: StoreOptions): Promise<{ bytes: Uint8Array; size: number }> {
    const work = (): Promise<{ bytes: Uint8Array; size: number }> => this.#store.getTail(path, length, options);
    return this.#read(path, options, undefined, work, ({ bytes }) => bytes.length);
  }

  head(path: string, options?: StoreOptions): Promise<ObjectInfo | undefined> {
    this.#meter?.add('heads');
    return this.#turn({ what: `read of ${path}`, signal: options?.signal }, () => this.#store.head(path, options));
  }

  put(path: string, body: PutBody, options?: StoreOptions): Promise<void> {
    return this.#write(path, options, () => this.#store.put(path, this.#counted(body), options));
  }

  putIfAbsent(path: string, body: Uint8Array, options?: StoreOptions): Promise<boolean> {
    return this.#write(path, options, () => {
      if (body instanceof Uint8Array) this.#sent(body.length);
      return this.#store.putIfAbsent(path, body, options);
    });
  }

  async *list(prefix: string, options?: StoreOptions): AsyncGenerator<ObjectInfo> {
    this.#meter?.add('lists');
    const list = this.#store.list(prefix, options)[Symbol.asyncIterator]();
    try {
      for (;;) {
        const found = await this.#turn({ what: `list of ${prefix}`, signal: options?.signal }, () => list.next());
        if (found.done === true) return;
        yield found.value;
      }
    } finally {
      await list.return?.();
    }
  }

  delete(path: string, options?: StoreOptions): Promise<void> {
    return this.#write(path, options, () => this.#store.delete(path, options));
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #read<T>(
    path: string,
    options: StoreOptions | undefined,
    known: number | undefined,
    work: () => Promise<T>,
    bytesOf: (found: T) => number,
  ): Promise<T> {
    this.#meter?.add('reads');
    return this.#turn({ what: `read of ${path}`, signal: options?.signal, bytes: known }, async () => {
      const began = processMicros();
      const found = await work();
      const bytes = bytesOf(found);
      if (known === undefined) this.#pace?.take(bytes);
      this.#meter?.read(bytes, processMicros() - began);
      return found;
    });
  }

  #write<T>(path: string, options: StoreOptions | undefined, work: () => Promise<T>): Promise<T> {
    this.#meter?.add('writes');
    return this.#turn({ what: `write of ${path}`, signal: options?.signal }, work);
  }

  /** `body`, counted as it is taken. */
  #counted(body: PutBody): PutBody {
    if (body instanceof Uint8Array) this.#sent(body.length);
    else if (Array.isArray(body)) for (const piece of body) this.#sent(piece instanceof Uint8Array ? piece.length : 0);
    else if (isStream(body)) {
      const gives = async (bytes: number): Promise<void> => {
        await this.#pace?.turn(0, undefined);
        this.#sent(bytes);
      };
      return followed(body, { gives });
    }
    return body;
  }

  #sent(bytes: number): void {
    this.#pace?.take(bytes);
    this.#meter?.add('bytesWritten', bytes);
  }

  /** Does `work` when it is its turn. @throws SpiralError `cancelled`, naming `what`, while it waits. */
  async #turn<T>({ what, signal, bytes = 0 }: Asked, work: () => Promise<T>): Promise<T> {
    const asked = processMicros();
    let begun = false;
    const done = this.#room.run(async () => {
      checkSignal(signal, what);
      await this.#pace?.turn(bytes, signal).catch(() => checkSignal(signal, what));
      begun = true;
      this.#meter?.add('waitMicros', processMicros() - asked);
      return work().catch((error: unknown) => {
        if (!isSpiralError(error, 'not_found') && !isSpiralError(error, 'cancelled')) this.#meter?.add('failures');
        throw error;
      });
    });
    if (signal === undefined) return done;
    // What has begun ends itself by the signal: until then it may write to the caller's memory.
    let leave: (() => void) | undefined;
    const left = new Promise<never>((_, reject) => {
      leave = aborts.watch(signal, () => {
        if (!begun) reject(cancelled(signal, what));
      });
    });
    try {
      return await Promise.race([done, left]);
    } finally {
      leave?.();
    }
  }
}

const aborts = new AbortWatch();

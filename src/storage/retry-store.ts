import { isSpiralError } from '../core/errors.js';
import { uniqueId } from '../core/random.js';
import { comparePaths } from './object-path.js';
import { followed, isStream } from './put-body.js';
import { neverAgain, type RetriedWork, Retrier, type RetryOptions } from './retrier.js';
import type { ObjectInfo, ObjectStore, PutBody, RangeOptions, StoreOptions } from './store.js';

/** What a put if absent leaves beside its object, so that it can be told from others'. */
export interface PutClaim extends StoreOptions {
  /** Nobody else's. */
  readonly token: string;
}

/** A store that can tell whose an object is that was put if absent: one that keeps a word beside its objects. */
export interface ClaimingStore extends ObjectStore {
  putIfAbsent(path: string, body: Uint8Array, options?: StoreOptions & Partial<PutClaim>): Promise<boolean>;
  /** The `token` that the object was put with; null for another way; undefined where there is no object. */
  tokenOf(path: string, options?: StoreOptions): Promise<string | null | undefined>;
}

/**
 * `store`, with operations that fail with `unavailable` tried again: after waits of random length, up to a number of
 * tries, a time, and what the store has saved up (`RetryOptions`). Closing it closes `store`.
 *
 * A put if absent whose answer was lost is looked after before it is answered: it neither gives false for an object that it
 * made itself, nor true for another's. Whose it is tells a {@link ClaimingStore}; of any other store an object with the
 * same bytes counts as one's own, so writers that must know who won put something of their own into them. A list goes on
 * behind the last path that it gave. The body of a put that is a stream can be had once: such a put is tried again only as
 * long as nothing was asked of it.
 */
export function retryStore(store: ObjectStore, options: RetryOptions | Retrier = {}): ObjectStore {
  return new RetryStore(store, options instanceof Retrier ? options : new Retrier(options));
}

class RetryStore implements ObjectStore {
  readonly uri: string;
  readonly #store: ObjectStore | ClaimingStore;
  readonly #retrier: Retrier;

  constructor(store: ObjectStore, retrier: Retrier) {
    this.uri = store.uri;
    this.#store = store;
    this.#retrier = retrier;
  }

  get(path: string, options?: StoreOptions): Promise<Uint8Array> {
    return this.#retrier.run(reading(path, options), () => this.#store.get(path, options));
  }

  getRange(path: string, offset: number, length: number, options?: RangeOptions): Promise<Uint8Array> {
    return this.#retrier.run(reading(path, options), () => this.#store.getRange(path, offset, length, options));
  }

  getTail(path: string, length: number, options?: StoreOptions): Promise<{ bytes: Uint8Array; size: number }> {
    return this.#retrier.run(reading(path, options), () => this.#store.getTail(path, length, options));
  }

  head(path: string, options?: StoreOptions): Promise<ObjectInfo | undefined> {
    return this.#retrier.run(reading(path, options), () => this.#store.head(path, options));
  }

  put(path: string, body: PutBody, options?: StoreOptions): Promise<void> {
    let begun = false;
    const begins = (): void => {
      begun = true;
    };
    const once: PutBody = isStream(body) ? followed(body, { begins }) : body;
    return this.#retrier.run(writing(path, options), () =>
      this.#store.put(path, once, options).catch((error: unknown) => {
        if (begun) neverAgain(error);
        throw error;
      }),
    );
  }

  putIfAbsent(path: string, body: Uint8Array, options?: StoreOptions): Promise<boolean> {
    const token = uniqueId('');
    const claim = { ...options, token };
    return this.#retrier.run(writing(path, options), async (failed) => {
      if (failed > 0) {
        const own = await this.#isOwn(path, body, claim);
        if (own !== undefined) return own;
      }
      const made = await this.#store.putIfAbsent(path, body, claim);
      // An earlier try may have arrived after it was looked for.
      return made || (failed > 0 && (await this.#isOwn(path, body, claim)) === true);
    });
  }

  async *list(prefix: string, options?: StoreOptions): AsyncGenerator<ObjectInfo> {
    const work = { what: `list of ${prefix}`, signal: options?.signal };
    const at: { list?: AsyncIterator<ObjectInfo> | undefined; last?: string } = {};
    const next = async (): Promise<IteratorResult<ObjectInfo>> => {
      try {
        at.list ??= this.#store.list(prefix, options)[Symbol.asyncIterator]();
        for (;;) {
          const found = await at.list.next();
          // A list that was begun anew gives again what was given.
          if (found.done === true || at.last === undefined || comparePaths(found.value.path, at.last) > 0) return found;
        }
      } catch (error) {
        at.list = undefined;
        throw error;
      }
    };
    try {
      for (;;) {
        const found = await this.#retrier.run(work, next);
        if (found.done === true) return;
        at.last = found.value.path;
        yield found.value;
      }
    } finally {
      await at.list?.return?.();
    }
  }

  delete(path: string, options?: StoreOptions): Promise<void> {
    return this.#retrier.run(writing(path, options), () => this.#store.delete(path, options));
  }

  async close(): Promise<void> {
    this.#retrier.close();
    await this.#store.close();
  }

  /** Whether the object at `path` is the one that `claim` stands for; undefined where there is none. */
  async #isOwn(path: string, body: Uint8Array, claim: PutClaim): Promise<boolean | undefined> {
    if ('tokenOf' in this.#store) {
      const token = await this.#store.tokenOf(path, claim);
      return token === undefined ? undefined : token === claim.token;
    }
    try {
      return Buffer.compare(await this.#store.get(path, claim), body) === 0;
    } catch (error) {
      if (isSpiralError(error, 'not_found')) return undefined;
      throw error;
    }
  }
}

const reading = (path: string, options: StoreOptions | undefined): RetriedWork => {
  return { what: `read of ${path}`, signal: options?.signal };
};
const writing = (path: string, options: StoreOptions | undefined): RetriedWork => {
  return { what: `write of ${path}`, signal: options?.signal, writes: true };
};

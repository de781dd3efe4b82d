import { checkPath, checkPrefix } from './object-path.js';
import { type ReadsNow, readAtOnce, readNow, type SmallRange } from './read-now.js';
import { markReopenable, reopenUri } from './reopenable.js';
import type { ObjectInfo, ObjectStore, PutBody, RangeOptions, StoreOptions } from './store.js';
import { storeClosed } from './store-errors.js';

/**
 * The part of `store` below the folder `prefix`, as a store of its own with the same promises. It is a view: closing it
 * leaves `store` open. Errors about an object name its path in `store`.
 *
 * @throws SpiralError as `checkPath` for `prefix`.
 */
export function subStore(store: ObjectStore, prefix: string): ObjectStore {
  const below = new SubStore(store, checkPath(prefix));
  const uri = reopenUri(store);
  return uri === undefined ? below : markReopenable(below, uriBelow(uri, prefix));
}

class SubStore implements ObjectStore, ReadsNow {
  readonly uri: string;
  readonly #store: ObjectStore;
  readonly #folder: string;
  #closed = false;

  constructor(store: ObjectStore, folder: string) {
    this.uri = uriBelow(store.uri, folder);
    this.#store = store;
    this.#folder = `${folder}/`;
  }

  async get(path: string, options?: StoreOptions): Promise<Uint8Array> {
    return this.#store.get(this.#below(path), options);
  }

  async getRange(path: string, offset: number, length: number, options?: RangeOptions): Promise<Uint8Array> {
    return this.#store.getRange(this.#below(path), offset, length, options);
  }

  [readNow](path: string, ranges: readonly SmallRange[]): number | undefined {
    return readAtOnce(this.#store, this.#below(path), ranges);
  }

  async getTail(path: string, length: number, options?: StoreOptions): Promise<{ bytes: Uint8Array; size: number }> {
    return this.#store.getTail(this.#below(path), length, options);
  }

  async head(path: string, options?: StoreOptions): Promise<ObjectInfo | undefined> {
    const info = await this.#store.head(this.#below(path), options);
    return info === undefined ? undefined : { ...info, path };
  }

  async put(path: string, body: PutBody, options?: StoreOptions): Promise<void> {
    return this.#store.put(this.#below(path), body, options);
  }

  async putIfAbsent(path: string, body: Uint8Array, options?: StoreOptions): Promise<boolean> {
    return this.#store.putIfAbsent(this.#below(path), body, options);
  }

  async *list(prefix: string, options?: StoreOptions): AsyncGenerator<ObjectInfo> {
    checkPrefix(prefix);
    this.#checkOpen();
    for await (const info of this.#store.list(this.#folder + prefix, options)) {
      yield { ...info, path: info.path.slice(this.#folder.length) };
    }
  }

  async delete(path: string, options?: StoreOptions): Promise<void> {
    return this.#store.delete(this.#below(path), options);
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #below(path: string): string {
    checkPath(path);
    this.#checkOpen();
    return this.#folder + path;
  }

  #checkOpen(): void {
    if (this.#closed) throw storeClosed(this.uri);
  }
}

function uriBelow(uri: string, folder: string): string {
  return `${uri}/${folder.split('/').map(encodeURIComponent).join('/')}`;
}

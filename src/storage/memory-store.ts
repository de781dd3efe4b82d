import { checkSignal } from '../core/abort.js';
import { uniqueId } from '../core/random.js';
import { wallMicros } from '../core/runtime.js';
import { checkPath, checkPrefix, comparePaths } from './object-path.js';
import { checkBytes, takeBody } from './put-body.js';
import type { ObjectInfo, ObjectStore, PutBody, RangeOptions, StoreOptions } from './store.js';
import { checkRange, checkTail, notFound, storeClosed, truncated, versionChanged } from './store-errors.js';

interface StoredObject {
  readonly bytes: Uint8Array;
  readonly info: ObjectInfo;
}

interface Objects {
  readonly byPath: Map<string, StoredObject>;
  versions: number;
}

const named = new Map<string, Objects>();

/**
 * A store in this thread's memory. Stores of one `name` share their objects and keep them until the thread ends, also
 * after `close()`; without a name the store is private, and its objects go with it. Threads share nothing.
 */
export function memoryStore(name?: string): ObjectStore {
  const objects = name === undefined ? emptyObjects() : (named.get(name) ?? emptyObjects());
  if (name !== undefined) named.set(name, objects);
  return new MemoryStore(`memory://${encodeURIComponent(name ?? uniqueId('private-'))}`, objects);
}

function emptyObjects(): Objects {
  return { byPath: new Map(), versions: 0 };
}

class MemoryStore implements ObjectStore {
  readonly uri: string;
  readonly #objects: Objects;
  #closed = false;

  constructor(uri: string, objects: Objects) {
    this.uri = uri;
    this.#objects = objects;
  }

  async get(path: string, options?: StoreOptions): Promise<Uint8Array> {
    return this.#read(path, options).bytes.slice();
  }

  async getRange(path: string, offset: number, length: number, options?: RangeOptions): Promise<Uint8Array> {
    checkRange(offset, length, options?.into);
    const { bytes, info } = this.#read(path, options);
    if (options?.etag !== undefined && options.etag !== info.etag) throw versionChanged(this.uri, path);
    if (length > 0 && offset + length > bytes.length) {
      throw truncated(this.uri, path, offset, length, Math.max(0, bytes.length - offset));
    }
    if (options?.into === undefined) return bytes.slice(offset, offset + length);
    options.into.set(bytes.subarray(offset, offset + length));
    return options.into.subarray(0, length);
  }

  async getTail(path: string, length: number, options?: StoreOptions): Promise<{ bytes: Uint8Array; size: number }> {
    checkTail(length);
    const { bytes } = this.#read(path, options);
    return { bytes: bytes.slice(Math.max(0, bytes.length - length)), size: bytes.length };
  }

  async head(path: string, options?: StoreOptions): Promise<ObjectInfo | undefined> {
    this.#start('head', path, options);
    return this.#objects.byPath.get(path)?.info;
  }

  async put(path: string, body: PutBody, options?: StoreOptions): Promise<void> {
    this.#start('put', path, options);
    const copies: Uint8Array[] = [];
    const copy = async (pieces: readonly Uint8Array[]): Promise<void> => {
      for (const piece of pieces) copies.push(new Uint8Array(piece));
    };
    await takeBody(body, copy, `put of ${path}`, options?.signal);
    this.#start('put', path, options);
    this.#keep(path, joined(copies));
  }

  async putIfAbsent(path: string, body: Uint8Array, options?: StoreOptions): Promise<boolean> {
    this.#start('putIfAbsent', path, options);
    checkBytes(body);
    if (this.#objects.byPath.has(path)) return false;
    // A Buffer's `slice` is a view.
    this.#keep(path, new Uint8Array(body));
    return true;
  }

  async *list(prefix: string, options?: StoreOptions): AsyncGenerator<ObjectInfo> {
    checkPrefix(prefix);
    this.#checkOpen();
    const paths = [...this.#objects.byPath.keys()].filter((path) => path.startsWith(prefix)).sort(comparePaths);
    for (const path of paths) {
      checkSignal(options?.signal, `list of ${prefix}`);
      const found = this.#objects.byPath.get(path);
      if (found !== undefined) yield found.info;
    }
  }

  async delete(path: string, options?: StoreOptions): Promise<void> {
    this.#start('delete', path, options);
    this.#objects.byPath.delete(path);
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #read(path: string, options: StoreOptions | undefined): StoredObject {
    this.#start('read', path, options);
    const found = this.#objects.byPath.get(path);
    if (found === undefined) throw notFound(this.uri, path);
    return found;
  }

  #start(operation: string, path: string, options: StoreOptions | undefined): void {
    checkPath(path);
    this.#checkOpen();
    checkSignal(options?.signal, `${operation} of ${path}`);
  }

  #checkOpen(): void {
    if (this.#closed) throw storeClosed(this.uri);
  }

  #keep(path: string, bytes: Uint8Array): void {
    const etag = `${++this.#objects.versions}`;
    const info = { path, size: bytes.length, modifiedMs: Math.floor(wallMicros() / 1000), etag };
    this.#objects.byPath.set(path, { bytes, info });
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

import type { MessagePort } from 'node:worker_threads';
import { abortable, cancelled, checkSignal } from '../core/abort.js';
import { fromWire } from '../core/error-wire.js';
import { checkPath, checkPrefix } from './object-path.js';
import { PortCalls } from './port-calls.js';
import { checkBytes, isPieces, takeBody } from './put-body.js';
import type { ObjectInfo, ObjectStore, PutBody, RangeOptions, StoreOptions } from './store.js';
import { checkRange, checkTail } from './store-errors.js';

/**
 * The store that `serveStore` serves at the other end of `port`, in whichever thread that is; `uri` is that store's. Errors
 * are those of the store itself. Closing it closes the port, not the store behind it. It waits for the thread that serves:
 * one that is blocked answers nothing.
 */
export function portStore(port: MessagePort, uri: string): ObjectStore {
  return new PortStore(port, uri);
}

class PortStore implements ObjectStore {
  readonly uri: string;
  readonly #calls: PortCalls;

  constructor(port: MessagePort, uri: string) {
    this.uri = uri;
    this.#calls = new PortCalls(port, uri);
  }

  async get(path: string, options?: StoreOptions): Promise<Uint8Array> {
    return this.#calls.ask({ op: 'get', path: checkPath(path) }, reading(path, options));
  }

  async getRange(path: string, offset: number, length: number, options?: RangeOptions): Promise<Uint8Array> {
    checkRange(offset, length, options?.into);
    const call = { op: 'getRange', path: checkPath(path), offset, length, etag: options?.etag } as const;
    const bytes = await this.#calls.ask(call, reading(path, options));
    if (options?.into === undefined) return bytes;
    options.into.set(bytes);
    return options.into.subarray(0, length);
  }

  async getTail(path: string, length: number, options?: StoreOptions): Promise<{ bytes: Uint8Array; size: number }> {
    checkTail(length);
    return this.#calls.ask({ op: 'getTail', path: checkPath(path), length }, reading(path, options));
  }

  async head(path: string, options?: StoreOptions): Promise<ObjectInfo | undefined> {
    return this.#calls.ask({ op: 'head', path: checkPath(path) }, reading(path, options));
  }

  async put(path: string, body: PutBody, options?: StoreOptions): Promise<void> {
    checkPath(path);
    if (body instanceof Uint8Array) await this.#putPieces(path, [body], options);
    else if (isPieces(body)) await this.#putPieces(path, body.map(checkBytes), options);
    else await this.#putStream(path, body, options);
  }

  async putIfAbsent(path: string, body: Uint8Array, options?: StoreOptions): Promise<boolean> {
    const call = { op: 'putIfAbsent', path: checkPath(path), body: [checkBytes(body)] } as const;
    return this.#calls.ask(call, writing('putIfAbsent', path, options));
  }

  async *list(prefix: string, options?: StoreOptions): AsyncGenerator<ObjectInfo> {
    checkPrefix(prefix);
    const what = `list of ${prefix}`;
    const id = this.#calls.newId();
    const asked = { signal: options?.signal, what, id };
    let ended = false;
    try {
      let page = await this.#calls.ask({ op: 'list', prefix }, asked);
      for (;;) {
        ended = page.ended;
        for (const info of page.infos) {
          checkSignal(options?.signal, what);
          yield info;
        }
        if (page.error !== undefined) throw fromWire(page.error);
        if (ended) return;
        page = await this.#calls.ask({ op: 'more' }, asked);
      }
    } finally {
      if (!ended) this.#calls.leave(id);
    }
  }

  async delete(path: string, options?: StoreOptions): Promise<void> {
    await this.#calls.ask({ op: 'delete', path: checkPath(path) }, writing('delete', path, options));
  }

  async close(): Promise<void> {
    this.#calls.close();
  }

  async #putPieces(path: string, body: readonly Uint8Array[], options: StoreOptions | undefined): Promise<void> {
    await this.#calls.ask({ op: 'put', path, body }, writing('put', path, options));
  }

  /** Sends one piece each time that the server asks for one, until it has answered. */
  async #putStream(path: string, body: AsyncIterable<Uint8Array>, options: StoreOptions | undefined): Promise<void> {
    const asked = writing('put', path, options);
    this.#calls.checkOpen();
    checkSignal(options?.signal, asked.what);
    const id = this.#calls.newId();
    const answered = new AbortController();
    const signal = options?.signal === undefined ? answered.signal : AbortSignal.any([options.signal, answered.signal]);
    const pulls = new Pulls();
    const answer = this.#calls.ask({ op: 'put', path, body: undefined }, { ...asked, id, onPull: () => pulls.add() });
    const give = async (piece: Uint8Array | undefined): Promise<void> => {
      await abortable(pulls.take(), signal, asked.what);
      this.#calls.give(id, piece);
    };
    const giveAll = async (pieces: readonly Uint8Array[]): Promise<void> => {
      for (const piece of pieces) await give(piece);
    };
    let failure: { readonly error: unknown } | undefined;
    // Asked for first: a put that has not begun could not be told that its body failed.
    const sent = abortable(pulls.first(), signal, asked.what)
      .then(() => takeBody(body, giveAll, asked.what, signal))
      .then(() => give(undefined))
      .catch((error: unknown) => {
        if (answered.signal.aborted) return;
        failure = { error };
        this.#calls.leave(id);
      });
    try {
      await answer;
    } catch (error) {
      if (options?.signal?.aborted) throw cancelled(options.signal, asked.what);
      // The producer's error is passed on, whatever became of it on the way.
      throw failure === undefined ? error : (failure as { error: unknown }).error;
    } finally {
      answered.abort();
      await sent;
    }
  }
}

/** How often the server has asked for a piece that it has not got yet. */
class Pulls {
  #count = 0;
  #wake: (() => void) | undefined;

  add(): void {
    this.#count++;
    this.#wake?.();
  }

  /** Resolves once there is one. */
  async first(): Promise<void> {
    if (this.#count > 0) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  async take(): Promise<void> {
    await this.first();
    this.#count--;
  }
}

function reading(path: string, options: StoreOptions | undefined) {
  return { signal: options?.signal, what: `read of ${path}` };
}

function writing(doing: string, path: string, options: StoreOptions | undefined) {
  return { signal: options?.signal, what: `${doing} of ${path}`, writes: true };
}

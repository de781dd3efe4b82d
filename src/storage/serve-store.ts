import type { MessagePort } from 'node:worker_threads';
import { abortable } from '../core/abort.js';
import { toWire, type WireError } from '../core/error-wire.js';
import { listPageMax } from '../core/limits.js';
import { uninitializedBytes } from './byte-buffer.js';
import type { ObjectInfo, ObjectStore } from './store.js';
import type { FromServer, ListPage, StoreAnswers, StoreCall, ToServer } from './store-protocol.js';

/**
 * Serves `store` to whoever makes a `portStore` of the other end of `port`, until either end closes: what is under way is
 * then aborted. `store` stays open, and its own bytes stay its own, even where it hands them out against the contract.
 * The port does not keep this thread alive.
 */
export function serveStore(store: ObjectStore, port: MessagePort): { close(): void } {
  return new StoreServer(store, port);
}

class StoreServer {
  readonly #store: ObjectStore;
  readonly #port: MessagePort;
  readonly #calls = new Map<number, ServedCall>();

  constructor(store: ObjectStore, port: MessagePort) {
    this.#store = store;
    this.#port = port;
    port.on('message', (message: ToServer) => this.#take(message));
    port.on('close', () => this.#abortAll());
    port.unref();
  }

  close(): void {
    this.#port.close();
    this.#abortAll();
  }

  #abortAll(): void {
    for (const [id, call] of this.#calls) {
      this.#calls.delete(id);
      call.abort();
    }
  }

  #take(message: ToServer): void {
    const { id } = message;
    if (message.kind === 'call') void this.#serve(id, message.call);
    else if (message.kind === 'piece') this.#calls.get(id)?.give(message.piece);
    else {
      this.#calls.get(id)?.abort();
      this.#calls.delete(id);
    }
  }

  async #serve(id: number, call: StoreCall): Promise<void> {
    const served = this.#calls.get(id) ?? new ServedCall();
    this.#calls.set(id, served);
    try {
      const { value, transfer } = await this.#answer(id, call, served);
      this.#send({ kind: 'answer', id, value }, transfer);
    } catch (error) {
      this.#send({ kind: 'error', id, error: toWire(error) });
    }
    if (!served.listing) this.#calls.delete(id);
  }

  async #answer(id: number, call: StoreCall, served: ServedCall): Promise<Answer> {
    const store = this.#store;
    const { signal } = served;
    switch (call.op) {
      case 'get':
        return ofBytes(await store.get(call.path, { signal }));
      case 'getRange': {
        const into = uninitializedBytes(call.length);
        const bytes = await store.getRange(call.path, call.offset, call.length, { signal, into, etag: call.etag });
        // A store that reads elsewhere than it was told may need that memory again.
        return bytes.buffer === into.buffer ? { value: into, transfer: [into.buffer] } : ofBytes(bytes);
      }
      case 'getTail': {
        const { bytes, size } = await store.getTail(call.path, call.length, { signal });
        const { value, transfer } = ofBytes(bytes);
        return { value: { bytes: value, size }, transfer };
      }
      case 'head': {
        const info = await store.head(call.path, { signal });
        return { value: info === undefined ? undefined : plainInfo(info), transfer: [] };
      }
      case 'put': {
        const body = call.body ?? served.body(() => this.#send({ kind: 'pull', id }), `put of ${call.path}`);
        await store.put(call.path, body, { signal });
        return { value: undefined, transfer: [] };
      }
      case 'putIfAbsent':
        return { value: await store.putIfAbsent(call.path, call.body[0]!, { signal }), transfer: [] };
      case 'delete':
        await store.delete(call.path, { signal });
        return { value: undefined, transfer: [] };
      case 'list':
        served.list(store.list(call.prefix, { signal }));
        return { value: await served.page(), transfer: [] };
      case 'more':
        return { value: await served.page(), transfer: [] };
    }
  }

  #send(message: FromServer, transfer: readonly ArrayBuffer[] = []): void {
    this.#port.postMessage(message, transfer);
  }
}

interface Answer<V = StoreAnswers[keyof StoreAnswers]> {
  readonly value: V;
  readonly transfer: readonly ArrayBuffer[];
}

/** One call that is under way, or a list between two pages. */
class ServedCall {
  readonly #abort = new AbortController();
  #give: ((piece: Uint8Array | undefined) => void) | undefined;
  #list: AsyncIterator<ObjectInfo> | undefined;

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Whether more pages may be asked for. */
  get listing(): boolean {
    return this.#list !== undefined;
  }

  abort(): void {
    this.#abort.abort();
    Promise.resolve(this.#list?.return?.()).catch(() => {});
    this.#list = undefined;
  }

  /** A body in pieces, each of which `pull` asks for. */
  async *body(pull: () => void, what: string): AsyncGenerator<Uint8Array> {
    for (;;) {
      const given = new Promise<Uint8Array | undefined>((resolve) => {
        this.#give = resolve;
      });
      pull();
      const piece = await abortable(given, this.signal, what);
      if (piece === undefined) return;
      yield piece;
    }
  }

  give(piece: Uint8Array | undefined): void {
    this.#give?.(piece);
  }

  list(list: AsyncIterable<ObjectInfo>): void {
    this.#list = list[Symbol.asyncIterator]();
  }

  async page(): Promise<ListPage> {
    const list = this.#list;
    const infos: ObjectInfo[] = [];
    try {
      while (list !== undefined && infos.length < listPageMax) {
        const next = await list.next();
        if (next.done !== true) infos.push(plainInfo(next.value));
        else return this.#lastPage(infos);
      }
      return { infos, ended: list === undefined, error: undefined };
    } catch (error) {
      return this.#lastPage(infos, toWire(error));
    }
  }

  #lastPage(infos: readonly ObjectInfo[], error?: WireError): ListPage {
    this.#list = undefined;
    return { infos, ended: true, error };
  }
}

/** A copy of `bytes`, handed over. */
function ofBytes(bytes: Uint8Array): Answer<Uint8Array> {
  const copy = uninitializedBytes(bytes.byteLength);
  copy.set(bytes);
  return { value: copy, transfer: [copy.buffer] };
}

/** What the contract names and no more: the rest may not be cloneable. */
function plainInfo({ path, size, modifiedMs, etag }: ObjectInfo): ObjectInfo {
  return { path, size, modifiedMs, etag };
}

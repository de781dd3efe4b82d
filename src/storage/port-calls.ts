import type { MessagePort } from 'node:worker_threads';
import { cancelled, checkSignal } from '../core/abort.js';
import { AbortWatch } from '../core/abort-watch.js';
import { fromWire } from '../core/error-wire.js';
import { storeCallsMax } from '../core/limits.js';
import { storeClosed } from './store-errors.js';
import type { FromServer, StoreAnswers, StoreCall, ToServer } from './store-protocol.js';

/** How a call is made. */
export interface CallOptions {
  readonly signal: AbortSignal | undefined;
  /** What is done, for errors. */
  readonly what: string;
  /** The number of an earlier call that this one goes on with. Default: a new one. */
  readonly id?: number;
  /** Whether the call's effect must be known, so that it is waited for after an abort, too. Default false. */
  readonly writes?: boolean;
  /** Told each time that the server asks for a piece of the body. */
  readonly onPull?: () => void;
}

interface PortCall extends CallOptions {
  readonly id: number;
  readonly call: StoreCall;
  readonly lane: Lane;
  readonly unwatch: () => void;
  resolve(value: never): void;
  reject(error: unknown): void;
  settled: boolean;
}

/** Calls of one kind: `free` more may be sent, the rest wait here. */
interface Lane {
  free: number;
  readonly waiting: PortCall[];
}

/**
 * The calls of a store's client over a port: numbered, bounded, each answered or aborted. Reads and writes are bounded
 * apart, so that a body which is read from the same store never waits for its own put. The port keeps the thread alive only
 * while a call waits for its answer.
 */
export class PortCalls {
  readonly #port: MessagePort;
  readonly #uri: string;
  readonly #sent = new Map<number, PortCall>();
  readonly #reads: Lane = { free: storeCallsMax, waiting: [] };
  readonly #writes: Lane = { free: storeCallsMax, waiting: [] };
  readonly #watch = new AbortWatch();
  #number = 0;
  #unsettled = 0;
  #closed = false;

  /** `uri` names the store in errors. */
  constructor(port: MessagePort, uri: string) {
    this.#port = port;
    this.#uri = uri;
    port.on('message', (message: FromServer) => this.#take(message));
    port.on('close', () => this.close());
    port.unref();
  }

  newId(): number {
    return ++this.#number;
  }

  /** @throws SpiralError `closed`. */
  checkOpen(): void {
    if (this.#closed) throw storeClosed(this.#uri);
  }

  /**
   * Resolves with the server's answer.
   *
   * @throws what the store threw; SpiralError `cancelled`, `closed`.
   */
  async ask<Op extends StoreCall['op']>(
    call: Extract<StoreCall, { op: Op }>,
    options: CallOptions,
  ): Promise<StoreAnswers[Op]> {
    this.checkOpen();
    const { signal, what, writes = false, id = this.newId() } = options;
    checkSignal(signal, what);
    return new Promise<StoreAnswers[Op]>((resolve, reject) => {
      const made: PortCall = {
        ...options,
        id,
        call,
        lane: writes ? this.#writes : this.#reads,
        unwatch: signal === undefined ? () => {} : this.#watch.watch(signal, () => this.#abort(made)),
        resolve,
        reject,
        settled: false,
      };
      if (++this.#unsettled === 1) this.#port.ref();
      made.lane.waiting.push(made);
      this.#dispatch(made.lane);
    });
  }

  /** A piece of the body of call `id`, undefined at its end. */
  give(id: number, piece: Uint8Array | undefined): void {
    const own = piece === undefined ? undefined : copyOf(piece);
    this.#send({ kind: 'piece', id, piece: own }, own === undefined ? [] : [own.buffer]);
  }

  /** Ends call `id` on the server, or lets go of its list. */
  leave(id: number): void {
    this.#send({ kind: 'abort', id });
  }

  /** Ends the port; what is under way rejects with `closed`. A second call does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#port.close();
    const left = [...this.#sent.values(), ...this.#reads.waiting.splice(0), ...this.#writes.waiting.splice(0)];
    this.#sent.clear();
    for (const call of left) this.#settle(call, () => call.reject(storeClosed(this.#uri)));
  }

  #dispatch(lane: Lane): void {
    while (lane.free > 0 && lane.waiting.length > 0) {
      const made = lane.waiting.shift()!;
      lane.free--;
      this.#sent.set(made.id, made);
      const { message, transfer } = copied(made.id, made.call);
      this.#send(message, transfer);
    }
  }

  #take(message: FromServer): void {
    const made = this.#sent.get(message.id);
    if (made === undefined) return;
    if (message.kind === 'pull') {
      made.onPull?.();
      return;
    }
    this.#sent.delete(made.id);
    made.lane.free++;
    this.#settle(made, () => {
      if (message.kind === 'answer') made.resolve(message.value as never);
      else if (made.signal?.aborted) made.reject(cancelled(made.signal, made.what));
      else made.reject(fromWire(message.error));
    });
    this.#dispatch(made.lane);
  }

  #abort(made: PortCall): void {
    const { signal, what, lane } = made;
    const at = lane.waiting.indexOf(made);
    if (at >= 0) lane.waiting.splice(at, 1);
    else this.leave(made.id);
    // One that was sent holds its place until the server is done with it.
    if (at >= 0 || !made.writes) this.#settle(made, () => made.reject(cancelled(signal!, what)));
  }

  #settle(made: PortCall, settle: () => void): void {
    if (made.settled) return;
    made.settled = true;
    made.unwatch();
    settle();
    if (--this.#unsettled === 0 && !this.#closed) this.#port.unref();
  }

  #send(message: ToServer, transfer: readonly ArrayBuffer[] = []): void {
    this.#port.postMessage(message, transfer);
  }
}

/** The message of a call, with its body copied: the caller's bytes stay the caller's. */
function copied(id: number, call: StoreCall): { message: ToServer; transfer: readonly ArrayBuffer[] } {
  if (!('body' in call) || call.body === undefined) return { message: { kind: 'call', id, call }, transfer: [] };
  const body = call.body.map(copyOf);
  return { message: { kind: 'call', id, call: { ...call, body } }, transfer: body.map(({ buffer }) => buffer) };
}

/** Unlike `slice`, which of a Buffer is a view. */
function copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}

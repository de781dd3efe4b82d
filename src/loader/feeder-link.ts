import { MessageChannel, type MessagePort, receiveMessageOnPort, type Worker } from 'node:worker_threads';
import { loadsModules } from '../scan/recipe.js';
import { startRoomyWorker } from '../workers/roomy-worker.js';
import { threadEntry } from '../workers/thread-entry.js';
import type { FeederData, FeederRecipe, FromFeeder, ToFeeder, WireSettings } from './feeder-protocol.js';
import { shareSource } from './feeder-source.js';

/**
 * One file loads sooner; but a transform module, a udf or a module that opens the source has to meet the apache-arrow that it
 * imports itself, and readers of foreign files, which few need, are not in it.
 */
function feederFile(recipe: FeederRecipe, { map }: WireSettings): string {
  if (map === undefined && 'bundle' in recipe && recipe.bundle !== undefined) return recipe.bundle;
  const scan = 'scan' in recipe ? recipe.scan : undefined;
  const isOwn = map === undefined && scan !== undefined && scan.files === undefined && !loadsModules(scan);
  return isOwn ? 'loader/feeder-bundle.js' : 'loader/feeder-thread.js';
}

/**
 * A worker thread, the port to it, and those over which stores are served to it. None keeps the process alive unless
 * something waits for the thread.
 *
 * Nobody listens at the port. A listener would take in, at each turn of the event loop, all that was read ahead: within the
 * `next()` that makes the turn, and into a heap that then holds it for as long as it waits. What was read ahead stays with the
 * port, and a port of its own tells that something came, where it was asked to.
 */
export class FeederLink {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #bell: MessagePort;
  readonly #awaited = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  readonly #unshare: () => void;
  #died: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(recipe: FeederRecipe, settings: WireSettings) {
    const { port1, port2 } = new MessageChannel();
    const bell = new MessageChannel();
    const { shared, ports, close } = shareSource(recipe);
    const awaited = this.#awaited;
    const data: FeederData = { recipe: shared, settings, port: port2, bell: bell.port2, awaited };
    this.#unshare = close;
    this.#port = port1;
    this.#bell = bell.port1;
    this.#worker = startRoomyWorker(threadEntry(feederFile(recipe, settings)), {
      workerData: data,
      transferList: [port2, bell.port2, ...ports],
      execArgv: [],
      name: 'feeder',
    });
    this.#worker.on('error', (error) => this.#die(error));
    this.#worker.on('exit', (code) => this.#die(new Error(`it ended with code ${code}`)));
    this.#bell.on('message', () => this.#wake?.());
    this.#worker.unref();
    this.#bell.unref();
  }

  get dead(): boolean {
    return this.#died !== undefined;
  }

  send(message: ToFeeder): void {
    this.#port.postMessage(message);
  }

  /** The next message, if it is here: without a turn of the event loop. */
  poll(): FromFeeder | undefined {
    return receiveMessageOnPort(this.#port)?.message as FromFeeder | undefined;
  }

  /** The next message; undefined where the thread has died, or the wait was ended before its time. */
  async wait(): Promise<FromFeeder | undefined> {
    Atomics.store(this.#awaited, 0, 1);
    // What came before the thread could know of the wait is not told.
    const here = this.poll();
    if (here !== undefined || this.dead) return here;
    this.#worker.ref();
    this.#bell.ref();
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
    this.#worker.unref();
    this.#bell.unref();
    return this.poll();
  }

  /** Ends a {@link wait} before its time. */
  interrupt(): void {
    this.#wake?.();
  }

  get cause(): Error | undefined {
    return this.#died;
  }

  async close(): Promise<void> {
    this.#die(new Error('it was closed'));
    this.#port.close();
    this.#bell.close();
    await this.#worker.terminate();
  }

  #die(cause: Error): void {
    this.#died ??= cause;
    this.#unshare();
    this.#wake?.();
  }
}

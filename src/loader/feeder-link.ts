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
 */
export class FeederLink {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #unshare: () => void;
  #died: Error | undefined;
  #wake: (() => void) | undefined;
  readonly #arrived: FromFeeder[] = [];

  constructor(recipe: FeederRecipe, settings: WireSettings) {
    const { port1, port2 } = new MessageChannel();
    const { shared, ports, close } = shareSource(recipe);
    const data: FeederData = { recipe: shared, settings, port: port2 };
    this.#unshare = close;
    this.#port = port1;
    this.#worker = startRoomyWorker(threadEntry(feederFile(recipe, settings)), {
      workerData: data,
      transferList: [port2, ...ports],
      execArgv: [],
      name: 'feeder',
    });
    this.#worker.on('error', (error) => this.#die(error));
    this.#worker.on('exit', (code) => this.#die(new Error(`it ended with code ${code}`)));
    this.#port.on('message', (message: FromFeeder) => {
      this.#arrived.push(message);
      this.#wake?.();
    });
    this.#worker.unref();
    this.#port.unref();
  }

  get dead(): boolean {
    return this.#died !== undefined;
  }

  send(message: ToFeeder): void {
    this.#port.postMessage(message);
  }

  /** The next message, if it is here: without a turn of the event loop. */
  poll(): FromFeeder | undefined {
    return this.#arrived.shift() ?? (receiveMessageOnPort(this.#port)?.message as FromFeeder | undefined);
  }

  /** Resolves when there may be a message, or the thread has died. */
  async wait(): Promise<void> {
    if (this.dead || this.#arrived.length > 0) return;
    this.#worker.ref();
    this.#port.ref();
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
    this.#worker.unref();
    this.#port.unref();
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
    await this.#worker.terminate();
  }

  #die(cause: Error): void {
    this.#died ??= cause;
    this.#unshare();
    this.#wake?.();
  }
}

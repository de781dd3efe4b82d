import { MessageChannel, type MessagePort, receiveMessageOnPort, type Worker } from 'node:worker_threads';
import type { Schema } from 'apache-arrow';
import { BatchUnpacker } from '../arrow/packed-batch.js';
import { fromWire } from '../core/error-wire.js';
import { SpiralError } from '../core/errors.js';
import { creditBatches, creditBytes, feederDeathsMax } from '../core/limits.js';
import { type ReopenRecipe, shareRecipe } from '../scan/reopen.js';
import { startRoomyWorker } from '../workers/roomy-worker.js';
import { threadEntry } from '../workers/thread-entry.js';
import { GroupCutter } from './batch-group.js';
import type { WindowPlace } from './batch-stream.js';
import type { PassStart } from './epoch-pass.js';
import {
  type FeederData,
  type FromFeeder,
  type ToFeeder,
  type WireBatch,
  type WireSettings,
  wireBytes,
  wireCount,
} from './feeder-protocol.js';
import { PackedRowIds } from './row-ids.js';
import type { BatchSupply, PassFigures, SuppliedBatch } from './supply.js';

/**
 * The feeder's thread as the main thread sees it: started on the first pass, kept for the next, ended by `close`. Ready
 * batches are taken without a turn of the event loop.
 */
export class Feeder {
  readonly #recipe: ReopenRecipe;
  readonly #settings: WireSettings;
  readonly #schema: Schema;
  #thread: Thread | undefined;
  #passes = 0;

  constructor(recipe: ReopenRecipe, settings: WireSettings, schema: Schema) {
    this.#recipe = recipe;
    this.#settings = settings;
    this.#schema = schema;
  }

  /** Starts the pass over `epoch`; resolves once it is open. One pass at a time: the one before ends. */
  async openPass(
    { epoch, step }: { epoch: number; step: number },
    start: PassStart,
    signal: AbortSignal,
  ): Promise<BatchSupply> {
    const number = ++this.#passes;
    const pass = new FeederPass(() => this.#current(), { number, epoch, step, signal }, start, this.#schema);
    await pass.opened();
    return pass;
  }

  /** Ends the thread. A second call does nothing. */
  async close(): Promise<void> {
    const thread = this.#thread;
    this.#thread = undefined;
    await thread?.close();
  }

  /** The thread, started if there is none or it died. */
  #current(): Thread {
    if (this.#thread === undefined || this.#thread.dead) this.#thread = new Thread(this.#recipe, this.#settings);
    return this.#thread;
  }
}

/**
 * One file loads sooner; but a transform module has to meet the apache-arrow that it imports itself, and readers of foreign
 * files, which few need, are not in it.
 */
function feederFile({ scan }: ReopenRecipe, { map }: WireSettings): string {
  return map === undefined && scan.files === undefined ? 'loader/feeder-bundle.js' : 'loader/feeder-thread.js';
}

/**
 * A worker thread, the port to it, and those over which stores are served to it. None keeps the process alive unless
 * something waits for the thread.
 */
class Thread {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #unshare: () => void;
  #died: Error | undefined;
  #wake: (() => void) | undefined;
  readonly #arrived: FromFeeder[] = [];

  constructor(recipe: ReopenRecipe, settings: WireSettings) {
    const { port1, port2 } = new MessageChannel();
    const { shared, ports, close } = shareRecipe(recipe);
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

interface NumberedPass {
  readonly number: number;
  readonly epoch: number;
  /** Batches before its first, since epoch 0. */
  readonly step: number;
  readonly signal: AbortSignal;
}

/** One pass, as it arrives. A thread that dies is replaced by one that goes on behind the last batch that arrived. */
class FeederPass implements BatchSupply {
  readonly #threads: () => Thread;
  readonly #pass: NumberedPass;
  /** Batches that came before the next that comes, since epoch 0. */
  #step: number;
  readonly #unpackers: { schema: Schema; current: BatchUnpacker };
  readonly #ready: { batch: WireBatch; unpacker: BatchUnpacker; thread: Thread }[] = [];
  #cutter: GroupCutter | undefined;
  #thread: Thread;
  #start: PassStart;
  #opened: { skipped: number; place: WindowPlace } | undefined;
  #figures: PassFigures | undefined;
  /** Bytes of the batches that are cut out of one another's memory now, and the most that ever were. */
  #cutBytes = { now: 0, peak: 0 };
  #owed = { batches: 0, bytes: 0 };
  #deaths = 0;
  #ended = false;
  readonly #interrupt = (): void => this.#thread.interrupt();

  constructor(threads: () => Thread, pass: NumberedPass, start: PassStart, schema: Schema) {
    this.#threads = threads;
    this.#pass = pass;
    this.#step = pass.step;
    this.#start = start;
    this.#unpackers = { schema, current: new BatchUnpacker(schema) };
    this.#thread = this.#started();
    pass.signal.addEventListener('abort', this.#interrupt, { once: true });
  }

  get skipped(): number {
    return this.#opened!.skipped;
  }

  get place(): WindowPlace {
    return this.#opened!.place;
  }

  get depth(): number {
    return this.#ready.length + (this.#cutter?.left ?? 0);
  }

  figures(): PassFigures {
    const { heldBytes, peakBytes, readAhead } = this.#figures!;
    const { now, peak } = this.#cutBytes;
    return { heldBytes: heldBytes + now, peakBytes: peakBytes + peak, readAhead };
  }

  async opened(): Promise<void> {
    while (this.#opened === undefined) await this.#receive();
  }

  async next(): Promise<SuppliedBatch | undefined> {
    if (this.#cutter !== undefined && this.#cutter.left > 0) return this.#cutter.next();
    while (this.#ready.length === 0) {
      if (this.#ended) return undefined;
      await this.#receive();
    }
    const { batch, unpacker, thread } = this.#ready.shift()!;
    if (thread === this.#thread) this.#credit(batch);
    const rowIds = new PackedRowIds(batch.rowIds);
    if ('mapped' in batch) {
      const { mapped, bad, after, times } = batch;
      return { mapped, rowIds, bad, after, times };
    }
    const now = wireBytes(batch);
    this.#cutBytes = { now, peak: Math.max(now, this.#cutBytes.peak) };
    this.#cutter = new GroupCutter(unpacker.unpack(batch.columns), rowIds, batch.group);
    return this.#cutter.next();
  }

  #started(): Thread {
    const thread = this.#threads();
    const { number, epoch } = this.#pass;
    thread.send({ kind: 'start', pass: number, epoch, step: this.#step, start: this.#start });
    return thread;
  }

  /** Takes one message, waiting for it where none is here. */
  async #receive(): Promise<void> {
    if (this.#pass.signal.aborted) throw new SpiralError('cancelled', 'The data loader was stopped.');
    const message = this.#thread.poll();
    if (message !== undefined) {
      if (message.pass === this.#pass.number) this.#take(message);
      return;
    }
    if (this.#thread.dead) this.#restart();
    else {
      this.#settle();
      await this.#thread.wait();
    }
  }

  #take(message: FromFeeder): void {
    if ('figures' in message) this.#figures = message.figures;
    if (message.kind === 'opened') this.#opened ??= { skipped: message.skipped, place: message.place };
    else if (message.kind === 'end') this.#end();
    else if (message.kind === 'error') {
      // What arrived before the error is given first.
      this.#end();
      throw fromWire(message.error);
    } else {
      this.#deaths = 0;
      const unpacker = this.#unpackers.current;
      unpacker.learn(message.fresh);
      for (const batch of message.batches) this.#ready.push({ batch, unpacker, thread: this.#thread });
      this.#start = { place: message.batches.at(-1)!.after };
      const batches = message.batches.reduce((sum, batch) => sum + wireCount(batch), 0);
      this.#step += batches;
    }
  }

  /** The signal may live for many passes: this one must not stay with it. */
  #end(): void {
    this.#ended = true;
    this.#pass.signal.removeEventListener('abort', this.#interrupt);
  }

  /** Counts a batch that was taken; the feeder is told of many at once, as each word to it wakes its thread. */
  #credit(batch: WireBatch): void {
    this.#owed.batches += wireCount(batch);
    this.#owed.bytes += wireBytes(batch);
    if (this.#owed.batches >= creditBatches || this.#owed.bytes >= creditBytes) this.#settle();
  }

  #settle(): void {
    if (this.#owed.batches === 0) return;
    if (!this.#thread.dead) this.#thread.send({ kind: 'credit', pass: this.#pass.number, ...this.#owed });
    this.#owed = { batches: 0, bytes: 0 };
  }

  #restart(): void {
    this.#deaths++;
    if (this.#deaths > feederDeathsMax) {
      throw new SpiralError(
        'feeder_died',
        `The feeder's thread died ${this.#deaths} times without giving a batch. Run with { feeder: false } to see why ` +
          'in this process.',
        { details: { epoch: this.#pass.epoch, deaths: this.#deaths }, cause: this.#thread.cause },
      );
    }
    this.#unpackers.current = new BatchUnpacker(this.#unpackers.schema);
    this.#owed = { batches: 0, bytes: 0 };
    this.#thread = this.#started();
  }
}

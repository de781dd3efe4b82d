import type { Schema } from 'apache-arrow';
import { BatchUnpacker } from '../arrow/packed-batch.js';
import { fromWire } from '../core/error-wire.js';
import { SpiralError } from '../core/errors.js';
import { feederDeathsMax } from '../core/limits.js';
import { monotonicMs } from '../core/runtime.js';
import { GroupCutter } from './batch-group.js';
import type { WindowPlace } from './batch-stream.js';
import type { PassStart, Turn } from './epoch-pass.js';
import type { FeederLink } from './feeder-link.js';
import { type FromFeeder, type WireBatch, type WireRows, wireBytes, wireCount } from './feeder-protocol.js';
import { TakenParcels } from './in-flight.js';
import { PackedRowIds } from './row-ids.js';
import type { BatchSupply, PassFigures, RowsBatch, SuppliedBatch } from './supply.js';

export interface NumberedPass {
  readonly number: number;
  readonly epoch: number;
  /** Batches before its first, since epoch 0. */
  readonly step: number;
  readonly signal: AbortSignal;
}

/** A part of a pass that one thread draws: all of it, from `start` on, where no turn says less. */
export interface PassPart {
  readonly start: PassStart;
  readonly turn?: Turn | undefined;
}

/** What came, and what belongs to the thread that it came from. */
interface Arrived {
  readonly batch: WireBatch;
  readonly unpacker: BatchUnpacker;
  readonly taken: TakenParcels;
}

/**
 * The parts of a pass that one thread draws, as they arrive. A thread that dies is replaced by one that goes on behind the
 * last batch that arrived.
 */
export class FeederPass implements BatchSupply {
  readonly #threads: () => FeederLink;
  readonly #pass: NumberedPass;
  /** Batches that came before the next that comes, since epoch 0. */
  #step: number;
  readonly #unpackers: { schema: Schema; current: BatchUnpacker };
  readonly #ready: Arrived[] = [];
  /** A message that came among batches and that nobody has seen. */
  #other: FromFeeder | undefined;
  #cutter: GroupCutter | undefined;
  #thread: FeederLink;
  /** What was taken of that thread's. */
  #taken = new TakenParcels();
  /** What was asked for and is not at its end, in order. */
  readonly #parts: PassPart[];
  /** Where the first of them stands. */
  #start: PassStart;
  #opened: { skipped: number; place: WindowPlace } | undefined;
  #figures: PassFigures | undefined;
  /** Bytes of the batches that are cut out of one another's memory now, and the most that ever were. */
  #cutBytes = { now: 0, peak: 0 };
  #deaths = 0;
  #waitedMs = 0;
  readonly #interrupt = (): void => this.#thread.interrupt();

  constructor(threads: () => FeederLink, pass: NumberedPass, part: PassPart, schema: Schema) {
    this.#threads = threads;
    this.#pass = pass;
    this.#step = pass.step;
    this.#parts = [part];
    this.#start = part.start;
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

  /** Milliseconds that somebody waited because nothing was ready. */
  get waitedMs(): number {
    return this.#waitedMs;
  }

  /** Where the epoch stands after all batches that are here. */
  get stands(): WindowPlace {
    return 'place' in this.#start ? this.#start.place : this.place;
  }

  get depth(): number {
    return this.#ready.length + (this.#cutter?.left ?? 0);
  }

  figures(): PassFigures {
    if (this.#figures === undefined) return nothingYet;
    const { heldBytes, peakBytes, readAhead } = this.#figures;
    const { now, peak } = this.#cutBytes;
    return { threads: 1, heldBytes: heldBytes + now, peakBytes: peakBytes + peak, readAhead };
  }

  async opened(): Promise<void> {
    while (this.#opened === undefined) await this.#receive();
  }

  /** Asks for one more part, behind those before. */
  add(part: PassPart & { readonly turn: Turn }): void {
    this.#parts.push(part);
    if (this.#parts.length === 1) this.#start = part.start;
    // A thread that died is given all parts when it is replaced.
    if (!this.#thread.dead) this.#thread.send({ kind: 'turn', pass: this.#pass.number, ...part });
  }

  /** Nothing more will be asked for: the signal may live for many passes, and this one must not stay with it. */
  leave(): void {
    this.#pass.signal.removeEventListener('abort', this.#interrupt);
  }

  /**
   * Takes in what is here: a generator's step for it, and those that wait for it, would take several times as long. To receive
   * a message and to open it take a step as long as all else does, so the one is done in the step before the other.
   */
  ready(): RowsBatch | undefined {
    if (this.#cutter === undefined || this.#cutter.left === 0) {
      if (this.#ready.length === 0) this.#takeBatches();
      const [first] = this.#ready;
      if (first === undefined || 'mapped' in first.batch) return undefined;
      this.#cutter = this.#cut(first.batch, first);
      this.#ready.shift();
    } else if (this.#cutter.left === 1 && this.#ready.length === 0) this.#takeBatches();
    return this.#cutter.ready();
  }

  /** The next batch, undefined at the end of each part. */
  async next(): Promise<SuppliedBatch | undefined> {
    if (this.#cutter !== undefined && this.#cutter.left > 0) return this.#cutter.next();
    while (this.#ready.length === 0) {
      if (this.#parts.length === 0 || (await this.#receive()) === 'end') return undefined;
    }
    const arrived = this.#ready.shift()!;
    const { batch, taken } = arrived;
    if (!('mapped' in batch)) {
      this.#cutter = this.#cut(batch, arrived);
      return this.#cutter.next();
    }
    if (taken.add()) this.#call(taken);
    const { mapped, bad, after, times } = batch;
    return { mapped, rowIds: new PackedRowIds(batch.rowIds), bad, after, times };
  }

  /** Opens what was drawn together, which is thereby taken. */
  #cut(batch: WireRows, { unpacker, taken }: Pick<Arrived, 'unpacker' | 'taken'>): GroupCutter {
    if (taken.add()) this.#call(taken);
    const now = wireBytes(batch);
    this.#cutBytes = { now, peak: Math.max(now, this.#cutBytes.peak) };
    return new GroupCutter(unpacker.unpack(batch.columns), new PackedRowIds(batch.rowIds), batch.group);
  }

  /** Takes batches that are here. Any other message is left to who waits for one. */
  #takeBatches(): void {
    if (this.#parts.length === 0 || this.#other !== undefined) return;
    const message = this.#thread.poll();
    if (message === undefined || message.pass !== this.#pass.number) return;
    if (message.kind === 'batches') this.#take(message);
    else this.#other = message;
  }

  #started(): FeederLink {
    const thread = this.#threads();
    const { number, epoch } = this.#pass;
    const [first, ...others] = this.#parts;
    const { turn } = first!;
    const [start, taken] = [this.#start, this.#taken.shared];
    thread.send({ kind: 'start', pass: number, epoch, step: this.#step, start, turn, taken });
    for (const { start, turn } of others) thread.send({ kind: 'turn', pass: number, start, turn: turn! });
    return thread;
  }

  /** Takes one message, waiting for it where none is here; tells the end of a part. */
  async #receive(): Promise<'end' | undefined> {
    if (this.#pass.signal.aborted) throw new SpiralError('cancelled', 'The data loader was stopped.');
    const here = this.#other ?? this.#thread.poll();
    this.#other = undefined;
    if (here === undefined && this.#thread.dead) this.#restart();
    const message = here ?? (await this.#waited());
    return message?.pass === this.#pass.number ? this.#take(message) : undefined;
  }

  /** The next message, where none is here; undefined where the wait ended without one. */
  async #waited(): Promise<FromFeeder | undefined> {
    const beginMs = monotonicMs();
    const message = await this.#thread.wait();
    this.#waitedMs += monotonicMs() - beginMs;
    return message;
  }

  #take(message: FromFeeder): 'end' | undefined {
    if ('figures' in message) this.#figures = message.figures;
    if (message.kind === 'opened') this.#opened ??= { skipped: message.skipped, place: message.place };
    else if (message.kind === 'end') {
      this.#ended();
      return 'end';
    } else if (message.kind === 'error') {
      // What arrived before the error is given first.
      this.#parts.length = 0;
      this.leave();
      throw fromWire(message.error);
    } else {
      this.#deaths = 0;
      const unpacker = this.#unpackers.current;
      unpacker.learn(message.fresh);
      for (const batch of message.batches) this.#ready.push({ batch, unpacker, taken: this.#taken });
      this.#start = { place: message.batches.at(-1)!.after };
      const batches = message.batches.reduce((sum, batch) => sum + wireCount(batch), 0);
      this.#step += batches;
    }
    return undefined;
  }

  /** The first part is at its end. */
  #ended(): void {
    const { turn } = this.#parts.shift()!;
    const [next] = this.#parts;
    if (next !== undefined) this.#start = next.start;
    if (turn === undefined) this.leave();
  }

  /** The thread wants to know that so much was taken; not one that was replaced. */
  #call(taken: TakenParcels): void {
    if (taken === this.#taken && !this.#thread.dead) this.#thread.send({ kind: 'call', pass: this.#pass.number });
  }

  #restart(): void {
    this.#deaths++;
    if (this.#deaths > feederDeathsMax) {
      throw new SpiralError(
        'feeder_died',
        `The feeder's thread died ${this.#deaths} times without giving a batch, at last with: ` +
          `${this.#thread.cause?.message ?? 'no word'}. Run with { feeder: false } to see why in this process.`,
        { details: { epoch: this.#pass.epoch, deaths: this.#deaths }, cause: this.#thread.cause },
      );
    }
    this.#unpackers.current = new BatchUnpacker(this.#unpackers.schema);
    this.#taken = new TakenParcels();
    this.#thread = this.#started();
  }
}

/** Figures of a thread that has not said anything yet. */
const nothingYet: PassFigures = {
  threads: 1,
  heldBytes: 0,
  peakBytes: 0,
  readAhead: { batches: 0, why: 'Not begun.' },
};

import { workerData } from 'node:worker_threads';
import { BatchPacker, type PackedDictionary } from '../arrow/packed-batch.js';
import { toWire } from '../core/error-wire.js';
import { inFlightBatchesMin, messageBatchesMax, messageBytesMin } from '../core/limits.js';
import { Shard } from '../sharding/shard.js';
import { World } from '../sharding/world.js';
import { markHosted } from '../workers/hosted-thread.js';
import { type GroupSupply, groupSize } from './batch-group.js';
import type { BatchMapper } from './batch-mapper.js';
import type { OpenedSource } from './elastic.js';
import { EpochPass } from './epoch-pass.js';
import {
  type FeederData,
  type FromFeeder,
  ringBell,
  type ToFeeder,
  type WireBatch,
  wireBytes,
  wireCount,
} from './feeder-protocol.js';
import { reopenSource } from './feeder-source.js';
import { InFlight } from './in-flight.js';
import { resultBuffers } from './map-result.js';
import type { PassSettings } from './options.js';
import { packRowIds } from './row-ids.js';
import type { OpenSource } from './source.js';
import type { BatchSupply, MappedBatch } from './supply.js';

/**
 * The feeder's thread: reads, decodes, shuffles and batches while the main thread computes. It knows where it is only
 * within a pass; one that dies is started again at the window that main last received from.
 */
markHosted();
const data = workerData as FeederData;
const { recipe, settings, port } = data;
const passSettings: PassSettings = {
  ...settings,
  world: new World({ rank: settings.rank, worldSize: settings.worldSize }),
};
const opened = open();
// The pass that asks for the source reports what went wrong with it.
opened.catch(() => {});
let current: Pass | undefined;
/** Made by the first pass, kept for those after it. */
let mapper: BatchMapper | undefined;

port.on('message', (message: ToFeeder) => {
  if (message.kind === 'call') current?.call(message);
  else if (message.kind === 'turn') current?.add(message);
  else {
    current?.stop();
    current = new Pass(message);
    void current.run();
  }
});

async function open(): Promise<OpenedSource> {
  const source = await reopenSource(recipe, settings.verify);
  return { source, shards: settings.shards?.map((json) => Shard.fromJSON(json)) ?? source.shards };
}

/** What the transform module makes of the batches of `supply`. Loaded only here, for a thread without one starts sooner. */
async function mapped(
  supply: GroupSupply,
  map: NonNullable<PassSettings['map']>,
  source: OpenSource,
  { epoch, step }: Extract<ToFeeder, { kind: 'start' }>,
  signal: AbortSignal,
): Promise<BatchSupply<MappedBatch>> {
  const { MapSupply, openMapper } = await import('./map-supply.js');
  mapper ??= openMapper(map, source.schema);
  return new MapSupply(supply, mapper, { epoch, step, rank: settings.rank }, signal);
}

/** One epoch on its way to main, never further ahead of it than its credits allow. */
class Pass {
  readonly #start: Extract<ToFeeder, { kind: 'start' }>;
  /** What is still to be drawn, in order. */
  readonly #turns: Pick<Extract<ToFeeder, { kind: 'start' }>, 'start' | 'turn'>[];
  readonly #abort = new AbortController();
  /** Packs for this pass's receiver, who knows no dictionary yet. */
  readonly #packer = new BatchPacker();
  readonly #inFlight: InFlight;
  /** Bytes of the message sent last. */
  #lastBytes = 0;
  #supply: GroupSupply | undefined;
  #nextAsked: (() => void) | undefined;

  constructor(message: Extract<ToFeeder, { kind: 'start' }>) {
    this.#start = message;
    this.#inFlight = new InFlight(message.taken, (bytes) => this.#supply!.ledger.add(bytes));
    this.#turns = [message];
  }

  async run(): Promise<void> {
    const { pass, epoch } = this.#start;
    try {
      const source = await opened;
      const { signal } = this.#abort;
      const hungry = (): boolean => {
        this.#inFlight.look();
        return this.#inFlight.batches === 0;
      };
      const epochPass = await EpochPass.open(source, passSettings, epoch, { signal, views: false, hungry });
      for (;;) {
        const { start, turn } = await this.#nextTurn();
        if (signal.aborted) return;
        const supply = await epochPass.from(start, turn);
        this.#supply = supply;
        const { skipped, place } = supply;
        this.#send({ kind: 'opened', pass, skipped, place, figures: supply.figures() });
        if (settings.map === undefined) await this.#feedGroups(supply);
        else await this.#feed(await mapped(supply, settings.map, source.source, this.#start, signal));
        this.#send({ kind: 'end', pass });
      }
    } catch (error) {
      this.#send({ kind: 'error', pass, error: toWire(error) });
    }
  }

  /** One more turn, behind those before. */
  add({ pass, start, turn }: Extract<ToFeeder, { kind: 'turn' }>): void {
    if (pass !== this.#start.pass) return;
    this.#turns.push({ start, turn });
    this.#nextAsked?.();
  }

  call({ pass }: { pass: number }): void {
    if (pass === this.#start.pass) this.#inFlight.call();
  }

  stop(): void {
    this.#abort.abort();
    this.#inFlight.call();
    this.#nextAsked?.();
  }

  /** Sends batches as they are drawn: small ones several at once. */
  async #feedGroups(supply: GroupSupply): Promise<void> {
    let most = 1;
    for (;;) {
      const group = await supply.nextGroup(most);
      if (this.#abort.signal.aborted || group === undefined) return;
      const fresh: PackedDictionary[] = [];
      const { size, count, before, after, bad, times, bytes } = group;
      const columns = this.#packer.pack(group.batch, fresh);
      const rowIds = packRowIds(group.rowIds);
      const place = { size, count, before, after, bad, times, bytes };
      const batch: WireBatch = { columns, group: place, rowIds, after };
      most = groupSize(bytes, count, supply.budget.sentGroupBytesMax);
      // A dictionary's buffer is copied, not transferred: this side may go on using it.
      this.#post([batch], fresh, [columns.buffer, rowIds.buffer]);
      await this.#room();
    }
  }

  /** Sends results, small ones that are ready together several to a message. */
  async #feed(supply: BatchSupply<MappedBatch>): Promise<void> {
    const group = new Group();
    for (;;) {
      const drawn = await supply.next().catch((error) => {
        // An error has its place behind the batches before it.
        if (group.count > 0) this.#flush(group);
        throw error;
      });
      if (this.#abort.signal.aborted) return;
      if (drawn !== undefined) group.add(drawn);
      // None waits here for one that is still being made, which may take for ever.
      const full = group.bytes >= messageBytesMin || group.count >= messageBatchesMax;
      if (group.count > 0 && (full || drawn === undefined || supply.depth === 0)) this.#flush(group);
      if (drawn === undefined) return;
      await this.#room();
    }
  }

  /** The turn to be drawn next, once there is one; any other where the pass was stopped. */
  async #nextTurn(): Promise<Pick<Extract<ToFeeder, { kind: 'start' }>, 'start' | 'turn'>> {
    while (this.#turns.length === 0 && !this.#abort.signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#nextAsked = resolve;
      });
    }
    return this.#turns.shift() ?? this.#start;
  }

  /** Resolves once main has taken enough for more to be made. */
  async #room(): Promise<void> {
    this.#inFlight.look();
    while (this.#full() && !this.#abort.signal.aborted) await this.#inFlight.wait();
  }

  #full(): boolean {
    const { inFlightBytesMax } = this.#supply!.budget;
    const { batches, bytes } = this.#inFlight;
    if (batches < inFlightBatchesMin) return false;
    // The next message will be about as large as the last one.
    return batches >= settings.inFlightBatchesMax || bytes + this.#lastBytes > inFlightBytesMax;
  }

  #flush(group: Group): void {
    const batches = group.take();
    this.#post(
      batches,
      [],
      batches.flatMap((batch) => [
        ...('mapped' in batch ? resultBuffers(batch.mapped) : []),
        batch.rowIds.buffer as ArrayBuffer,
      ]),
    );
  }

  #post(batches: readonly WireBatch[], fresh: readonly PackedDictionary[], buffers: ArrayBuffer[]): void {
    let bytes = 0;
    for (const batch of batches) {
      const parcel = { batches: wireCount(batch), bytes: wireBytes(batch) };
      this.#inFlight.add(parcel);
      bytes += parcel.bytes;
    }
    this.#lastBytes = bytes;
    const { figures } = this.#supply!;
    this.#send({ kind: 'batches', pass: this.#start.pass, batches, fresh, bytes, figures: figures() }, buffers);
  }

  #send(message: FromFeeder, transfer: ArrayBuffer[] = []): void {
    if (this.#abort.signal.aborted) return;
    port.postMessage(message, transfer);
    ringBell(data);
  }
}

/** Results that will be one message. */
class Group {
  #batches: WireBatch[] = [];
  #bytes = 0;

  get count(): number {
    return this.#batches.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add({ mapped, rowIds, bad, after, times }: MappedBatch): void {
    const batch: WireBatch = { mapped, rowIds: packRowIds(rowIds), bad, after, times };
    this.#batches.push(batch);
    this.#bytes += wireBytes(batch);
  }

  take(): WireBatch[] {
    const batches = this.#batches;
    this.#batches = [];
    this.#bytes = 0;
    return batches;
  }
}

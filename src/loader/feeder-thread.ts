import { workerData } from 'node:worker_threads';
import { BatchPacker, type PackedDictionary } from '../arrow/packed-batch.js';
import { toWire } from '../core/error-wire.js';
import { inFlightBatchesMin, messageBatchesMax, messageBytesMin } from '../core/limits.js';
import { reopenScan } from '../scan/reopen.js';
import { scanSource } from '../scan/scan-source.js';
import { Shard } from '../sharding/shard.js';
import { World } from '../sharding/world.js';
import { markHosted } from '../workers/hosted-thread.js';
import type { BatchMapper } from './batch-mapper.js';
import type { DrawnBatch } from './batch-stream.js';
import { openPass } from './epoch-pass.js';
import { type FeederData, type FromFeeder, type ToFeeder, type WireBatch, wireBytes } from './feeder-protocol.js';
import { resultBuffers } from './map-result.js';
import { MapSupply, openMapper } from './map-supply.js';
import type { PassSettings } from './options.js';
import { packRowIds } from './row-ids.js';
import type { OpenSource } from './source.js';
import type { BatchSupply, SuppliedBatch } from './supply.js';

/**
 * The feeder's thread: reads, decodes, shuffles and batches while the main thread computes. It knows where it is only
 * within a pass; one that dies is started again at the window that main last received from.
 */
markHosted();
const { recipe, settings, port } = workerData as FeederData;
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
  if (message.kind === 'credit') current?.credit(message);
  else {
    current?.stop();
    current = new Pass(message);
    void current.run();
  }
});

async function open(): Promise<{ source: OpenSource; shards: readonly Shard[] }> {
  const { scan } = await reopenScan(recipe);
  const source = scanSource(scan);
  return { source, shards: settings.shards?.map((json) => Shard.fromJSON(json)) ?? source.shards };
}

/** What the transform module, if there is one, makes of the batches of `supply`. */
function mapped(
  supply: BatchSupply<DrawnBatch>,
  source: OpenSource,
  { epoch, step }: Extract<ToFeeder, { kind: 'start' }>,
  signal: AbortSignal,
): BatchSupply {
  if (settings.map === undefined) return supply;
  mapper ??= openMapper(settings.map, source.schema);
  const limits = { bytesMax: settings.inFlightBytesMax, signal };
  return new MapSupply(supply, mapper, { epoch, step, rank: settings.rank }, limits);
}

/** One epoch on its way to main, never further ahead of it than its credits allow. */
class Pass {
  readonly #start: Extract<ToFeeder, { kind: 'start' }>;
  readonly #abort = new AbortController();
  /** Packs for this pass's receiver, who knows no dictionary yet. */
  readonly #packer = new BatchPacker();
  #batches = 0;
  #bytes = 0;
  #resume: (() => void) | undefined;

  constructor(start: Extract<ToFeeder, { kind: 'start' }>) {
    this.#start = start;
  }

  async run(): Promise<void> {
    const { pass, epoch, start } = this.#start;
    try {
      const { source, shards } = await opened;
      const { signal } = this.#abort;
      const supply = mapped(
        await openPass(source, shards, passSettings, epoch, start, signal),
        source,
        this.#start,
        signal,
      );
      this.#send({ kind: 'opened', pass, skipped: supply.skipped, place: supply.place });
      await this.#feed(supply);
      this.#send({ kind: 'end', pass });
    } catch (error) {
      this.#send({ kind: 'error', pass, error: toWire(error) });
    }
  }

  credit({ pass, batches, bytes }: { pass: number; batches: number; bytes: number }): void {
    if (pass !== this.#start.pass) return;
    this.#batches -= batches;
    this.#bytes -= bytes;
    this.#resume?.();
  }

  stop(): void {
    this.#abort.abort();
    this.#resume?.();
  }

  async #feed(supply: BatchSupply): Promise<void> {
    const group = new Group(this.#packer);
    for (;;) {
      const drawn = await supply.next().catch((error) => {
        // An error has its place behind the batches before it.
        if (group.count > 0) this.#flush(group);
        throw error;
      });
      if (this.#abort.signal.aborted) return;
      if (drawn !== undefined) group.add(drawn);
      // Small batches go several to a message, unless main may be waiting for the first of them.
      const full = group.bytes >= messageBytesMin || group.count >= messageBatchesMax;
      if (group.count > 0 && (full || drawn === undefined || this.#batches < inFlightBatchesMin)) this.#flush(group);
      if (drawn === undefined) return;
      while (this.#batches >= inFlightBatchesMin && this.#full() && !this.#abort.signal.aborted) await this.#credited();
    }
  }

  #full(): boolean {
    return this.#batches >= settings.inFlightBatchesMax || this.#bytes >= settings.inFlightBytesMax;
  }

  #credited(): Promise<void> {
    return new Promise((resolve) => {
      this.#resume = resolve;
    });
  }

  #flush(group: Group): void {
    const { batches, fresh, bytes, buffers } = group.take();
    this.#batches += batches.length;
    this.#bytes += bytes;
    this.#send({ kind: 'batches', pass: this.#start.pass, batches, fresh, bytes }, buffers);
  }

  #send(message: FromFeeder, transfer: ArrayBuffer[] = []): void {
    if (!this.#abort.signal.aborted) port.postMessage(message, transfer);
  }
}

/** Batches that will be one message. */
class Group {
  readonly #packer: BatchPacker;
  #batches: WireBatch[] = [];
  #fresh: PackedDictionary[] = [];
  #bytes = 0;

  constructor(packer: BatchPacker) {
    this.#packer = packer;
  }

  get count(): number {
    return this.#batches.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(supplied: SuppliedBatch): void {
    const { after, times } = supplied;
    const made =
      'mapped' in supplied ? { mapped: supplied.mapped } : { columns: this.#packer.pack(supplied.batch, this.#fresh) };
    const batch: WireBatch = { ...made, rowIds: packRowIds(supplied.rowIds), after, times };
    this.#batches.push(batch);
    this.#bytes += wireBytes(batch);
  }

  take(): { batches: WireBatch[]; fresh: PackedDictionary[]; bytes: number; buffers: ArrayBuffer[] } {
    const [batches, fresh, bytes] = [this.#batches, this.#fresh, this.#bytes];
    this.#batches = [];
    this.#fresh = [];
    this.#bytes = 0;
    const buffers = batches.flatMap((batch) => [
      ...('columns' in batch ? [batch.columns.buffer] : resultBuffers(batch.mapped)),
      batch.rowIds.buffer as ArrayBuffer,
    ]);
    // A dictionary's buffer is copied, not transferred: this side may go on using it.
    return { batches, fresh, bytes, buffers };
  }
}

import type { MessagePort } from 'node:worker_threads';
import type { PackedColumns, PackedDictionary } from '../arrow/packed-batch.js';
import type { WireError } from '../core/error-wire.js';
import type { ReopenRecipe } from '../scan/reopen.js';
import type { ShardJson } from '../sharding/shard.js';
import type { BadRow } from './bad-row.js';
import type { GroupPlace } from './batch-group.js';
import type { WindowPlace } from './batch-stream.js';
import type { PassStart, Turn } from './epoch-pass.js';
import type { ModuleRecipe, SharedSource } from './feeder-source.js';
import { type MapResult, resultBytes } from './map-result.js';
import type { LoaderSettings, PassSettings } from './options.js';
import type { StageTimes } from './stats.js';
import type { PassFigures } from './supply.js';

/** How the thread opens the source again. */
export type FeederRecipe = ReopenRecipe | ModuleRecipe;

/** What main and the feeder's thread say to each other. Passes are numbered: what belongs to an older one is dropped. */

/** Settings as they cross: the world by its numbers, shards as JSON. */
export interface WireSettings extends Omit<PassSettings, 'world'> {
  readonly shards: readonly ShardJson[] | undefined;
  readonly rank: number;
  readonly worldSize: number;
}

/** What the thread is started with. */
export interface FeederData {
  readonly recipe: SharedSource;
  readonly settings: WireSettings;
  readonly port: MessagePort;
  /** Where a word wakes main. Nobody there listens at `port`. */
  readonly bell: MessagePort;
  /** Not 0 while main waits for a message: then one word is due, see {@link ringBell}. */
  readonly awaited: Int32Array;
}

/** Wakes main where it waits for what was posted before. */
export function ringBell({ bell, awaited }: FeederData): void {
  if (Atomics.exchange(awaited, 0, 0) !== 0) bell.postMessage(null);
}

/**
 * Main to the feeder. `start`: an epoch from `start` on, or a turn of it; `turn`: one more, behind those before; `call`: of what
 * was on its way so much was taken that the feeder wants to know.
 */
export type ToFeeder =
  | {
      readonly kind: 'start';
      readonly pass: number;
      readonly epoch: number;
      /** Batches before this pass's first, since epoch 0. */
      readonly step: number;
      readonly start: PassStart;
      readonly turn?: Turn | undefined;
      /** Counts what main takes, see `InFlight`. */
      readonly taken: Int32Array;
    }
  | { readonly kind: 'turn'; readonly pass: number; readonly start: PassStart; readonly turn: Turn }
  | { readonly kind: 'call'; readonly pass: number };

/** Batches on the wire as they were drawn together, or what a transform module made of one; see `packRowIds`. */
export type WireBatch = WireRows | WireResult;

/** Batches that were drawn together. */
export interface WireRows extends WirePlace {
  readonly columns: PackedColumns;
  readonly group: GroupPlace;
}

interface WireResult extends WirePlace {
  readonly mapped: MapResult;
  readonly times: StageTimes;
  readonly bad: readonly BadRow[];
}

interface WirePlace {
  readonly rowIds: Float64Array;
  readonly after: WindowPlace;
}

/** How many batches a message's entry is. */
export function wireCount(batch: WireBatch): number {
  return 'columns' in batch ? batch.group.count : 1;
}

/** Bytes that a batch takes on the wire. */
export function wireBytes(batch: WireBatch): number {
  const bytes = 'columns' in batch ? batch.columns.buffer.byteLength : resultBytes(batch.mapped);
  return bytes + batch.rowIds.byteLength;
}

/** The feeder to main, each turn of a pass: `opened`, any number of `batches`, then `end` or `error`. */
export type FromFeeder =
  | {
      readonly kind: 'opened';
      readonly pass: number;
      readonly skipped: number;
      readonly place: WindowPlace;
      readonly figures: PassFigures;
    }
  | {
      readonly kind: 'batches';
      readonly pass: number;
      readonly batches: readonly WireBatch[];
      readonly fresh: readonly PackedDictionary[];
      readonly bytes: number;
      readonly figures: PassFigures;
    }
  | { readonly kind: 'end'; readonly pass: number }
  | { readonly kind: 'error'; readonly pass: number; readonly error: WireError };

/** `settings` for the wire. */
export function wireSettings(settings: LoaderSettings): WireSettings {
  return {
    shards: settings.shards?.map((shard) => shard.toJSON()),
    rank: settings.world.rank,
    worldSize: settings.world.worldSize,
    shuffleShards: settings.shuffleShards,
    seed: settings.seed,
    shuffleBufferSize: settings.shuffleBufferSize,
    batchSize: settings.batchSize,
    batchReadahead: settings.batchReadahead,
    memoryBytesMax: settings.memoryBytesMax,
    interleaveShards: settings.interleaveShards,
    shuffleChunkRows: settings.shuffleChunkRows,
    uneven: settings.uneven,
    past: settings.past,
    inFlightBatchesMax: settings.inFlightBatchesMax,
    skipDamaged: settings.skipDamaged,
    map: settings.map,
    verify: settings.verify,
  };
}

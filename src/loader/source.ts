import type { RecordBatch, Schema } from 'apache-arrow';
import { SpiralError, shown } from '../core/errors.js';
import type { Memory } from '../core/memory-pool.js';
import type { Verify } from '../core/verify.js';
import type { Shard } from '../sharding/shard.js';
import type { World } from '../sharding/world.js';
import type { FeederRecipe } from './feeder-protocol.js';
import type { OrderedEpoch } from './ordered-epoch.js';

/** Rows of a shard, read and decoded. */
export interface Block {
  /** The rows that survive the source's filter, in order. */
  readonly batch: RecordBatch;
  /** Where each of them stood, counted from the first row asked for; undefined where all survived. */
  readonly rows: Int32Array | undefined;
}

/** What a source is, field by field, as it stands in a state: a resumed loader refuses another (law 7). */
export type SourceIdentity = Readonly<Record<string, string | number | null>>;

/** A source that is open: its shards are known and its rows can be read. */
export interface OpenSource {
  readonly schema: Schema;
  /** The natural shards, in order. */
  readonly shards: readonly Shard[];
  /** Whether rows may be missing from blocks, so that a shard's cardinality is unknown. */
  readonly filtered: boolean;
  /** Bytes that a row takes where it is stored, on average, for plans; undefined: not known. */
  readonly bytesPerRow?: number | undefined;
  /** @throws SpiralError `invalid_shards` unless every one of `shards` is a part of this source. */
  checkShards(shards: readonly Shard[]): void;
  /** The end of the stretch around physical row `row` of `shard` that is best read as one. */
  blockEnd(shard: Shard, row: number): number;
  /** Whether, as things stand, the rows around physical row `row` of `shard` cost little to read without all of their stretch. */
  readsAlone?(shard: Shard, row: number): boolean;
  /**
   * Physical rows `from … to` of `shard`. A source may read into `memory`, which is taken back once the rows have been
   * copied out of the block, and must keep no view of it.
   */
  readBlock(shard: Shard, from: number, to: number, signal: AbortSignal, memory?: Memory): Promise<Block>;
  /**
   * Physical rows between `from` and `to` of `shard` that are stored apart from the row before them: of what lies between
   * two, every read fails with `corrupt_file`, or none. Undefined: nobody can say, so damage ends a loader whatever its
   * `rowErrors`.
   */
  readonly cutsWithin?: ((shard: Shard, from: number, to: number) => Promise<readonly number[]>) | undefined;
  /** What is known of {@link LoaderSource.identity} only now: fields that begin with '@'. States taken before lack them. */
  readonly identity?: SourceIdentity | undefined;
  /**
   * Where the source orders its rows itself: what each rank of `world` is given in `epoch`, of which other worlds gave a
   * part before where there are any `past`. Asked for often; equal arguments give equal orders.
   */
  readonly inEpoch?: ((epoch: number, world: World, past: readonly GivenRows[]) => Promise<OrderedEpoch>) | undefined;
}

/** Rows that each rank of a world received in an epoch before another world took over; null: all it was to be given. */
export interface GivenRows {
  readonly worldSize: number;
  readonly rows: readonly (number | null)[];
}

/** How a source is read. */
export interface SourceOptions {
  /** When checksums of what is read are checked, by a source that has any. Default: as the source is set. */
  readonly verify?: Verify | undefined;
}

/**
 * Whatever a loader can read: a scan of tables, files, a stream. Reading the same rows twice gives the same rows, and
 * opening it again, on any machine, the same shards in the same order.
 */
export interface LoaderSource {
  readonly identity: SourceIdentity;
  /** How another thread opens this source again; undefined: only this one can, so there is no feeder. */
  readonly recipe?: FeederRecipe | undefined;
  openSource(options?: SourceOptions): Promise<OpenSource>;
}

/** Returns `source` if a loader can read it. @throws SpiralError `invalid_argument`. */
export function checkedSource(source: LoaderSource): LoaderSource {
  if (typeof source === 'object' && source !== null && typeof source.openSource === 'function') return source;
  const hint = (source as unknown) instanceof Promise ? ' Await it first.' : '';
  throw new SpiralError(
    'invalid_argument',
    `Expected the source of a data loader to be a scan, files or a streaming data set, got ${shown(source)}.${hint}`,
    { details: { found: shown(source) } },
  );
}

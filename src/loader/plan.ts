import { epochHands, type OpenedSource, orderedEpoch, pastOf } from './elastic.js';
import type { LoaderSettings, PassSettings } from './options.js';

/** What an epoch holds for one rank. A figure is null where it is unknown until the rows are read, as under a filter. */
export interface RankPlan {
  readonly rank: number;
  /** Rows that it gives. */
  readonly rows: number | null;
  readonly batches: number | null;
  /** Rows among them that are given again, by `uneven: 'pad'`. */
  readonly padding: number | null;
  /** Rows of the rank that are not given: by `uneven: 'drop'`, and by `dropLast`. */
  readonly dropped: number | null;
  /** Bytes of `rows`, estimated by the source; null also where it does not say. */
  readonly bytes: number | null;
}

/** An epoch before its first read: this rank's figures, then those of all. */
export interface LoaderPlan extends RankPlan {
  readonly epoch: number;
  /** What is left for this rank from where the loader stands, `maxSteps` considered. */
  readonly rowsLeft: number | null;
  readonly batchesLeft: number | null;
  readonly ranks: readonly RankPlan[];
}

/** Where in its run a loader stands. */
export interface PlanPlace {
  readonly epoch: number;
  readonly step: number;
  readonly samples: number;
}

/** What `at.epoch` holds for each rank: of an epoch that another world began, what that left. */
export async function planEpoch(
  opened: OpenedSource,
  settings: LoaderSettings,
  at: PlanPlace,
  signal: AbortSignal,
): Promise<LoaderPlan> {
  const { rank, worldSize } = settings.world;
  const known = await knownRows(opened, settings, at.epoch, signal);
  const ranks = Array.from({ length: worldSize }, (_, number) =>
    known === null ? unknownPlan(number) : rankPlan(known[number]!, number, settings, opened.source.bytesPerRow),
  );
  const left = known === null ? null : leftOf(known[rank]!.length, settings, at);
  return { epoch: at.epoch, ...ranks[rank]!, rowsLeft: left?.rows ?? null, batchesLeft: left?.batches ?? null, ranks };
}

/** Rows that a rank gives; null: how many of them are its own is not known. */
export interface KnownRows {
  readonly length: number;
  readonly own: number | null;
}

/** The rows of each rank in `epoch`; null where only reading tells: under a filter, unless all shards were counted. */
export async function knownRows(
  opened: OpenedSource,
  settings: PassSettings,
  epoch: number,
  signal: AbortSignal,
): Promise<readonly KnownRows[] | null> {
  const { source, shards } = opened;
  const ordered = await orderedEpoch(opened, settings, epoch);
  if (ordered !== undefined) {
    return Array.from({ length: settings.world.worldSize }, (_, rank) => {
      const [length, repeats] = [ordered.rowsOf(rank), ordered.repeatsOf(rank)];
      return { length, own: repeats === null ? null : length - repeats };
    });
  }
  const counted = !source.filtered || shards.every((shard) => shard.cardinality !== null);
  // What a world left of an epoch is parts of shards, which nobody has counted.
  if (!counted || (source.filtered && pastOf(settings, epoch).length > 0)) return null;
  const hands = await epochHands(opened, settings, epoch, signal);
  if (!source.filtered) return hands;
  return hands.map(({ pieces }) => {
    const own = pieces.reduce((sum, { shard }) => sum + shards[shard]!.cardinality!, 0);
    return { own, length: own };
  });
}

function rankPlan(
  { own, length }: KnownRows,
  rank: number,
  { batchSize, dropLast }: LoaderSettings,
  bytesPerRow: number | undefined,
): RankPlan {
  const rows = dropLast ? length - (length % batchSize) : length;
  return {
    rank,
    rows,
    batches: Math.ceil(rows / batchSize),
    padding: own === null ? null : Math.max(0, rows - own),
    dropped: Math.max(0, (own ?? length) - rows),
    bytes: bytesPerRow === undefined ? null : Math.round(rows * bytesPerRow),
  };
}

function unknownPlan(rank: number): RankPlan {
  return { rank, rows: null, batches: null, padding: null, dropped: null, bytes: null };
}

function leftOf(
  length: number,
  { batchSize, dropLast, maxSteps = Number.POSITIVE_INFINITY }: LoaderSettings,
  { samples, step }: PlanPlace,
): { rows: number; batches: number } {
  const left = Math.max(0, length - samples);
  const batches = Math.min(
    Math.max(0, maxSteps - step),
    dropLast ? Math.floor(left / batchSize) : Math.ceil(left / batchSize),
  );
  return { rows: Math.min(left, batches * batchSize), batches };
}

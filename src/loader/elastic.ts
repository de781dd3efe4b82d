import { sliceRanges } from '../arrow/ranges.js';
import { SpiralError } from '../core/errors.js';
import { MemoryLedger } from '../core/memory-ledger.js';
import { deriveSeed } from '../core/random.js';
import { dealHands, type Hand } from '../sharding/deal.js';
import { EpochOrder } from '../sharding/epoch-order.js';
import type { Piece } from '../sharding/piece.js';
import { interleaved, type OpenWindow, openWindow, restPieces } from '../sharding/remainder.js';
import type { Shard } from '../sharding/shard.js';
import { dealt, World } from '../sharding/world.js';
import type { WindowPlace } from './batch-stream.js';
import type { PastWorld } from './elastic-past.js';
import { memoryBudget } from './memory-budget.js';
import { memoryNeeds } from './memory-needs.js';
import type { PassSettings } from './options.js';
import type { OrderedEpoch } from './ordered-epoch.js';
import { DrawnRows } from './row-ids.js';
import type { OpenSource } from './source.js';
import { WindowReader } from './window-reader.js';

/** A source that is open, and the shards that are read of it. */
export interface OpenedSource {
  readonly source: OpenSource;
  readonly shards: readonly Shard[];
}

/**
 * The order of the rows that the rank of `settings` has in `epoch`. Where other worlds began the epoch it is dealt what
 * they left (law 8a): that list follows from the places at which they stopped and from nothing else. Under a filter it
 * takes reading one window of each rank of theirs; without one nothing is read.
 */
export async function epochOrder(
  opened: OpenedSource,
  settings: PassSettings,
  epoch: number,
  signal: AbortSignal,
): Promise<EpochOrder> {
  const { world } = settings;
  const ordered = await orderedEpoch(opened, settings, epoch);
  if (ordered !== undefined) {
    const hand = orderedHand(ordered, world.rank);
    return handOrder(hand, settings, epoch, world.rank, world.worldSize, 0);
  }
  const hands = await epochHands(opened, settings, epoch, signal);
  return handOrder(hands[world.rank]!, settings, epoch, world.rank, world.worldSize, pastOf(settings, epoch).length);
}

/** What each rank of the present world is dealt in `epoch`. */
export async function epochHands(
  opened: OpenedSource,
  settings: PassSettings,
  epoch: number,
  signal: AbortSignal,
): Promise<Hand[]> {
  let list = wholeShards(opened.shards, settings, epoch);
  for (const [changes, past] of pastOf(settings, epoch).entries()) {
    const rests: Piece[][] = [];
    for (const [rank, hand] of dealHands(list, past.worldSize, settings.uneven).entries()) {
      // What a rank without rows of its own repeats is another's.
      if (hand.own === 0) continue;
      const order = handOrder(hand, settings, epoch, rank, past.worldSize, changes);
      const rest = await restOf(opened, settings, order, past.places[rank]!, signal);
      if (past.behind.includes(rank) && rest.length > 0 && !opened.source.filtered) throw fellBehind(rank, past);
      rests.push(rest);
    }
    list = interleaved(rests);
  }
  return dealHands(list, settings.world.worldSize, settings.uneven);
}

/** What the ranks are given in `epoch` by a source that orders its rows itself; undefined: the loader does. */
export async function orderedEpoch(
  { source }: OpenedSource,
  settings: PassSettings,
  epoch: number,
): Promise<OrderedEpoch | undefined> {
  const past = pastOf(settings, epoch).map(({ worldSize, places }) => ({
    worldSize,
    rows: places.map((place) => (place === null ? null : place.start + place.taken)),
  }));
  return source.inEpoch?.(epoch, settings.world, past);
}

/** The places of a rank, as if they were the rows of a shard of its own. */
function orderedHand(ordered: OrderedEpoch, rank: number): Hand {
  const rows = ordered.rowsOf(rank);
  return { pieces: rows === 0 ? [] : [{ shard: rank, from: 0, rows }], own: rows, length: rows };
}

/** What a rank at `place` of `order` has still to give. */
export async function restOf(
  opened: OpenedSource,
  settings: PassSettings,
  order: EpochOrder,
  place: WindowPlace | null,
  signal: AbortSignal,
): Promise<Piece[]> {
  if (place === null || order.rows === 0) return [];
  const window = opened.source.filtered
    ? await readWindow(opened, settings, order, place, signal)
    : openWindow(order, place.start + place.taken);
  return restPieces(order, window);
}

/** The worlds that began `epoch`. */
export function pastOf(settings: PassSettings, epoch: number): readonly PastWorld[] {
  return settings.past?.epoch === epoch ? settings.past.worlds : [];
}

/** The order in which `rank` gives `hand`; `worldChanges` counts the worlds before its own. */
export function handOrder(
  hand: Hand,
  settings: PassSettings,
  epoch: number,
  rank: number,
  worldSize: number,
  worldChanges: number,
): EpochOrder {
  return new EpochOrder(hand.pieces, {
    seed: settings.seed,
    epoch,
    rank,
    worldSize,
    bufferRows: settings.shuffleBufferSize,
    lanes: settings.interleaveShards,
    chunkRows: settings.shuffleChunkRows,
    length: hand.length,
    worldChanges,
  });
}

/** All shards, whole, in the order in which they are dealt. */
function wholeShards(shards: readonly Shard[], { shuffleShards, seed }: PassSettings, epoch: number): Piece[] {
  const all = new World({ rank: 0, worldSize: 1 });
  const order = dealt(shards.length, all, shuffleShards ? deriveSeed('deal', seed, epoch) : undefined);
  return Array.from(order, (shard) => ({ shard, from: 0, rows: shards[shard]!.physicalRows }));
}

/** The window at `place` under a filter, where only reading tells which rows it has and which of them are left. */
async function readWindow(
  { source, shards }: OpenedSource,
  settings: PassSettings,
  order: EpochOrder,
  { start, taken }: WindowPlace,
  signal: AbortSignal,
): Promise<OpenWindow> {
  if (start >= order.rows) return { start: order.rows, next: order.rows, left: new Uint8Array(0) };
  const budget = memoryBudget(undefined, memoryNeeds(source, shards, order, settings));
  const { skipDamaged } = settings;
  const options = { budget, ledger: new MemoryLedger(), skipDamaged, signal, lends: false };
  const { next, places, ranges } = await new WindowReader(source, shards, order, options).read(start);
  const untaken = new DrawnRows(places, sliceRanges(ranges, taken, ranges.total));
  const wanted = new Set<number>();
  for (let at = 0; at < untaken.length; at++) wanted.add(rowKey(untaken.shards[at]!, untaken.rows[at]!));
  const left = new Uint8Array(next - start);
  const chunk = new Int32Array(left.length);
  const offset = new Int32Array(left.length);
  order.locate(start, next, chunk, offset);
  for (let at = 0; at < left.length; at++) {
    const of = chunk[at]!;
    if (wanted.has(rowKey(order.chunks.shard[of]!, order.chunks.from[of]! + offset[at]!))) left[at] = 1;
  }
  return { start, next, left };
}

/** One number for a row of all shards: exact for two million shards of four billion rows. */
const rowKey = (shard: number, row: number): number => shard * 2 ** 32 + row;

function fellBehind(rank: number, { worldSize }: PastWorld): SpiralError {
  return new SpiralError(
    'state_mismatch',
    `Expected the states of all ${worldSize} ranks to be of the same step, but rank ${rank} had received fewer batches ` +
      'than others though it had rows left. Save the states of all ranks together, after the same step.',
    { details: { rank, worldSize } },
  );
}

import { SpiralError } from '../core/errors.js';
import { type Piece, pieceRows } from '../sharding/piece.js';
import { checkedWorld, World } from '../sharding/world.js';
import type { WindowPlace } from './batch-stream.js';
import { epochHands, handOrder, type OpenedSource, orderedEpoch, pastOf, restOf } from './elastic.js';
import { chosenState } from './elastic-state.js';
import { openLoaderSource } from './open-source.js';
import { type LoaderSettings, loaderSettings } from './options.js';
import type { LoaderSource } from './source.js';
import { type LoaderState, parseState, stateOptions, statePast, statePosition } from './state.js';

/** Rows of a shard between two of its rows: all of them, or those that a partly read window left over. */
export interface ResumeSpan {
  /** Number of the shard in the loader's global list. */
  readonly shard: number;
  /** Physical rows `from … to` of it. */
  readonly from: number;
  readonly to: number;
  /** How many of them are read. */
  readonly rows: number;
}

/** What one rank has still to read of the epoch. */
export interface ResumeRank {
  readonly rank: number;
  /** Physical rows, before a filter, repeats not counted. */
  readonly rows: number;
  /** By shard and row. */
  readonly spans: readonly ResumeSpan[];
}

/** What becomes of an epoch on a world. */
export interface ResumePlan {
  readonly epoch: number;
  readonly worldSizeBefore: number;
  readonly worldSize: number;
  readonly ranks: readonly ResumeRank[];
}

/**
 * What each rank of `world` will read of the epoch in which `states` were taken, from those states on, by shards: the same
 * that loaders resumed with `{ world }` read. Opens the source; reads nothing of it, but under a filter the windows that
 * ranks were in.
 *
 * @throws SpiralError as `SpiralDataLoader.fromStateDict`.
 */
export async function explainResume(
  source: LoaderSource,
  states: LoaderState | readonly LoaderState[],
  world: World,
): Promise<ResumePlan> {
  const given: readonly LoaderState[] = Array.isArray(states) ? states : [states as LoaderState];
  const resumed = Array.from({ length: checkedWorld(world).worldSize }, (_, rank) =>
    chosenState(given, new World({ rank, worldSize: world.worldSize })),
  );
  // A rank that has ended the epoch while others have not has nothing of it left.
  const running = resumed.reduce((first, state) => (state.epoch < first.epoch ? state : first));
  const { epoch } = running;
  const settings: LoaderSettings = { ...loaderSettings(stateOptions(running)), past: statePast(running) };
  const opened = await openLoaderSource(source, settings, running);
  const { signal } = new AbortController();
  if (opened.source.inEpoch !== undefined) {
    const left = await orderedRanks(opened, settings, epoch, resumed);
    return { epoch, worldSizeBefore: parseState(given[0]).worldSize, worldSize: world.worldSize, ranks: left };
  }
  const hands = await epochHands(opened, settings, epoch, signal);
  const ranks: ResumeRank[] = [];
  for (const [rank, hand] of hands.entries()) {
    const state = resumed[rank]!;
    const order = handOrder(hand, settings, epoch, rank, world.worldSize, pastOf(settings, epoch).length);
    const ended = hand.own === 0 || state.epoch > epoch;
    const whole = opened.source.filtered && state.samplesYielded === 0;
    const left = whole ? hand.pieces : await restOf(opened, settings, order, placeIn(state), signal);
    ranks.push({ rank, rows: ended ? 0 : pieceRows(left), spans: ended ? [] : spansOf(left) });
  }
  return { epoch, worldSizeBefore: parseState(given[0]).worldSize, worldSize: world.worldSize, ranks };
}

/** The same of a source that orders its rows itself: what is named is what stands at the places left. */
async function orderedRanks(
  opened: OpenedSource,
  settings: LoaderSettings,
  epoch: number,
  states: readonly LoaderState[],
): Promise<ResumeRank[]> {
  const ordered = (await orderedEpoch(opened, settings, epoch))!;
  return states.map((state, rank) => {
    const length = ordered.rowsOf(rank);
    const { start, taken } = state.epoch > epoch ? { start: length, taken: 0 } : placeIn(state);
    const { shards, rows } = ordered.rowIds(rank, Math.min(length, start + taken), length);
    const pieces = Array.from(shards, (shard, at) => ({ shard, from: rows[at]!, rows: 1 }));
    return { rank, rows: pieces.length, spans: spansOf(pieces) };
  });
}

function placeIn(state: LoaderState): WindowPlace {
  const { start, skip } = statePosition(state);
  if (skip === 0 && 'place' in start) return start.place;
  if (skip === 0 && state.samplesYielded === 0) return { start: 0, taken: 0 };
  throw new SpiralError(
    'invalid_state',
    `Expected states that were taken after a batch, got that of rank ${state.rank}, which was moved by \`skipSamples\` or ` +
      '`skipSteps` and not used since.',
    { details: { rank: state.rank } },
  );
}

function spansOf(pieces: readonly Piece[]): ResumeSpan[] {
  const spans: ResumeSpan[] = [];
  for (const piece of [...pieces].sort((a, b) => a.shard - b.shard || a.from - b.from)) {
    const { shard, from, rows, picks } = piece;
    const to = from + (picks === undefined ? rows : picks.at(-1)! + 1);
    const last = spans.at(-1);
    if (last !== undefined && last.shard === shard && last.to === from && last.rows === last.to - last.from && !picks) {
      spans[spans.length - 1] = { ...last, to, rows: last.rows + rows };
    } else if (rows > 0) {
      spans.push({ shard, from, to, rows });
    }
  }
  return spans;
}

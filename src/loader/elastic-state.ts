import { SpiralError, shown } from '../core/errors.js';
import type { World } from '../sharding/world.js';
import type { WindowPlace } from './batch-stream.js';
import { pastToJson } from './elastic-past.js';
import { dealtCounts } from './row-errors.js';
import { type LoaderState, parseState } from './state.js';

/** What the states of a world's ranks have in common, whatever each rank received. */
const commonFields = [
  'seed',
  'shards',
  'shuffleShards',
  'shuffleBufferSize',
  'interleaveShards',
  'shuffleChunkRows',
  'uneven',
  'batchSize',
  'dropLast',
  'infinite',
  'worldSize',
  'source',
] as const satisfies readonly (keyof LoaderState)[];

/**
 * The state that the rank of `world` goes on from: that rank's own where the world has the size it had, else one that
 * takes over its part of what the old ranks left of the epoch (law 8a).
 *
 * @throws SpiralError `invalid_state` where a rank's state is missing, there twice or cannot be handed over,
 * `state_mismatch` where states are of different runs, epochs or steps.
 */
export function chosenState(given: LoaderState | readonly LoaderState[], world: World | undefined): LoaderState {
  if (!Array.isArray(given)) return parseState(given);
  const states = given.map((state) => parseState(state)).sort((a, b) => a.rank - b.rank);
  const [first] = states;
  if (first === undefined) throw unfit('one state at least', 'an empty list');
  if (world === undefined && states.length === 1) return first;
  if (world === undefined) throw unfit('`world` beside the states of several ranks, to say which rank this is', 'none');
  checkCommon(states);
  const twice = states.find(({ rank }, at) => rank === states[at + 1]?.rank);
  if (twice !== undefined) throw unfit('one state a rank', `two of rank ${twice.rank}`);
  if (world.worldSize !== first.worldSize) return handedOver(states, world);
  const own = states.find(({ rank }) => rank === world.rank);
  if (own !== undefined) return own;
  throw unfit(`a state of rank ${world.rank}`, `ranks ${states.map(({ rank }) => rank).join(', ')}`);
}

/** The state of `world`'s rank where the old world's ranks stood at `states`, one each, by rank. */
function handedOver(states: readonly LoaderState[], world: World): LoaderState {
  const { worldSize } = states[0]!;
  const missing = Array.from({ length: worldSize }, (_, rank) => rank).filter((rank) => states[rank]?.rank !== rank);
  if (missing.length > 0) {
    const found = `ranks ${states.map(({ rank }) => rank).join(', ')}`;
    throw unfit(`the states of all ${worldSize} ranks, as the world is now ${world.worldSize}`, found);
  }
  for (const state of states) checkPlaced(state);
  const running = checkEpochs(states);
  const step = Math.max(...states.map((state) => state.step));
  const batches = Math.max(...running.map((state) => state.step - state.epochStep));
  const behind = running.filter((state) => state.step - state.epochStep < batches).map(({ rank }) => rank);
  const places = states.map((state) => (running.includes(state) ? placeOf(state) : null));
  const untouched = places.every((place) => place !== null && place.start === 0 && place.taken === 0);
  const { rowErrors: _own, ...common } = running[0]!;
  const { past } = common;
  const counts = states.map(({ rowErrors }) => rowErrors);
  const rowErrors = dealtCounts(counts, world);
  return {
    ...common,
    ...(rowErrors === undefined ? {} : { rowErrors }),
    step,
    epochStep: step,
    samplesYielded: 0,
    window: [0, 0],
    rank: world.rank,
    worldSize: world.worldSize,
    past: untouched ? past : [...past, pastToJson({ worldSize, places, behind })],
  };
}

function placeOf({ window }: LoaderState): WindowPlace {
  return window === null ? { start: 0, taken: 0 } : { start: window[0], taken: window[1] };
}

function checkCommon(states: readonly LoaderState[]): void {
  const [first] = states;
  for (const state of states) {
    const field = commonFields.find((name) => JSON.stringify(state[name]) !== JSON.stringify(first![name]));
    if (field === undefined) continue;
    throw torn(
      `of one run, but \`${field}\` is ${shown(first![field])} for rank ${first!.rank} and ${shown(state[field])} for ` +
        `rank ${state.rank}`,
      { field, ranks: [first!.rank, state.rank] },
    );
  }
}

/** The states of the epoch that is handed over: all but those of ranks that have ended it and not begun the next. */
function checkEpochs(states: readonly LoaderState[]): LoaderState[] {
  const epoch = Math.min(...states.map((state) => state.epoch));
  const running = states.filter((state) => state.epoch === epoch);
  const past = JSON.stringify(running[0]!.past);
  for (const state of states) {
    const ended = state.epoch === epoch + 1 && state.samplesYielded === 0 && state.past.length === 0;
    if (state.epoch !== epoch && !ended) {
      throw torn(
        `of one epoch, but rank ${running[0]!.rank} is in epoch ${epoch} and rank ${state.rank} in epoch ${state.epoch}`,
        { epochs: states.map((one) => one.epoch) },
      );
    }
    if (state.epoch === epoch && JSON.stringify(state.past) !== past) {
      throw torn(
        `of worlds with one past, but that of rank ${state.rank} differs from that of rank ${running[0]!.rank}`,
        {
          ranks: [running[0]!.rank, state.rank],
        },
      );
    }
  }
  return running;
}

/** Refuses a state that does not say yet at which row it stands: only its own world can tell. */
function checkPlaced({ rank, window, samplesYielded, skip }: LoaderState): void {
  if (skip === 0 && (window !== null || samplesYielded === 0)) return;
  throw unfit(
    'states that were taken after a batch, as the world changes',
    `that of rank ${rank}, which was moved by ${skip === 0 ? '`skipSamples`' : '`skipSteps`'} and not used since. Resume ` +
      'it in its own world first, and take its state after a batch',
  );
}

function unfit(expected: string, found: string): SpiralError {
  return new SpiralError('invalid_state', `Expected ${expected}, got ${found}.`, { details: { expected, found } });
}

function torn(how: string, details: Record<string, unknown>): SpiralError {
  return new SpiralError(
    'state_mismatch',
    `Expected states ${how}. Save the states of all ranks together, after the same step.`,
    { details },
  );
}

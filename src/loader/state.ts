import { SpiralError, shown } from '../core/errors.js';
import { ranksMax } from '../core/limits.js';
import type { Uneven } from '../sharding/deal.js';
import { Shard, type ShardJson } from '../sharding/shard.js';
import { World } from '../sharding/world.js';
import { type EpochPast, type PastWorldJson, pastFromJson, pastToJson } from './elastic-past.js';
import type { PassStart } from './epoch-pass.js';
import type { DataLoaderOptions, LoaderSettings } from './options.js';
import { parseRowErrorCounts, type RowErrorCounts, restartedCounts } from './row-errors.js';
import type { SourceIdentity } from './source.js';

/**
 * Where a loader stands and what it belongs to: plain JSON, under 1 KB for natural shards.
 *
 * ```json
 * { "version": 1, "epoch": 2, "step": 1407, "epochStep": 938, "samplesYielded": 60032, "window": [59904, 128],
 *   "seed": 42, "shards": "natural", "shuffleShards": true, "shuffleBufferSize": 10000, "interleaveShards": 8,
 *   "shuffleChunkRows": 1024, "uneven": "split", "batchSize": 128, "dropLast": false, "infinite": false,
 *   "maxSteps": null, "rank": 0, "worldSize": 1, "past": [], "skip": 0,
 *   "rowErrors": { "rows": 180032, "skipped": 3, "epochRows": 120000, "epochSkipped": 2 },
 *   "source": { "table": "tbl_…", "version": 12, "projection": "9f86d081884c7d65", "where": null } }
 * ```
 */
export interface LoaderState {
  readonly version: 1;
  readonly epoch: number;
  /** Batches since epoch 0, and those of them before this epoch or the last change of world within it. */
  readonly step: number;
  readonly epochStep: number;
  /** Rows of this rank received within `epoch`, since the last change of world within it. */
  readonly samplesYielded: number;
  /** Stream position at which the current window begins, and rows of it received; null: not yet known. */
  readonly window: readonly [start: number, taken: number] | null;
  readonly seed: number;
  readonly shards: 'natural' | readonly ShardJson[];
  readonly shuffleShards: boolean;
  readonly shuffleBufferSize: number;
  readonly interleaveShards: number;
  readonly shuffleChunkRows: number | null;
  readonly uneven: Uneven;
  readonly batchSize: number;
  readonly dropLast: boolean;
  readonly infinite: boolean;
  readonly maxSteps: number | null;
  readonly rank: number;
  readonly worldSize: number;
  /** The worlds that gave the first parts of `epoch`, oldest first. */
  readonly past: readonly PastWorldJson[];
  /** Batches by which `skipSteps` moved the state; counted in `step`, in nothing else until a loader has its source open. */
  readonly skip: number;
  /** What was received and skipped with the option `rowErrors`; left out where it was never set. */
  readonly rowErrors?: RowErrorCounts;
  readonly source: SourceIdentity;
}

/** The newest state format that this version reads and writes. */
export const stateVersion = 1;

/** Settings that name the order of an epoch: in mid-epoch a resumed loader must have the state's. */
const orderFields = [
  'seed',
  'shuffleShards',
  'shuffleBufferSize',
  'interleaveShards',
  'shuffleChunkRows',
  'uneven',
] as const satisfies readonly (keyof LoaderSettings & keyof LoaderState)[];

/**
 * `state`, if it is one.
 *
 * @throws SpiralError `state_version` for a newer format, `invalid_state` for anything else that is no state.
 */
export function parseState(state: unknown): LoaderState {
  const raw = state as LoaderState;
  if (typeof state !== 'object' || state === null || typeof raw.version !== 'number') {
    throw invalid('an object that `stateDict()` returned', state);
  }
  if (raw.version > stateVersion) {
    throw new SpiralError(
      'state_version',
      `Expected a loader state of version ${stateVersion}, got version ${raw.version}. It was written by a newer ` +
        'spiral-loader: resume with that one.',
      { details: { expected: stateVersion, found: raw.version } },
    );
  }
  for (const field of ['epoch', 'step', 'epochStep', 'samplesYielded', 'batchSize', 'rank', 'worldSize'] as const) {
    if (!Number.isSafeInteger(raw[field]) || raw[field] < 0) throw invalid(`a whole \`${field}\``, raw[field]);
  }
  if (raw.worldSize > ranksMax) throw invalid(`a \`worldSize\` of at most ${ranksMax}`, raw.worldSize);
  if (raw.window !== null && !isPlace(raw.window)) throw invalid('a `window` of two whole numbers', raw.window);
  if (raw.shards !== 'natural' && !Array.isArray(raw.shards))
    throw invalid("`shards` as 'natural' or a list", raw.shards);
  if (typeof raw.source !== 'object' || raw.source === null) throw invalid('a `source`', raw.source);
  if (!Array.isArray(raw.past)) throw invalid('a list as `past`', raw.past);
  raw.past.forEach(pastFromJson);
  if (!Number.isSafeInteger(raw.skip)) throw invalid('a whole `skip`', raw.skip);
  if (raw.rowErrors !== undefined) parseRowErrorCounts(raw.rowErrors);
  return raw;
}

/** Where a loader stands, as its state has it. */
export interface LoaderPosition {
  readonly epoch: number;
  readonly step: number;
  readonly epochStep: number;
  readonly samples: number;
  readonly start: PassStart;
  readonly skip: number;
  readonly rowErrors: RowErrorCounts | undefined;
}

/** The state of a loader with `settings` over a source, at `position`. */
export function loaderState(settings: LoaderSettings, source: SourceIdentity, position: LoaderPosition): LoaderState {
  const { epoch, start } = position;
  const past = settings.past?.epoch === epoch ? settings.past.worlds : [];
  return {
    version: stateVersion,
    epoch,
    step: position.step,
    epochStep: position.epochStep,
    samplesYielded: position.samples,
    window: 'place' in start ? [start.place.start, start.place.taken] : null,
    seed: settings.seed,
    shards: settings.shards === undefined ? 'natural' : settings.shards.map((shard) => shard.toJSON()),
    shuffleShards: settings.shuffleShards,
    shuffleBufferSize: settings.shuffleBufferSize,
    interleaveShards: settings.interleaveShards,
    shuffleChunkRows: settings.shuffleChunkRows ?? null,
    uneven: settings.uneven,
    batchSize: settings.batchSize,
    dropLast: settings.dropLast,
    infinite: settings.infinite,
    maxSteps: settings.maxSteps ?? null,
    rank: settings.world.rank,
    worldSize: settings.world.worldSize,
    past: past.map(pastToJson),
    skip: position.skip,
    ...(position.rowErrors === undefined ? {} : { rowErrors: position.rowErrors }),
    source,
  };
}

/** The position of `state`. */
export function statePosition(state: LoaderState): LoaderPosition {
  const { epoch, step, epochStep, samplesYielded: samples, window, skip, rowErrors } = state;
  const start = window === null ? { skip: samples } : { place: { start: window[0], taken: window[1] } };
  return { epoch, step, epochStep, samples, start, skip, rowErrors };
}

/** `state` as it was when its epoch, or this rank's part of it, began. */
export function epochBegin(state: LoaderState): LoaderState {
  const { rowErrors } = state;
  const counts = rowErrors === undefined ? {} : { rowErrors: restartedCounts(rowErrors) };
  return { ...state, ...counts, step: state.epochStep, samplesYielded: 0, window: [0, 0] };
}

/** The worlds that gave the first parts of the epoch of `state`. */
export function statePast(state: LoaderState): EpochPast | undefined {
  return state.past.length === 0 ? undefined : { epoch: state.epoch, worlds: state.past.map(pastFromJson) };
}

/** The options that `state` stands for. */
export function stateOptions(state: LoaderState): DataLoaderOptions<never> {
  const shards = stateShards(state);
  return {
    seed: state.seed,
    shuffleShards: state.shuffleShards,
    shuffleBufferSize: state.shuffleBufferSize,
    interleaveShards: state.interleaveShards,
    ...(state.shuffleChunkRows === null ? {} : { shuffleChunkRows: state.shuffleChunkRows }),
    uneven: state.uneven,
    ...(shards === undefined ? {} : { shards }),
    batchSize: state.batchSize,
    dropLast: state.dropLast,
    infinite: state.infinite,
    ...(state.maxSteps === null ? {} : { maxSteps: state.maxSteps }),
    world: new World({ rank: state.rank, worldSize: state.worldSize }),
  };
}

function isPlace(window: unknown): boolean {
  return Array.isArray(window) && window.length === 2 && window.every((at) => Number.isSafeInteger(at) && at >= 0);
}

/** The shards of a state, if it names any. */
function stateShards(state: LoaderState): Shard[] | undefined {
  return state.shards === 'natural' ? undefined : state.shards.map((json) => Shard.fromJSON(json));
}

/**
 * Refuses to go on from a state with other settings or another world in mid-epoch.
 *
 * @throws SpiralError `state_mismatch`, naming each field that differs.
 */
export function checkStateSettings(state: LoaderState, settings: LoaderSettings): void {
  if (state.samplesYielded === 0 && state.past.length === 0) return;
  const differing = orderFields
    .map((field) => ({ field, state: state[field], found: settings[field] ?? null }))
    .filter(({ state: before, found }) => before !== found);
  const { rank, worldSize } = settings.world;
  if (rank !== state.rank) differing.push({ field: 'rank' as never, state: state.rank, found: rank });
  if (worldSize !== state.worldSize) {
    differing.push({ field: 'worldSize' as never, state: state.worldSize, found: worldSize });
  }
  if (differing.length > 0) throw mismatch('settings', differing);
}

/**
 * Refuses to go on from a state of another source. What only an open source tells is missing from a state that was taken
 * before, and from `source` until then, where it begins with '@'.
 *
 * @throws SpiralError `state_mismatch`, naming each field that differs.
 */
export function checkStateSource({ source: before }: LoaderState, source: SourceIdentity): void {
  const fields = new Set([...Object.keys(before), ...Object.keys(source)]);
  const differing = [...fields]
    .filter((field) => !field.startsWith('@') || (field in before && field in source))
    .map((field) => ({ field, state: before[field] ?? null, found: source[field] ?? null }))
    .filter(({ state, found }) => state !== found);
  if (differing.length > 0) throw mismatch('source', differing);
}

function mismatch(what: string, differing: readonly { field: string; state: unknown; found: unknown }[]): SpiralError {
  const list = differing.map(
    ({ field, state, found }) => `${field}: ${shown(state)} in the state, ${shown(found)} now`,
  );
  const elastic = differing.some(({ field }) => field === 'worldSize')
    ? ' For another world size pass the states of all ranks.'
    : '';
  return new SpiralError(
    'state_mismatch',
    `Expected the ${what} that the state was taken with, but it differs in ${list.join('; ')}. Resume with the ` +
      `same, or start anew without the state.${elastic}`,
    { details: { differing } },
  );
}

function invalid(expected: string, found: unknown): SpiralError {
  return new SpiralError('invalid_state', `Expected a loader state with ${expected}, got ${shown(found)}.`, {
    details: { expected, found },
  });
}

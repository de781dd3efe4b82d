import { SpiralError, shown } from '../core/errors.js';
import { Shard, type ShardJson } from '../sharding/shard.js';
import type { LoaderSettings } from './options.js';
import type { SourceIdentity } from './source.js';

/**
 * Where a loader stands and what it belongs to: plain JSON, under 1 KB for natural shards.
 *
 * ```json
 * { "version": 1, "epoch": 2, "step": 1407, "epochStep": 938, "samplesYielded": 60032, "window": [59904, 128],
 *   "seed": 42, "shards": "natural", "shuffleShards": true, "shuffleBufferSize": 10000, "interleaveShards": 8,
 *   "shuffleChunkRows": 1024, "batchSize": 128, "dropLast": false, "infinite": false, "rank": 0, "worldSize": 1,
 *   "source": { "table": "tbl_…", "version": 12, "projection": "9f86d081884c7d65", "where": null } }
 * ```
 */
export interface LoaderState {
  readonly version: 1;
  readonly epoch: number;
  /** Batches since epoch 0, and those of them before this epoch. */
  readonly step: number;
  readonly epochStep: number;
  /** Rows of this rank received within `epoch`. */
  readonly samplesYielded: number;
  /** Stream position at which the current window begins, and rows of it received; null: not yet known. */
  readonly window: readonly [start: number, taken: number] | null;
  readonly seed: number;
  readonly shards: 'natural' | readonly ShardJson[];
  readonly shuffleShards: boolean;
  readonly shuffleBufferSize: number;
  readonly interleaveShards: number;
  readonly shuffleChunkRows: number | null;
  readonly batchSize: number;
  readonly dropLast: boolean;
  readonly infinite: boolean;
  readonly rank: number;
  readonly worldSize: number;
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
  if (raw.window !== null && !isPlace(raw.window)) throw invalid('a `window` of two whole numbers', raw.window);
  if (raw.shards !== 'natural' && !Array.isArray(raw.shards))
    throw invalid("`shards` as 'natural' or a list", raw.shards);
  if (typeof raw.source !== 'object' || raw.source === null) throw invalid('a `source`', raw.source);
  return raw;
}

function isPlace(window: unknown): boolean {
  return Array.isArray(window) && window.length === 2 && window.every((at) => Number.isSafeInteger(at) && at >= 0);
}

/** The shards of a state, if it names any. */
export function stateShards(state: LoaderState): Shard[] | undefined {
  return state.shards === 'natural' ? undefined : state.shards.map((json) => Shard.fromJSON(json));
}

/**
 * Refuses to go on from a state with other settings or another world in mid-epoch.
 *
 * @throws SpiralError `state_mismatch`, naming each field that differs.
 */
export function checkStateSettings(state: LoaderState, settings: LoaderSettings): void {
  if (state.samplesYielded === 0) return;
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
 * Refuses to go on from a state of another source.
 *
 * @throws SpiralError `state_mismatch`, naming each field that differs.
 */
export function checkStateSource(state: LoaderState, source: SourceIdentity): void {
  const fields = new Set([...Object.keys(state.source), ...Object.keys(source)]);
  const differing = [...fields]
    .map((field) => ({ field, state: state.source[field] ?? null, found: source[field] ?? null }))
    .filter(({ state: before, found }) => before !== found);
  if (differing.length > 0) throw mismatch('source', differing);
}

function mismatch(what: string, differing: readonly { field: string; state: unknown; found: unknown }[]): SpiralError {
  const list = differing.map(
    ({ field, state, found }) => `${field}: ${shown(state)} in the state, ${shown(found)} now`,
  );
  return new SpiralError(
    'state_mismatch',
    `Expected the ${what} that the state was taken with, but it differs in ${list.join('; ')}. Resume with the ` +
      'same, or start anew without the state.',
    { details: { differing } },
  );
}

function invalid(expected: string, found: unknown): SpiralError {
  return new SpiralError('invalid_state', `Expected a loader state with ${expected}, got ${shown(found)}.`, {
    details: { expected, found },
  });
}

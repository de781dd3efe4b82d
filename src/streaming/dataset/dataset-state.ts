import { SpiralError, shown } from '../../core/errors.js';
import type { SourceIdentity } from '../../loader/source.js';
import { type MosaicPosition, type MosaicState, positionOfState, stateOfPosition } from '../mosaic/mosaic-position.js';

/** MosaicML's five fields, and what they belong to: plain JSON. */
export interface StreamingState extends MosaicState {
  /** Missing from a state that MosaicML saved. */
  readonly spiral?: {
    readonly version: 1;
    /** Names the data and its version. */
    readonly data: string;
    /** What decides the order. */
    readonly settings: SourceIdentity;
  };
}

const stateVersion = 1;

/** The state of a data set at `position`, all fields of which are there. */
export function streamingState(position: MosaicPosition, data: string, settings: SourceIdentity): StreamingState {
  return { ...stateOfPosition(position), spiral: { version: stateVersion, data, settings } };
}

/**
 * The position in `state`, and the data it is of, where it says.
 *
 * @throws SpiralError `invalid_state`, `state_version`; `state_mismatch` where it is of other settings than `settings`, naming
 * each that differs, or of MosaicML's order amid an epoch that is to go on in another.
 */
export function parseStreamingState(
  state: unknown,
  settings: SourceIdentity,
): { readonly position: MosaicPosition; readonly data: string | undefined } {
  const position = positionOfState(state);
  const { spiral } = state as StreamingState;
  if (spiral === undefined) {
    if (settings['order'] === 'native' && position.sampleInEpoch > 0) {
      throw new SpiralError(
        'state_mismatch',
        "Expected `order: 'mosaic'` for a state that MosaicML saved amid an epoch, as the native order gives other samples after " +
          'it. Say that, or save the state at the end of an epoch.',
        { details: { sampleInEpoch: position.sampleInEpoch } },
      );
    }
    return { position, data: undefined };
  }
  const known = typeof spiral === 'object' && spiral !== null && typeof spiral.data === 'string';
  if (!known || typeof spiral.settings !== 'object' || spiral.settings === null) {
    throw new SpiralError('invalid_state', `Expected \`spiral\` of the state as it was saved, got ${shown(spiral)}.`);
  }
  if (spiral.version > stateVersion) {
    throw new SpiralError(
      'state_version',
      `Expected a state of version ${stateVersion}, got version ${spiral.version}. It was written by a newer spiral-loader: ` +
        'resume with that one.',
      { details: { expected: stateVersion, found: spiral.version } },
    );
  }
  checkSame('settings', spiral.settings, settings);
  return { position, data: spiral.data };
}

/** @throws SpiralError `state_mismatch` where the data of a state is not what is there now. */
export function checkData(expected: string | undefined, found: string): void {
  if (expected !== undefined) checkSame('data', { data: expected }, { data: found });
}

function checkSame(what: string, before: SourceIdentity, now: SourceIdentity): void {
  const differing = [...new Set([...Object.keys(before), ...Object.keys(now)])]
    .filter((field) => (before[field] ?? null) !== (now[field] ?? null))
    .map((field) => ({ field, state: before[field] ?? null, found: now[field] ?? null }));
  if (differing.length === 0) return;
  const list = differing.map(
    ({ field, state, found }) => `${field}: ${shown(state)} in the state, ${shown(found)} now`,
  );
  throw new SpiralError(
    'state_mismatch',
    `Expected the ${what} that the state was taken with, but it differs in ${list.join('; ')}. Resume with the same, or start ` +
      'anew without the state.',
    { details: { differing } },
  );
}

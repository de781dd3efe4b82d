import { SpiralError, shown } from '../../core/errors.js';

/** Where a run stands: the five fields of MosaicML's `state_dict`, in camelCase. */
export interface MosaicPosition {
  readonly epoch: number;
  /** Samples of the epoch that all ranks together have seen. */
  readonly sampleInEpoch: number;
  /** Those with which the run began; they take precedence over the options. */
  readonly numCanonicalNodes?: number | undefined;
  readonly shuffleSeed?: number | undefined;
  /** Nodes with which the run began; undefined in its first pass. */
  readonly initialPhysicalNodes?: number | undefined;
}

/** MosaicML's own state, as its `StreamingDataset` and `StreamingDataLoader` save it. */
export interface MosaicState {
  readonly epoch: number;
  readonly sample_in_epoch: number;
  readonly num_canonical_nodes: number;
  readonly shuffle_seed: number;
  readonly initial_physical_nodes?: number | null;
}

const fields = [
  ['epoch', 'epoch', 0, true],
  ['sampleInEpoch', 'sample_in_epoch', 0, true],
  ['numCanonicalNodes', 'num_canonical_nodes', 1, false],
  ['shuffleSeed', 'shuffle_seed', 0, false],
  ['initialPhysicalNodes', 'initial_physical_nodes', 1, false],
] as const;

/** @throws SpiralError `invalid_state`, naming the field, where one is missing or out of range. */
export function checkPosition(position: MosaicPosition): void {
  for (const [name, , min, wanted] of fields) checkField(name, position[name], min, wanted);
}

/**
 * The position in a state that MosaicML saved. Old states have no `initial_physical_nodes`.
 *
 * @throws SpiralError `invalid_state`, naming the field, where it is no object, or a field is missing or out of range.
 */
export function positionOfState(state: unknown): MosaicPosition {
  if (typeof state !== 'object' || state === null || Array.isArray(state)) {
    throw new SpiralError('invalid_state', `Expected a state of MosaicML's, an object, got ${shown(state)}.`, {
      details: { found: state },
    });
  }
  const position: Record<string, unknown> = {};
  for (const [name, theirs, min] of fields) {
    const value: unknown = (state as Record<string, unknown>)[theirs];
    const absent = value === undefined || value === null;
    if (!absent || name !== 'initialPhysicalNodes') checkField(theirs, value, min, true);
    if (!absent) position[name] = value;
  }
  return position as unknown as MosaicPosition;
}

/** A position as MosaicML saves it. `numCanonicalNodes` and `shuffleSeed` must stand in it, as they do in a saved one. */
export function stateOfPosition(position: MosaicPosition): MosaicState {
  for (const [name, , min] of fields) checkField(name, position[name], min, name !== 'initialPhysicalNodes');
  return {
    epoch: position.epoch,
    sample_in_epoch: position.sampleInEpoch,
    num_canonical_nodes: position.numCanonicalNodes!,
    shuffle_seed: position.shuffleSeed!,
    initial_physical_nodes: position.initialPhysicalNodes ?? null,
  };
}

function checkField(name: string, value: unknown, min: number, wanted: boolean): void {
  if (value === undefined && !wanted) return;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min) return;
  throw new SpiralError(
    'invalid_state',
    `Expected \`${name}\` of the state to be a whole number of at least ${min}, got ${shown(value)}. Pass a state whole, as ` +
      'it was saved.',
    { details: { name, found: value } },
  );
}

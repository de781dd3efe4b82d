import { wholeNumber } from '../core/check.js';
import { SpiralError } from '../core/errors.js';
import { movedEpochsMax } from '../core/limits.js';
import { type LoaderState, parseState } from './state.js';

/**
 * `state`, moved by `steps` whole batches: forward, or back where negative, also into other epochs. For chasing a loss
 * spike: `whichRows` names the rows of a step, a loader resumed from `skipSteps(state, -10)` gives the last ten batches
 * again.
 *
 * A state does not know how long its epochs are, so `step` is the new one at once, and the loader that is resumed from it
 * works out the rest when it first opens its source (in its first batch or `plan()`); until then its `epoch` and
 * `samplesYielded` are those of `state`. Nothing is read, but under a filter, which allows moves within the epoch only.
 *
 * @throws SpiralError `invalid_state`; `invalid_size` where that is before the first batch of all. The resumed loader throws
 * `unsupported` where the move leads before a change of world, or under a filter out of the epoch, and `limit_exceeded` where it
 * leads over more than 10,000 epochs.
 */
export function skipSteps(state: LoaderState, steps: number): LoaderState {
  const from = parseState(state);
  wholeNumber('steps', steps, { min: -from.step, unit: 'batches' });
  return { ...from, step: from.step + steps, skip: from.skip + steps };
}

/** A place between two batches. */
export interface StepPlace {
  readonly epoch: number;
  readonly step: number;
  /** Batches before the epoch. */
  readonly epochStep: number;
  /** Rows before it within the epoch. */
  readonly samples: number;
}

/** What epochs are made of. */
export interface StepRules {
  readonly batchSize: number;
  readonly dropLast: boolean;
  /** Rows of `epoch`; null where only reading tells. */
  rowsOf(epoch: number): Promise<number | null>;
  /** Whether another world began `epoch`. */
  tookOver(epoch: number): boolean;
}

/**
 * Where `steps` batches lead from `from`; a place at an epoch's end is given as the start of the next. Batches are those
 * that the epoch is cut into now, or those that begin at `from` where that is no border of one of them.
 */
export async function movedBy(from: StepPlace, steps: number, rules: StepRules): Promise<StepPlace> {
  return steps < 0 ? movedBack(from, -steps, rules) : movedForward(from, steps, rules);
}

/** Epochs without a batch, one after the other, after which a search gives up. */
const emptyEpochsMax = 16;

async function movedForward(from: StepPlace, steps: number, rules: StepRules): Promise<StepPlace> {
  let { epoch, step, epochStep, samples } = from;
  const target = step + steps;
  for (let empty = 0; empty <= emptyEpochsMax; empty++) {
    if (epoch - from.epoch > movedEpochsMax) throw movedTooFar(steps);
    const rows = await rules.rowsOf(epoch);
    const left = rows === null ? Number.POSITIVE_INFINITY : batchesOf(rows - samples, rules);
    if (target - step < left)
      return { epoch, step: target, epochStep, samples: samples + (target - step) * rules.batchSize };
    if (left > 0) empty = 0;
    step += left;
    epoch++;
    epochStep = step;
    samples = 0;
  }
  throw new SpiralError(
    'no_rows',
    `Expected a batch ${steps} steps on, but this rank has none from epoch ${epoch} on.`,
    {
      details: { steps, epoch },
    },
  );
}

async function movedBack(from: StepPlace, steps: number, rules: StepRules): Promise<StepPlace> {
  let { epoch, epochStep } = from;
  const target = from.step - steps;
  if (target >= epochStep) {
    const border = await isBorder(from, rules);
    const samples = border ? (target - epochStep) * rules.batchSize : from.samples - steps * rules.batchSize;
    if (samples < 0) throw unknownBatches(target, epoch);
    return { epoch, step: target, epochStep, samples };
  }
  while (target < epochStep) {
    if (rules.tookOver(epoch)) throw otherWorld(target, epoch);
    if (from.epoch - epoch > movedEpochsMax) throw movedTooFar(-steps);
    epoch--;
    const rows = epoch < 0 ? null : await rules.rowsOf(epoch);
    if (rows === null || batchesOf(rows, rules) > epochStep) throw unknownBatches(target, epoch);
    epochStep -= batchesOf(rows, rules);
  }
  return { epoch, step: target, epochStep, samples: (target - epochStep) * rules.batchSize };
}

/** Whether the epoch up to `at` was cut as it is cut now. */
async function isBorder({ epoch, step, epochStep, samples }: StepPlace, rules: StepRules): Promise<boolean> {
  const even = (step - epochStep) * rules.batchSize;
  if (samples === even) return true;
  const rows = await rules.rowsOf(epoch);
  return samples === rows && samples > even - rules.batchSize && samples < even;
}

function batchesOf(rows: number, { batchSize, dropLast }: StepRules): number {
  return Math.max(0, dropLast ? Math.floor(rows / batchSize) : Math.ceil(rows / batchSize));
}

function movedTooFar(steps: number): SpiralError {
  return new SpiralError(
    'limit_exceeded',
    `Expected a move over at most ${movedEpochsMax} epochs, each of which is worked out by itself, got one by ${steps} batches. ` +
      'Move by fewer steps.',
    { details: { steps, epochs: movedEpochsMax } },
  );
}

function otherWorld(step: number, epoch: number): SpiralError {
  return new SpiralError(
    'unsupported',
    `Expected a step since the world changed within epoch ${epoch}, got step ${step}, which other ranks gave. Use the ` +
      'states that were saved in the world before.',
    { details: { step, epoch } },
  );
}

function unknownBatches(step: number, epoch: number): SpiralError {
  return new SpiralError(
    'unsupported',
    `Expected a step whose rows follow from the state, got step ${step}: from epoch ${Math.max(0, epoch)} on back, batches ` +
      'had another size, were begun elsewhere, or a filter hides how many there were. Use a state that was saved nearer to it.',
    { details: { step, epoch } },
  );
}

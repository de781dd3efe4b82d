import type { LayersModel, Optimizer, Tensor, Variable } from '@tensorflow/tfjs';
import { withMethods } from '../../core/check.js';
import { SpiralError } from '../../core/errors.js';
import { type Tf, tfInUse } from './tf.js';

/** A tensor's values at one moment, away from TensorFlow.js. */
export interface SavedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'int32' | 'bool';
  readonly values: Float32Array | Int32Array | Uint8Array;
}

/** All that a model's next training step depends on, but for its data and what `compile` is given. */
export interface ModelState {
  /** In the order of `model.weights`. */
  readonly weights: readonly SavedTensor[];
  /** The optimizer's class, or `null` for a model that is not compiled. */
  readonly optimizer: string | null;
  /** What `optimizer.getWeights()` gives: the step count, then the moments. */
  readonly slots: readonly SavedTensor[];
  /** Variables an optimizer keeps beside: Adam's powers of beta, which it would only approximate from the step count. */
  readonly variables: readonly SavedTensor[];
}

/**
 * The state of `model` now. Await it before the next training step.
 *
 * @throws SpiralError `unsupported` for an optimizer that cannot give its state (Adamax).
 */
export async function captureModel(model: LayersModel): Promise<ModelState> {
  checkModel(model);
  const tensors = model.getWeights();
  const weights = model.weights.map(({ name }, at) => saved(name, tensors[at]!));
  const optimizer = model.optimizer as Optimizer | undefined;
  if (optimizer === undefined || optimizer === null) return { weights, optimizer: null, slots: [], variables: [] };
  const variables = ownVariables(optimizer).map(([name, variable]) => saved(name, variable));
  const slots = await slotsOf(optimizer);
  return { weights, optimizer: optimizer.getClassName(), slots, variables };
}

/**
 * Sets `model` to `state`, bit by bit: training goes on as if it had never stopped. The model must have been built and
 * compiled as the saved one was; learning rate and other arguments of `compile` stay the caller's.
 *
 * @throws SpiralError `state_mismatch` where the model's weights or its optimizer are of another shape or class.
 */
export async function restoreModel(model: LayersModel, state: ModelState, given?: Tf): Promise<void> {
  checkModel(model);
  const tf = tfInUse(given);
  checkWeights(model, state);
  const optimizer = model.optimizer as Optimizer | undefined;
  const found = optimizer?.getClassName() ?? null;
  if (state.optimizer !== null && found !== state.optimizer) {
    throw mismatch(`the optimizer ${state.optimizer}`, found ?? 'none (call model.compile first)');
  }
  const tensors: Tensor[] = [];
  const live = ({ values, shape, dtype }: SavedTensor): Tensor => {
    // A copy, for the cpu backend would alias the checkpoint's memory.
    const tensor = tf.tensor(values.slice(), [...shape], dtype);
    tensors.push(tensor);
    return tensor;
  };
  try {
    model.setWeights(state.weights.map(live));
    if (state.optimizer === null || optimizer === undefined) return;
    await optimizer.setWeights(state.slots.map((slot) => ({ name: slot.name, tensor: live(slot) })));
    const variables = new Map(ownVariables(optimizer));
    for (const kept of state.variables) {
      const variable = variables.get(kept.name);
      if (variable === undefined) throw mismatch(`the optimizer's variable ${kept.name}`, 'none');
      variable.assign(live(kept));
    }
  } finally {
    for (const tensor of tensors) tensor.dispose();
  }
}

/** @throws SpiralError `invalid_argument` for what is no model of layers. */
export function checkModel(model: LayersModel): void {
  withMethods('model', model, ['getWeights', 'setWeights'], 'a TensorFlow.js model of layers');
}

async function slotsOf(optimizer: Optimizer): Promise<SavedTensor[]> {
  let weights: Awaited<ReturnType<Optimizer['getWeights']>>;
  try {
    weights = await optimizer.getWeights();
  } catch (cause) {
    throw new SpiralError(
      'unsupported',
      `The optimizer ${optimizer.getClassName()} of this TensorFlow.js cannot give its state. Train with adam, rmsprop, ` +
        'adagrad, adadelta, momentum or sgd to make checkpoints.',
      { cause },
    );
  }
  const slots = weights.map(({ name, tensor }) => saved(name, tensor));
  // The step count is a tensor made for this call; the others are the optimizer's own.
  weights[0]?.tensor.dispose();
  return slots;
}

function ownVariables(optimizer: Optimizer): [string, Variable][] {
  return Object.entries(optimizer).filter(
    (entry): entry is [string, Variable] => typeof (entry[1] as Variable | null)?.assign === 'function',
  );
}

function saved(name: string, tensor: Tensor): SavedTensor {
  const { dtype } = tensor;
  if (dtype !== 'float32' && dtype !== 'int32' && dtype !== 'bool') {
    throw new SpiralError('unsupported', `Expected the weight '${name}' to be float32, int32 or bool, got ${dtype}.`, {
      details: { name, dtype },
    });
  }
  // A copy: some backends give their own memory, which the next step overwrites.
  return { name, shape: [...tensor.shape], dtype, values: tensor.dataSync<'float32'>().slice() };
}

function checkWeights(model: LayersModel, state: ModelState): void {
  const shapes = model.weights.map((weight) => `[${weight.shape}]`);
  const expected = state.weights.map((weight) => `[${weight.shape}]`);
  if (shapes.join() === expected.join()) return;
  throw mismatch(`weights of shapes ${expected.join(' ')}`, shapes.join(' '));
}

function mismatch(expected: string, found: string): SpiralError {
  return new SpiralError(
    'state_mismatch',
    `The checkpoint is of another model: it expects ${expected}, the model has ${found}. Build and compile the model as ` +
      'the saved one was, or start without the checkpoint.',
    { details: { expected, found } },
  );
}

import type { LayersModel } from '@tensorflow/tfjs';
import { listed, nearest } from '../../core/check.js';
import { SpiralError } from '../../core/errors.js';
import type { TensorWish } from './column-spec.js';
import { checkModel } from './model-state.js';
import type { NamedTensors } from './tensors.js';

/** One side of a model: its inputs or its outputs, with the shapes it wants (`null` for any length). */
export interface ModelPorts {
  readonly role: 'input' | 'output';
  readonly names: readonly string[];
  readonly shapes: readonly (readonly (number | null)[])[];
}

/**
 * The inputs and the outputs of `model`.
 *
 * @throws SpiralError `invalid_argument` for what is no model, and for a sequential one that is not compiled: it has none
 * before.
 */
export function portsOf(model: LayersModel): { inputs: ModelPorts; outputs: ModelPorts } {
  checkModel(model);
  if (!(model.inputNames?.length > 0 && model.outputNames?.length > 0)) {
    throw new SpiralError(
      'invalid_argument',
      'Expected `model` to be built, it has no inputs. Call model.compile first.',
    );
  }
  return {
    inputs: { role: 'input', names: model.inputNames, shapes: model.inputs.map((input) => input.shape) },
    outputs: { role: 'output', names: model.outputNames, shapes: model.outputs.map((output) => output.shape) },
  };
}

/**
 * The wishes that `ports` need, named as the model names them, in its order; fit leaks tensors that no port takes.
 * Where the model has one port and one tensor is wanted, that is it, whatever its name.
 *
 * @throws SpiralError `invalid_tensor` for a port that nothing is selected for, naming near ones.
 */
export function wishesFor(ports: ModelPorts, wishes: readonly TensorWish[]): TensorWish[] {
  const { role, names } = ports;
  if (names.length === 1 && wishes.length === 1) return [{ ...wishes[0]!, name: names[0]! }];
  const selected = wishes.map((wish) => wish.name);
  return names.map((name) => {
    const found = wishes.find((wish) => wish.name === name);
    if (found !== undefined) return found;
    const near = nearest(name, selected);
    const hint = near.length > 0 ? `Did you mean it by ${listed(near)}?` : `Selected are ${listed(selected, 'and')}.`;
    const key = role === 'input' ? 'xs' : 'ys';
    throw new SpiralError(
      'invalid_tensor',
      `The model has an ${role} '${name}', but \`${key}\` selects nothing of that name. ${hint} ` +
        `Give \`${key}: { '${name}': <column>, … }\`.`,
      { details: { role, name, expected: names, found: selected, near } },
    );
  });
}

/**
 * The tensors as the model's ports take them: `[rows]` becomes `[rows, 1]` where the port has one value a row, for a loss
 * would otherwise broadcast `[rows]` against `[rows, 1]` and train on nonsense.
 *
 * @throws SpiralError `invalid_tensor` where an input has another shape than the model wants.
 */
export function fitTensors(ports: ModelPorts, tensors: NamedTensors): NamedTensors {
  for (const [index, name] of ports.names.entries()) {
    const wanted = ports.shapes[index]!;
    const tensor = tensors[name]!;
    if (tensor.rank === 1 && wanted.length === 2 && wanted[1] === 1) {
      tensors[name] = tensor.reshape([tensor.shape[0]!, 1]);
      tensor.dispose();
    } else if (ports.role === 'input' && !fits(tensor.shape, wanted)) {
      const rowShape = tensor.shape.slice(1);
      throw new SpiralError(
        'invalid_tensor',
        `The model's input '${name}' wants rows of shape [${wanted.slice(1)}], the selected column gives [${rowShape}]. ` +
          'Set `shape` in its column spec, or another inputShape in the model.',
        { details: { name, expected: wanted.slice(1), found: rowShape } },
      );
    }
  }
  return tensors;
}

function fits(shape: readonly number[], wanted: readonly (number | null)[]): boolean {
  return shape.length === wanted.length && wanted.every((length, axis) => length === null || length === shape[axis]);
}

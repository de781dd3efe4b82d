import type { LayersModel } from '@tensorflow/tfjs';
import type { PickedBackend, Tf } from 'spiral-loader/tfjs';
import { buildNetwork } from '../mnist/network.js';
import type { Weights } from './messages.js';

/**
 * The network of the MNIST example, trained by plain gradient descent: a step from equal weights, averaged over ranks, is
 * then the step that the gradient of all their rows together makes.
 */
export function buildModel(
  tf: Tf,
  backend: PickedBackend['name'],
  options: { hidden: number; seed: number },
): LayersModel {
  const model = buildNetwork(tf, backend, options);
  model.compile({ optimizer: tf.train.sgd(0.1), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  return model;
}

/** A copy of the weights, to be sent. */
export function weightsOf(model: LayersModel): Weights {
  return model.getWeights().map((weight) => Float32Array.from(weight.dataSync()));
}

export function setWeights(tf: Tf, model: LayersModel, weights: Weights): void {
  const tensors = weights.map((values, at) => tf.tensor(values, model.getWeights()[at]!.shape));
  model.setWeights(tensors);
  for (const tensor of tensors) tensor.dispose();
}

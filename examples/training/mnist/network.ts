import type { LayersModel } from '@tensorflow/tfjs';
import type { ColumnSpec, PickedBackend, Tf } from 'spiral-loader/tfjs';

/**
 * A dense network, 784–hidden–10; with the native TensorFlow, which alone is quick at convolutions, a small one of those.
 * It takes the bytes of an image as they are and scales them to 0 … 1 itself, which is quicker than to do so row by row.
 */
export function buildNetwork(
  tf: Tf,
  backend: PickedBackend['name'],
  { hidden, seed }: { hidden: number; seed: number },
): LayersModel {
  const native = backend === 'tensorflow';
  const seeded = (layer: number) => ({ kernelInitializer: tf.initializers.glorotUniform({ seed: seed * 16 + layer }) });
  const conv = (filters: number, layer: number) =>
    tf.layers.conv2d({ filters, kernelSize: 3, activation: 'relu', ...seeded(layer) });
  const pool = () => tf.layers.maxPooling2d({ poolSize: 2 });
  const dense = () => tf.layers.dense({ units: hidden, activation: 'relu', ...seeded(1) });
  const model = tf.sequential({
    layers: [
      tf.layers.rescaling({ scale: 1 / 255, inputShape: native ? [28, 28, 1] : [784] }),
      ...(native ? [conv(16, 1), pool(), conv(32, 2), pool(), tf.layers.flatten()] : [dense()]),
      tf.layers.dense({ units: 10, activation: 'softmax', ...seeded(3) }),
    ],
  });
  model.compile({ optimizer: tf.train.adam(1e-3), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  return model;
}

/** How a row of 784 bytes becomes the model's input: floats in the shape that it takes. */
export function imageSpec(model: LayersModel): ColumnSpec {
  return { dtype: 'float32', shape: model.inputs[0]!.shape.slice(1).map(Number) };
}

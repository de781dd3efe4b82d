import type { LayersModel } from '@tensorflow/tfjs';
import type { Tf } from 'spiral-loader/tfjs';
import { classes, contextTokens } from './shape.js';

/**
 * Predicts the class of the next token from those of the last ones. The first layer does an embedding's work on ones and
 * zeros, as WebAssembly trains no embeddings.
 */
export function buildNetwork(tf: Tf, { hidden, seed }: { hidden: number; seed: number }): LayersModel {
  const seeded = (layer: number) => ({ kernelInitializer: tf.initializers.glorotUniform({ seed: seed * 16 + layer }) });
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ units: hidden, activation: 'relu', inputShape: [contextTokens * classes], ...seeded(1) }),
      tf.layers.dense({ units: classes, activation: 'softmax', ...seeded(2) }),
    ],
  });
  model.compile({ optimizer: tf.train.adam(2e-3), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  return model;
}

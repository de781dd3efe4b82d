import * as tf from '@tensorflow/tfjs';
import '@tensorflow/tfjs-backend-wasm';
import { expect, test } from 'vitest';
import { toTensors } from '../../../src/adapters/tfjs/tensors.js';
import { columnsToBatch } from '../../../src/arrow/build.js';
import { toSchema } from '../../../src/arrow/schema.js';

const schema = toSchema({ pixel: 'uint8', wide: 'float64', label: 'int32' }, 'the test');

test.each(['wasm', 'cpu'])(
  'tensors of the %s backend stay as they were made, though later ones are made',
  async (backend) => {
    expect(await tf.setBackend(backend)).toBe(true);
    const made = [3, 1, 5, 2].map((rows, at) => {
      const values = Array.from({ length: rows }, (_, row) => (at * 7 + row) % 10);
      const batch = columnsToBatch({ pixel: values, wide: values, label: values }, schema);
      const { xs } = toTensors(batch, {
        xs: {
          scaled: { column: 'pixel', scale: 2, offset: 1 },
          plain: { column: 'pixel', dtype: 'float32' },
          wide: 'wide',
        },
      });
      const { xs: classes } = toTensors(batch, { xs: { label: { oneHot: 10 } } });
      return { values, tensors: { ...xs, ...classes } };
    });
    for (const { values, tensors } of made) {
      const { scaled, plain, wide, label } = tensors;
      expect(Array.from(scaled!.dataSync())).toEqual(values.map((value) => value * 2 + 1));
      expect(Array.from(plain!.dataSync())).toEqual(values);
      expect(Array.from(wide!.dataSync())).toEqual(values);
      expect(label!.argMax(1).arraySync()).toEqual(values);
      expect(label!.sum().arraySync()).toBe(values.length);
    }
  },
);

test('a value that does not fit leaves no memory behind in the WebAssembly backend, and one without rows makes a tensor', async () => {
  expect(await tf.setBackend('wasm')).toBe(true);
  const before = { ...tf.memory(), buffers: tf.engine().backend.numDataIds() };
  const batch = columnsToBatch({ pixel: [1, 2], wide: [1, 1e300], label: [3, 10] }, schema);
  const making = (xs: Parameters<typeof toTensors>[1]['xs']) => () => toTensors(batch, { xs });
  expect(making({ pixel: { dtype: 'float32' }, wide: {} })).toThrow(
    expect.objectContaining({ code: 'invalid_tensor' }),
  );
  expect(making({ label: { oneHot: 10 } })).toThrow(expect.objectContaining({ code: 'invalid_tensor' }));
  expect({ ...tf.memory(), buffers: tf.engine().backend.numDataIds() }).toMatchObject(before);
  const empty = columnsToBatch({ pixel: [], wide: [], label: [] }, schema);
  const { xs } = toTensors(empty, { xs: { pixel: { dtype: 'float32' }, label: { oneHot: 10 } } });
  expect([xs['pixel']!.shape, xs['label']!.shape]).toEqual([[0], [0, 10]]);
  expect(xs['label']!.dataSync()).toHaveLength(0);
  tf.dispose(xs);
  expect(tf.memory()).toMatchObject({ numTensors: before.numTensors, numBytes: before.numBytes });
});

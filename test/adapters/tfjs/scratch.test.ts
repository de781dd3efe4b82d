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

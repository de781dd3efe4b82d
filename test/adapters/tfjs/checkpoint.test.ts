import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { loadCheckpoint, restoreCheckpoint, saveCheckpoint } from 'spiral-loader/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isSpiralError } from '../../../src/core/errors.js';
import { lawRuns } from '../../laws.js';
import { MemorySource } from './memory-source.js';

let folder: string;

beforeAll(async () => {
  await tf.setBackend('cpu');
  folder = await mkdtemp(join(tmpdir(), 'spiral-checkpoint-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const optimizers: Record<string, () => tf.Optimizer> = {
  adam: () => tf.train.adam(0.01),
  sgd: () => tf.train.sgd(0.1),
  momentum: () => tf.train.momentum(0.1, 0.9),
  rmsprop: () => tf.train.rmsprop(0.01, 0.9, 0.5),
  adagrad: () => tf.train.adagrad(0.1),
  adadelta: () => tf.train.adadelta(0.1),
};

function build(optimizer: tf.Optimizer, seed = 1): tf.Sequential {
  const initializer = (salt: number): ReturnType<typeof tf.initializers.glorotUniform> =>
    tf.initializers.glorotUniform({ seed: seed + salt });
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ units: 5, inputShape: [4], activation: 'relu', kernelInitializer: initializer(1) }),
      tf.layers.batchNormalization(),
      tf.layers.dense({ units: 2, activation: 'softmax', kernelInitializer: initializer(2) }),
    ],
  });
  model.compile({ optimizer, loss: 'categoricalCrossentropy' });
  return model;
}

async function train(model: tf.LayersModel, from: number, to: number): Promise<void> {
  for (let step = from; step < to; step++) {
    const x = tf.randomUniform([8, 4], -1, 1, 'float32', step + 1);
    const y = tf.oneHot(tf.randomUniform([8], 0, 2, 'int32', step + 500), 2);
    await model.trainOnBatch(x, y);
    tf.dispose([x, y]);
  }
}

const weightsOf = (model: tf.LayersModel): number[][] => model.getWeights().map((weight) => [...weight.dataSync()]);

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return isSpiralError(error) ? error.code : String(error);
  }
  return 'no error';
}

describe('a run that goes on from its checkpoint', () => {
  it.each(Object.keys(optimizers))('ends with the very weights of an uninterrupted one (%s)', async (name) => {
    const path = join(folder, `${name}.ckpt`);
    const uninterrupted = build(optimizers[name]!());
    await train(uninterrupted, 0, 23);

    const first = build(optimizers[name]!());
    await train(first, 0, 9);
    await saveCheckpoint(path, { model: first, loader: { epoch: 0, samplesYielded: 72 }, extra: { step: 9 } });
    await train(first, 9, 12);

    const second = build(optimizers[name]!(), 99);
    await train(second, 40, 43);
    const checkpoint = (await loadCheckpoint(path))!;
    await restoreCheckpoint(second, checkpoint, tf);
    await train(second, 9, 15);
    await saveCheckpoint(path, { model: second, loader: null });

    const third = build(optimizers[name]!(), 7);
    await restoreCheckpoint(third, (await loadCheckpoint(path))!, tf);
    await train(third, 15, 23);

    expect(checkpoint).toMatchObject({ loader: { epoch: 0, samplesYielded: 72 }, extra: { step: 9 } });
    expect(weightsOf(third)).toEqual(weightsOf(uninterrupted));
  });

  it('may have been saved before its first step', async () => {
    const path = join(folder, 'first.ckpt');
    const [model, copy] = [build(tf.train.adam(0.01)), build(tf.train.adam(0.01), 5)];
    await saveCheckpoint(path, { model, loader: null });
    await restoreCheckpoint(copy, (await loadCheckpoint(path))!, tf);
    await train(model, 0, 3);
    await train(copy, 0, 3);
    expect(weightsOf(copy)).toEqual(weightsOf(model));
  });

  it('saves what the model was when save was called, and leaks no tensor', async () => {
    const path = join(folder, 'moment.ckpt');
    const model = build(tf.train.adam(0.01));
    await train(model, 0, 2);
    const [before, weights] = [tf.memory().numTensors, weightsOf(model)];
    await saveCheckpoint(path, { model, loader: null });
    expect(tf.memory().numTensors).toBe(before);
    await train(model, 2, 4);
    await restoreCheckpoint(model, (await loadCheckpoint(path))!, tf);
    expect(weightsOf(model)).toEqual(weights);
  });
});

describe('a checkpoint file', () => {
  it('is undefined where there is none', async () => {
    expect(await loadCheckpoint(join(folder, 'none.ckpt'))).toBeUndefined();
  });

  it('is replaced as a whole, by the last of several saves at once, with nothing beside it', async () => {
    const own = await mkdtemp(join(folder, 'own-'));
    const path = join(own, 'run.ckpt');
    const model = build(tf.train.sgd(0.1));
    await Promise.all([1, 2, 3].map((extra) => saveCheckpoint(path, { model, loader: null, extra })));
    expect((await loadCheckpoint(path))!.extra).toBe(3);
    expect(await readdir(own)).toEqual(['run.ckpt']);
  });

  it('survives a temporary that a killed process left behind', async () => {
    const path = join(folder, 'killed.ckpt');
    await writeFile(`${path}.tmp`, 'half a checkpoint');
    await saveCheckpoint(path, { model: build(tf.train.sgd(0.1)), loader: null, extra: 'whole' });
    expect((await loadCheckpoint(path))!.extra).toBe('whole');
  });

  it('that is cut short or has any bit flipped is refused as corrupt', async () => {
    const path = join(folder, 'damaged.ckpt');
    const model = build(tf.train.adam(0.01));
    await train(model, 0, 1);
    await saveCheckpoint(path, { model, loader: { epoch: 3 } });
    const whole = await readFile(path);
    const damage = fc.record({ at: fc.integer({ min: 0, max: whole.length - 1 }), bit: fc.nat(7), cut: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(damage, async ({ at, bit, cut }) => {
        const bytes = Buffer.from(cut ? whole.subarray(0, at) : whole);
        if (!cut) bytes[at]! ^= 1 << bit;
        await writeFile(`${path}.bad`, bytes);
        // The version is not under a checksum: another one is another format.
        const expected = !cut && at >= 8 && at < 12 ? 'state_version' : 'corrupt_file';
        expect(await codeOf(loadCheckpoint(`${path}.bad`))).toBe(expected);
      }),
      { numRuns: lawRuns(100, 3000) },
    );
  });

  it('that cannot be written says why', async () => {
    const path = join(folder, 'no', 'such', 'folder.ckpt');
    expect(await codeOf(saveCheckpoint(path, { model: build(tf.train.sgd(0.1)), loader: null }))).toBe('not_found');
  });
});

describe('restoring', () => {
  it('refuses another model and another optimizer', async () => {
    const path = join(folder, 'other.ckpt');
    await saveCheckpoint(path, { model: build(tf.train.adam(0.01)), loader: null });
    const checkpoint = (await loadCheckpoint(path))!;
    const other = tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [3] })] });
    expect(await codeOf(restoreCheckpoint(other, checkpoint, tf))).toBe('state_mismatch');
    expect(await codeOf(restoreCheckpoint(build(tf.train.sgd(0.1)), checkpoint, tf))).toBe('state_mismatch');
  });

  it('is not offered for an optimizer that keeps its state to itself', async () => {
    const model = build(tf.train.adamax(0.01));
    expect(await codeOf(saveCheckpoint(join(folder, 'adamax.ckpt'), { model, loader: null }))).toBe('unsupported');
  });
});

describe('what is no path, no model, no checkpoint and no JSON', () => {
  const path = (): string => join(folder, 'refused.ckpt');
  const own = (): tf.LayersModel => build(tf.train.sgd(0.1));
  const wrong = [undefined, null, {}, '', 5, Promise.resolve({})] as readonly unknown[] as readonly never[];

  it.each(wrong.map((value) => [value]))('is refused: %s', async (value) => {
    const refused = { code: 'invalid_argument' };
    await expect(saveCheckpoint(value, { model: own(), loader: null })).rejects.toMatchObject(refused);
    await expect(loadCheckpoint(value)).rejects.toMatchObject(refused);
    await expect(saveCheckpoint(path(), { model: value, loader: null })).rejects.toMatchObject(refused);
    await expect(restoreCheckpoint(own(), value, tf)).rejects.toMatchObject(refused);
    const other = join(folder, 'whole.ckpt');
    await saveCheckpoint(other, { model: own(), loader: null });
    const checkpoint = (await loadCheckpoint(other))!;
    await expect(restoreCheckpoint(value, checkpoint, tf)).rejects.toMatchObject(refused);
    expect(await loadCheckpoint(path())).toBeUndefined();
  });

  it.each([
    ['extra.best', { best: Number.POSITIVE_INFINITY }, 'Infinity'],
    ['extra.seen', { seen: new Map([[1, 2]]) }, 'a Map'],
    ['extra[1].id', [0, { id: 5n }], '5n'],
    ['extra[0]', [undefined], 'undefined'],
    ['extra', () => 1, 'a function'],
    ['extra.at', { at: new Date(0) }, 'Date'],
  ])('is refused at its place, before anything is written: %s', async (place, extra, found) => {
    await expect(saveCheckpoint(path(), { model: own(), loader: null, extra })).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringMatching(
        new RegExp(`^Expected .${place.replace(/[[\].]/g, '\\$&')}. to be JSON, got ${found}`),
      ),
    });
    expect(await loadCheckpoint(path())).toBeUndefined();
  });

  it('is a loader itself, one that lies in itself, and one of too many levels', async () => {
    const loader = new MemorySource([]);
    await expect(saveCheckpoint(path(), { model: own(), loader })).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('Give its `stateDict()`'),
    });
    const round: Record<string, unknown> = {};
    round['again'] = { round };
    expect(await codeOf(saveCheckpoint(path(), { model: own(), loader: round }))).toBe('invalid_argument');
    let deep: unknown = 1;
    for (let level = 0; level < 100_000; level++) deep = [deep];
    expect(await codeOf(saveCheckpoint(path(), { model: own(), loader: null, extra: deep }))).toBe('invalid_argument');
  });

  it('is given back whole where it is JSON', async () => {
    const json = fc.jsonValue();
    const model = own();
    await fc.assert(
      fc.asyncProperty(json, json, async (loader, extra) => {
        await saveCheckpoint(path(), { model, loader, extra });
        const found = (await loadCheckpoint(path()))!;
        expect([JSON.stringify(found.loader), JSON.stringify(found.extra)]).toEqual([
          JSON.stringify(loader),
          JSON.stringify(extra),
        ]);
      }),
      { numRuns: lawRuns(20, 300) },
    );
    await rm(path());
  });

  it('is a folder where a checkpoint belongs', async () => {
    await expect(loadCheckpoint(folder)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining(folder),
      details: { path: folder, code: 'EISDIR' },
    });
  });
});

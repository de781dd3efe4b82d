import * as tf from '@tensorflow/tfjs';
import { Field, FixedSizeList, Float32, type RecordBatch, Table, Uint8, vectorFromArray } from 'apache-arrow';
import { type BatchSource, checkpointCallback, type TrainingPlace, toTfDataset } from 'spiral-loader/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { isSpiralError } from '../../../src/core/errors.js';
import { MemorySource } from './memory-source.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const columns = { xs: 'x', ys: { y: { oneHot: 3 } } } as const;

function batches(count: number, rows = 4): RecordBatch[] {
  const x = Array.from({ length: count * rows }, (_, row) => [row / 10, 1, -row / 10]);
  const y = x.map((_, row) => row % 3);
  const table = new Table({
    x: vectorFromArray(x, new FixedSizeList(3, new Field('item', new Float32(), true))),
    y: vectorFromArray(y, new Uint8()),
  });
  return Array.from({ length: count }, (_, at) => table.slice(at * rows, (at + 1) * rows).batches[0]!);
}

function classifier(): tf.LayersModel {
  const kernelInitializer = tf.initializers.glorotUniform({ seed: 7 });
  const model = tf.sequential({
    layers: [tf.layers.dense({ units: 3, inputShape: [3], activation: 'softmax', kernelInitializer })],
  });
  model.compile({ optimizer: tf.train.sgd(0.1), loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  return model;
}

async function errorOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error('Expected an error, nothing was thrown.');
}

describe('model.fitDataset', () => {
  it('trains on every batch of every epoch and leaks no tensor', async () => {
    const source = new MemorySource(batches(5));
    const model = classifier();
    const dataset = await toTfDataset(source, { ...columns, model, tf });
    expect(dataset.size).toBe(5);
    const seen: number[] = [];
    await model.fitDataset(dataset, { epochs: 1, verbose: 0 });
    const before = tf.memory().numTensors;
    const callbacks = { onBatchEnd: (batch: number): void => void seen.push(batch) };
    await model.fitDataset(dataset, { epochs: 3, initialEpoch: 1, verbose: 0, callbacks });
    expect(seen).toEqual([0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
    expect([source.epoch, source.step, source.passes]).toEqual([3, 15, 3]);
    expect(tf.memory().numTensors).toBe(before);
    expect(dataset.stats().batches).toBe(15);
    expect(dataset.stats().waitMs).toBeLessThanOrEqual(dataset.stats().elapsedMs);
    await dataset.close();
    expect(source.closed).toBe(true);
  });

  it('gives the weights that training batch by batch gives', async () => {
    const [byDataset, byHand] = [classifier(), classifier()];
    const all = batches(6);
    await byDataset.fitDataset(await toTfDataset(new MemorySource(all), { ...columns, tf, model: byDataset }), {
      epochs: 1,
      verbose: 0,
    });
    for (const batch of all) {
      const x = tf.tensor2d([...batch.getChild('x')!].map((row) => [...(row as Iterable<number>)]));
      const y = tf.oneHot(tf.tensor1d([...batch.getChild('y')!], 'int32'), 3);
      await byHand.trainOnBatch(x, y);
    }
    const weights = (model: tf.LayersModel): unknown => model.getWeights().map((weight) => [...weight.dataSync()]);
    expect(weights(byDataset)).toEqual(weights(byHand));
  });

  it('stops after a step where stopTraining is set, and a later pass begins although nobody ended the one before', async () => {
    const source = new MemorySource(batches(5));
    const model = classifier();
    const dataset = await toTfDataset(source, { ...columns, model, tf });
    const stop = { onBatchEnd: (batch: number): void => void (batch === 1 && (model.stopTraining = true)) };
    await model.fitDataset(dataset, { epochs: 3, verbose: 0, callbacks: stop });
    expect([source.epoch, source.step]).toEqual([0, 2]);
    await model.fitDataset(dataset, { epochs: 1, verbose: 0 });
    expect(source.epoch).toBe(1);
  });

  it('goes through the rest of the epoch first when the loader was resumed', async () => {
    const source = new MemorySource(batches(5), { epoch: 1, received: 3 });
    const model = classifier();
    const seen: number[] = [];
    const callbacks = { onBatchEnd: (_: number, logs?: tf.Logs): void => void seen.push(logs!['size'] as number) };
    const dataset = await toTfDataset(source, { ...columns, model, tf });
    await model.fitDataset(dataset, { epochs: 3, initialEpoch: source.epoch, verbose: 0, callbacks });
    expect(seen).toHaveLength(2 + 5);
    expect(source.epoch).toBe(3);
  });

  it('takes a loader of one output value a row as [rows, 1]', async () => {
    const model = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [3] })] });
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const dataset = await toTfDataset(new MemorySource(batches(1)), {
      xs: 'x',
      ys: { y: { dtype: 'float32' } },
      model,
      tf,
    });
    const { value } = await (await dataset.iterator()).next();
    const { ys } = value as unknown as { ys: Record<string, tf.Tensor> };
    expect(ys[model.outputNames[0]!]!.shape).toEqual([4, 1]);
  });

  it('evaluates, too', async () => {
    const model = classifier();
    const dataset = await toTfDataset(new MemorySource(batches(5)), { ...columns, model, tf });
    const scores = (await model.evaluateDataset(dataset, {})) as tf.Scalar[];
    expect(scores).toHaveLength(2);
    expect(Number.isFinite(scores[0]!.dataSync()[0])).toBe(true);
  });
});

describe('an iterator', () => {
  it('touches the loader only with its first next()', async () => {
    const source = new MemorySource(batches(2));
    const dataset = await toTfDataset(source, { ...columns, tf });
    await dataset.iterator();
    const used = await dataset.iterator();
    expect(source.passes).toBe(0);
    expect((await used.next()).done).toBe(false);
    expect(source.passes).toBe(1);
  });

  it('ends with null, stays at its end, and gives nothing once the dataset is closed', async () => {
    const dataset = await toTfDataset(new MemorySource(batches(1)), { ...columns, tf });
    const iterator = await dataset.iterator();
    expect((await iterator.next()).done).toBe(false);
    expect(await iterator.next()).toEqual({ value: null, done: true });
    expect(await iterator.next()).toEqual({ value: null, done: true });
    const other = await dataset.iterator();
    expect((await other.next()).done).toBe(false);
    await dataset.close();
    expect(await other.next()).toEqual({ value: null, done: true });
    expect(await (await dataset.iterator()).next()).toEqual({ value: null, done: true });
  });

  it('names the batch where its tensors cannot be made', async () => {
    const bad = new Table({ x: vectorFromArray([1, null], new Float32()), y: vectorFromArray([0, 0], new Uint8()) });
    const source = new MemorySource([...batches(1), bad.batches[0]!]);
    const iterator = await (await toTfDataset(source, { ...columns, tf })).iterator();
    await iterator.next();
    const error = await errorOf(iterator.next());
    expect(isSpiralError(error, 'invalid_tensor') && error.details).toMatchObject({
      column: 'x',
      row: 1,
      step: 1,
      epoch: 0,
    });
  });

  it('names the shard and the row in it where the loader knows them', async () => {
    const bad = new Table({ x: vectorFromArray([1, null], new Float32()), y: vectorFromArray([0, 0], new Uint8()) });
    const rowIds = { shards: Uint32Array.of(3, 5), rows: Float64Array.of(10, 70) };
    const source: BatchSource = Object.assign(new MemorySource([bad.batches[0]!]), { rowIds });
    const error = await errorOf((await (await toTfDataset(source, { ...columns, tf })).iterator()).next());
    expect(isSpiralError(error) && error.details).toMatchObject({ row: 1, shard: 5, shardRow: 70 });
  });

  it('has no size where the loader is infinite', async () => {
    const source: BatchSource = Object.assign(new MemorySource(batches(2)), { infinite: true });
    expect((await toTfDataset(source, { ...columns, tf })).size).toBeUndefined();
  });
});

describe('with the model, the selection', () => {
  function twoInputs(): tf.LayersModel {
    const left = tf.input({ shape: [3], name: 'left' });
    const right = tf.input({ shape: [1], name: 'right' });
    const joined = tf.layers.concatenate().apply([left, right]) as tf.SymbolicTensor;
    const out = tf.layers.dense({ units: 3, name: 'out', activation: 'softmax' }).apply(joined) as tf.SymbolicTensor;
    const model = tf.model({ inputs: [left, right], outputs: out });
    model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
    return model;
  }

  it('is projected to the inputs, so that nothing else is made and leaked', async () => {
    const model = twoInputs();
    const xs = { left: 'x', right: { column: 'y', dtype: 'float32' }, unused: 'x' } as const;
    const dataset = await toTfDataset(new MemorySource(batches(2)), { xs, ys: columns.ys, model, tf });
    await model.fitDataset(dataset, { epochs: 1, verbose: 0 });
    const before = tf.memory().numTensors;
    await model.fitDataset(dataset, { epochs: 1, verbose: 0 });
    expect(tf.memory().numTensors).toBe(before);
    const { value } = await (await dataset.iterator()).next();
    expect(Object.keys(value!.xs)).toEqual(['left', 'right']);
  });

  it('is refused where an input is missing, naming near ones', async () => {
    const model = twoInputs();
    const xs = { left: 'x', rihgt: 'y' };
    const error = await errorOf(toTfDataset(new MemorySource([]), { xs, ys: columns.ys, model, tf }));
    expect(isSpiralError(error, 'invalid_tensor') && error.details).toMatchObject({ name: 'right', near: ['rihgt'] });
  });

  it('is refused where the model is not compiled yet', async () => {
    const model = tf.sequential({ layers: [tf.layers.dense({ units: 3, inputShape: [3] })] });
    const error = await errorOf(toTfDataset(new MemorySource([]), { ...columns, model, tf }));
    expect(isSpiralError(error, 'invalid_argument')).toBe(true);
  });

  it('is refused where the rows have another shape than the input, and leaks nothing', async () => {
    const model = tf.sequential({ layers: [tf.layers.dense({ units: 3, inputShape: [4] })] });
    model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
    const iterator = await (await toTfDataset(new MemorySource(batches(1)), { ...columns, model, tf })).iterator();
    const before = tf.memory().numTensors;
    const error = await errorOf(iterator.next());
    expect(isSpiralError(error, 'invalid_tensor') && error.details).toMatchObject({ expected: [4], found: [3] });
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('checkpointCallback', () => {
  it('saves after every so many batches and at the end, with the state of exactly the batches trained', async () => {
    const source = new MemorySource(batches(5));
    const model = classifier();
    const places: TrainingPlace[] = [];
    const checkpoint = checkpointCallback(source, { every: 3, save: (place) => void places.push(place), tf });
    const dataset = await toTfDataset(source, { ...columns, model, tf });
    await model.fitDataset(dataset, { epochs: 2, verbose: 0, callbacks: [checkpoint] });
    expect(places.map((place) => [place.step, place.epoch])).toEqual([
      [3, 0],
      [6, 1],
      [9, 1],
      [10, 2],
    ]);
    expect(places.map((place) => place.loader)).toEqual([
      { epoch: 0, received: 3 },
      { epoch: 1, received: 1 },
      { epoch: 1, received: 4 },
      { epoch: 2, received: 0 },
    ]);
  });

  it('refuses an interval of nothing, and what is no loader or no function', async () => {
    const source = new MemorySource([]);
    expect(() => checkpointCallback(source, { every: 0, save: () => {}, tf })).toThrow(/every/);
    const refused = expect.objectContaining({ code: 'invalid_argument' });
    for (const wrong of [null, {}, 'x', Promise.resolve(source)] as readonly unknown[] as readonly never[]) {
      expect(() => checkpointCallback(wrong, { every: 1, save: () => {}, tf })).toThrow(refused);
      expect(() => checkpointCallback(source, { every: 1, save: wrong, tf })).toThrow(refused);
      await expect(toTfDataset(wrong, { xs: 'a', ys: 'a', tf })).rejects.toMatchObject({ code: 'invalid_argument' });
    }
  });
});

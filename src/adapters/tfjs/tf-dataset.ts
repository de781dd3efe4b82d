import type { LayersModel } from '@tensorflow/tfjs';
import type { RecordBatch } from 'apache-arrow';
import { knownOptions } from '../../core/check.js';
import { type BatchSource, checkSource } from './batch-source.js';
import { type TensorSelection, type TensorWish, tensorWishes } from './column-spec.js';
import { type DataWait, EpochPasses } from './epoch-passes.js';
import { fitTensors, type ModelPorts, portsOf, wishesFor } from './model-ports.js';
import { makeTensors, type NamedTensors, type TensorContainer } from './tensors.js';
import { loadTf, type TensorMaker, tfInUse } from './tf.js';

/** Which columns train the model. */
export interface TfDatasetOptions {
  readonly xs: TensorSelection;
  readonly ys: TensorSelection;
  /** Names and shapes are checked against it, and only what it takes is made. Recommended. */
  readonly model?: LayersModel;
  /** Default: what `loadTf()` finds. */
  readonly tf?: TensorMaker;
}

/** One batch as `model.fitDataset` takes it. */
export interface TrainingBatch {
  readonly xs: TensorContainer;
  readonly ys: TensorContainer;
}

/** What one call of `next` gives; the value is `null` exactly at the end, for fit trains on any other value. */
export type TrainingResult =
  | { readonly value: TrainingBatch; readonly done: false }
  | { readonly value: null; readonly done: true };

/**
 * The type that `fitDataset` and `evaluateDataset` declare, `tf.data.Dataset`. They call nothing of it but `iterator` and
 * `size`, and nothing else is there: `map`, `batch` and the like belong in the scan or in the loader's transform.
 */
export type FitDataset = Parameters<LayersModel['fitDataset']>[0];

/** A loader as `model.fitDataset` and `model.evaluateDataset` take it. */
export interface TfDataset {
  /** One pass over an epoch. It touches nothing before its first `next()`, for fit asks for one more than it uses. */
  iterator(): Promise<{ next(): Promise<TrainingResult> }>;
  /** Batches of a whole epoch, where known and finite. */
  readonly size?: number;
  /** How long training has waited for data so far. */
  stats(): DataWait;
  /** Ends the running pass and closes the loader; call it when training is over, for fit never says that it stops early. */
  close(): Promise<void>;
}

/**
 * A loader for `model.fitDataset(dataset, { epochs, initialEpoch: loader.epoch })`: one pass an epoch. `batchesPerEpoch`
 * makes fit use one pass for all epochs and needs a loader with `infinite: true`.
 *
 * Tensors are made inside `next()`, with what `toTensors` promises of them; fit disposes of them. With `model`, one value
 * a row takes the shape `[rows, 1]` where the model has that, and where it has one input (or output), the one tensor
 * selected is it whatever its name. A resumed loader's first pass is the rest of its epoch. A pass that starts while
 * another runs (training was stopped and begun again) ends the other.
 *
 * @throws SpiralError `missing_peer`; `invalid_argument` for a loader, a model or a `tf` that is none; `invalid_tensor` where
 * an input or output of the model is not selected. `next()` throws what `toTensors` does, naming the epoch and the step.
 */
export async function toTfDataset(loader: BatchSource, options: TfDatasetOptions): Promise<TfDataset & FitDataset> {
  knownOptions('toTfDataset', options, ['xs', 'ys', 'model', 'tf']);
  checkSource(loader);
  const tf = options.tf === undefined ? await loadTf() : tfInUse(options.tf);
  const passes = new EpochPasses(loader, batchMaker(tf, options));
  const batches = loader.infinite === true || loader.plan === undefined ? null : (await loader.plan()).batches;
  const dataset: TfDataset = {
    iterator: async () => passes.open(),
    ...(batches === null ? {} : { size: batches }),
    stats: () => passes.stats(),
    close: () => passes.close(),
  };
  return dataset as TfDataset & FitDataset;
}

/** The inputs or the outputs: what to make, and how to hand it over. */
interface Side {
  readonly wishes: TensorWish[];
  handOver(tensors: NamedTensors): TensorContainer;
}

function batchMaker(tf: TensorMaker, { xs, ys, model }: TfDatasetOptions): (batch: RecordBatch) => TrainingBatch {
  const ports = model === undefined ? undefined : portsOf(model);
  const inputs = sideOf('xs', xs, ports?.inputs);
  const outputs = sideOf('ys', ys, ports?.outputs);
  return (batch) => {
    const [made, expected] = makeTensors(tf, batch, [inputs.wishes, outputs.wishes]) as [NamedTensors, NamedTensors];
    try {
      return { xs: inputs.handOver(made), ys: outputs.handOver(expected) };
    } catch (error) {
      for (const tensor of [...Object.values(made), ...Object.values(expected)]) tensor.dispose();
      throw error;
    }
  };
}

function sideOf(role: 'xs' | 'ys', selection: TensorSelection, ports: ModelPorts | undefined): Side {
  const wishes = tensorWishes(role, selection);
  if (ports !== undefined)
    return { wishes: wishesFor(ports, wishes), handOver: (tensors) => fitTensors(ports, tensors) };
  const only = typeof selection === 'string' ? selection : undefined;
  return { wishes, handOver: (tensors) => (only === undefined ? tensors : tensors[only]!) };
}

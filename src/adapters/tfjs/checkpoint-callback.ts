import type { CustomCallback } from '@tensorflow/tfjs';
import { knownOptions, wholeNumber, withMethods } from '../../core/check.js';
import { SpiralError } from '../../core/errors.js';
import { type BatchSource, checkSource } from './batch-source.js';
import { type Tf, tfInUse } from './tf.js';

/** Where training stands: exactly the batches the model has been trained on. */
export interface TrainingPlace {
  /** The loader's state; a loader resumed from it gives the next batch. */
  readonly loader: unknown;
  /** The running epoch, from 0. */
  readonly epoch: number;
  /** Batches trained since epoch 0. */
  readonly step: number;
}

/** When to save, and how. */
export interface CheckpointCallbackOptions {
  /** Batches between two saves: after every step that it divides, so that restarts do not shift them. */
  readonly every: number;
  /** Awaited before training goes on; what it throws ends training. */
  save(place: TrainingPlace): Promise<void> | void;
  /** Default: the TensorFlow.js that `loadTf()` found or that this process has imported. */
  readonly tf?: Pick<Tf, 'CustomCallback'>;
}

/**
 * A callback for `model.fitDataset` that saves after every `every` batches and when training ends, be it by
 * `model.stopTraining`. Fit asks for a batch only once the one before is trained on, so the loader's state is the model's.
 *
 * @throws SpiralError `invalid_size` for `every`; `invalid_argument` for what is no loader and for a `save` that is no
 * function; `missing_peer` where no TensorFlow.js with layers is loaded or given.
 */
export function checkpointCallback(loader: BatchSource, options: CheckpointCallbackOptions): CustomCallback {
  knownOptions('checkpointCallback', options, ['every', 'save', 'tf']);
  checkSource(loader);
  withMethods('options', options, ['save'], 'an object with a function `save`');
  const every = wholeNumber('every', options.every, { min: 1, unit: 'batches' });
  const tf: Pick<Tf, 'CustomCallback'> = options.tf === undefined ? tfInUse() : options.tf;
  if (typeof tf?.CustomCallback !== 'function') {
    throw new SpiralError(
      'missing_peer',
      'checkpointCallback needs the layers API, which @tensorflow/tfjs-core lacks. Run `npm install @tensorflow/tfjs`, or ' +
        'pass `tf` of a package that has it.',
    );
  }
  const save = async (): Promise<void> => {
    const { epoch, step } = loader;
    await options.save({ loader: loader.stateDict(), epoch, step });
  };
  return new tf.CustomCallback({
    onBatchEnd: async () => {
      if (loader.step % every === 0) await save();
    },
    // Also at a step just saved: the end of an epoch moves the loader's state on without a step.
    onTrainEnd: save,
  });
}

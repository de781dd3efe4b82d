export { type PickedBackend, pickBackend } from './backend.js';
export type { BatchSource } from './batch-source.js';
export {
  type Checkpoint,
  loadCheckpoint,
  restoreCheckpoint,
  type SaveCheckpointOptions,
  saveCheckpoint,
} from './checkpoint.js';
export { type CheckpointCallbackOptions, checkpointCallback, type TrainingPlace } from './checkpoint-callback.js';
export type { ColumnSpec, TensorDtype, TensorSelection } from './column-spec.js';
export type { DataWait } from './epoch-passes.js';
export type { ModelState, SavedTensor } from './model-state.js';
export {
  type NamedTensors,
  type TensorContainer,
  type TensorsOf,
  type ToTensorsOptions,
  toTensors,
} from './tensors.js';
export { loadTf, type TensorMaker, type Tf } from './tf.js';
export {
  type FitDataset,
  type TfDataset,
  type TfDatasetOptions,
  type TrainingBatch,
  type TrainingResult,
  toTfDataset,
} from './tf-dataset.js';

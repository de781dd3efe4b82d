import type { Tensor } from '@tensorflow/tfjs';
import type { Data, RecordBatch } from 'apache-arrow';
import { knownOptions } from '../../core/check.js';
import { SpiralError, shown } from '../../core/errors.js';
import { type TensorSelection, type TensorWish, tensorWishes } from './column-spec.js';
import { type DenseColumn, denseColumn } from './dense-column.js';
import { floatMemory } from './float-memory.js';
import { tensorValues } from './tensor-values.js';
import { type TensorMaker, tfInUse } from './tf.js';

/** One column's name gives one tensor, any other selection tensors by name. */
export type TensorsOf<S extends TensorSelection> = S extends string ? Tensor : NamedTensors;

/** Which columns become which tensors. */
export interface ToTensorsOptions<X extends TensorSelection, Y extends TensorSelection> {
  /** The model's inputs. */
  readonly xs: X;
  /** What the model should give. */
  readonly ys?: Y;
  /** Default: the TensorFlow.js that `loadTf()` found or that this process has imported. */
  readonly tf?: TensorMaker;
}

/**
 * The columns of `batch` as tensors, which are yours to dispose of.
 *
 * A scalar column becomes `[rows]`, lists of one length `[rows, n]`, nested lists `[rows, n, m]`; `shape` gives each row
 * another shape of as many elements. Float columns become float32, integers int32 (int64, uint64 and uint32 checked
 * value by value), booleans bool; text only with `dtype: 'string'`. A float32 or int32 column is handed over without a
 * copy, once: tensors of the cpu backend then read the batch's memory, so do not write to it.
 *
 * @example toTensors(batch, { xs: { image: { shape: [28, 28, 1], scale: 1 / 255 } }, ys: { label: { oneHot: 10 } } })
 * @throws SpiralError `unknown_column`; `invalid_tensor` for nulls, lists of several lengths, types without a tensor,
 * shapes and values that do not fit; `missing_peer` where no TensorFlow.js is loaded.
 */
export function toTensors<X extends TensorSelection>(
  batch: RecordBatch,
  options: ToTensorsOptions<X, never> & { readonly ys?: undefined },
): { xs: TensorsOf<X> };
export function toTensors<X extends TensorSelection, Y extends TensorSelection>(
  batch: RecordBatch,
  options: ToTensorsOptions<X, Y> & { readonly ys: Y },
): { xs: TensorsOf<X>; ys: TensorsOf<Y> };
export function toTensors(
  batch: RecordBatch,
  options: ToTensorsOptions<TensorSelection, TensorSelection>,
): { xs: TensorContainer; ys?: TensorContainer } {
  knownOptions('toTensors', options, ['xs', 'ys', 'tf']);
  const tf = tfInUse(options.tf);
  const xs = tensorWishes('xs', options.xs);
  const ys = options.ys === undefined ? [] : tensorWishes('ys', options.ys);
  const [inputs, outputs] = makeTensors(tf, batch, [xs, ys]);
  const made = { xs: packed(options.xs, inputs!) };
  return options.ys === undefined ? made : { ...made, ys: packed(options.ys, outputs!) };
}

/** Tensors by name. */
export type NamedTensors = Record<string, Tensor>;

/** One tensor, or tensors by name. */
export type TensorContainer = Tensor | NamedTensors;

/** The tensors that each list of wishes asks for; none is left behind where one cannot be made. */
export function makeTensors(tf: TensorMaker, batch: RecordBatch, groups: readonly TensorWish[][]): NamedTensors[] {
  checkBatch(batch);
  const made: Tensor[] = [];
  try {
    return groups.map((wishes) => {
      const group: NamedTensors = {};
      for (const wish of wishes) made.push((group[wish.name] = tensorOf(tf, batch, wish)));
      return group;
    });
  } catch (error) {
    for (const tensor of made) tensor.dispose();
    throw error;
  }
}

/** Marks columns whose memory some tensor aliases: handed over a second time, they are copied. A WeakSet of them would be slower. */
const handedOver = Symbol('handedOver');
type Leaf = Data & { [handedOver]?: true };

function tensorOf(tf: TensorMaker, batch: RecordBatch, { column, spec }: TensorWish): Tensor {
  const { leaf, shape, width }: { leaf: Leaf } & DenseColumn = denseColumn(batch, column);
  const rows = batch.numRows;
  const rowShape = spec.shape ?? (spec.oneHot === undefined ? shape : [spec.oneHot]);
  if (spec.shape !== undefined) checkShape(column, spec.shape, spec.oneHot ?? width, rows);
  const mayAlias = leaf[handedOver] !== true;
  const memory = floatMemory(tf);
  const floats = (length: number): Float32Array => memory.take(length);
  try {
    const made = tensorValues({ leaf, count: rows * width, width, column, spec, mayAlias, floats });
    if (mayAlias && made.dtype !== 'string' && made.values.buffer === leaf.values?.buffer) leaf[handedOver] = true;
    if (made.dtype === 'float32') return memory.tensor(made.values, [rows, ...rowShape]);
    return tf.tensor(made.values, [rows, ...rowShape], made.dtype);
  } catch (error) {
    memory.drop();
    throw error;
  }
}

function checkShape(column: string, shape: readonly number[], width: number, rows: number): void {
  const wanted = shape.reduce((product, length) => product * length, 1);
  if (wanted === width || rows === 0) return;
  throw new SpiralError(
    'invalid_tensor',
    `Column '${column}' has ${width} elements a row, shape [${shape}] asks for ${wanted}. Give a shape of ${width} elements.`,
    { details: { column, shape, expected: width, found: wanted } },
  );
}

function checkBatch(batch: RecordBatch): void {
  if (typeof batch?.numRows === 'number' && batch.schema !== undefined && batch.data !== undefined) return;
  throw new SpiralError(
    'invalid_tensor',
    `Expected an Arrow RecordBatch to make tensors of, got ${shown(batch)}. A transform before it must return a batch.`,
    { details: { found: batch } },
  );
}

function packed(selection: TensorSelection, tensors: NamedTensors): TensorContainer {
  return typeof selection === 'string' ? tensors[selection]! : tensors;
}

import type { Tensor } from '@tensorflow/tfjs';
import type { Data, RecordBatch } from 'apache-arrow';
import { knownOptions } from '../../core/check.js';
import { SpiralError, shown } from '../../core/errors.js';
import { asItComes, type TensorSelection, type TensorWish, tensorWishes } from './column-spec.js';
import { type DenseColumn, denseColumn } from './dense-column.js';
import { type FloatMemory, floatMemory } from './float-memory.js';
import { plainColumn } from './plain-column.js';
import { type TensorValues, tensorValues } from './tensor-values.js';
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
 * shapes and values that do not fit; `missing_peer` where no TensorFlow.js is loaded; `invalid_argument` for a selection or a
 * `tf` that is none.
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
  knownOptions('toTensors', options, optionNames);
  const tf = tfInUse(options.tf);
  checkBatch(batch);
  const xs = selected(tf, batch, 'xs', options.xs);
  if (options.ys === undefined) return { xs };
  try {
    return { xs, ys: selected(tf, batch, 'ys', options.ys) };
  } catch (error) {
    for (const tensor of typeof options.xs === 'string' ? [xs as Tensor] : Object.values(xs)) tensor.dispose();
    throw error;
  }
}

const optionNames = ['xs', 'ys', 'tf'];

/** A single column, of which small batches are made most often, needs no list of wishes. */
function selected(tf: TensorMaker, batch: RecordBatch, role: 'xs' | 'ys', selection: TensorSelection): TensorContainer {
  if (typeof selection !== 'string') return makeTensors(tf, batch, [tensorWishes(role, selection)])[0]!;
  return (
    handedTensor(tf, batch, selection) ?? tensorOf(tf, batch, { name: selection, column: selection, spec: asItComes })
  );
}

/** The column `name` where its memory is handed over as it stands. */
function handedTensor(tf: TensorMaker, { data }: RecordBatch, name: string): Tensor | undefined {
  const plain = plainColumn(data.type, name);
  if (plain === undefined) return undefined;
  const leaf: Leaf = data.children[plain.at]!;
  const { values } = leaf;
  if (leaf.nullCount !== 0 || leaf[handedOver] === true || values.length !== data.length) return undefined;
  leaf[handedOver] = true;
  return plainTensor(tf, { values, dtype: plain.dtype }, [data.length]);
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
    const all: NamedTensors[] = [];
    for (const wishes of groups) {
      const group: NamedTensors = {};
      for (const wish of wishes) made.push((group[wish.name] = tensorOf(tf, batch, wish)));
      all.push(group);
    }
    return all;
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
  let memory: FloatMemory | undefined;
  const floats = (length: number): Float32Array => {
    memory = floatMemory(tf);
    return memory.take(length);
  };
  try {
    const made = tensorValues({ leaf, count: rows * width, width, column, spec, mayAlias, floats });
    if (mayAlias && made.dtype !== 'string' && made.values.buffer === leaf.values?.buffer) leaf[handedOver] = true;
    const tensorShape = rowShape.length === 0 ? [rows] : [rows, ...rowShape];
    if (memory !== undefined && made.dtype === 'float32') return memory.tensor(made.values, tensorShape);
    return plainTensor(tf, made, tensorShape);
  } catch (error) {
    memory?.drop();
    throw error;
  }
}

/** `tf.tensor` checks again that values, type and shape fit each other, which takes a small batch a tenth of all its time. */
function plainTensor(tf: TensorMaker, { values, dtype }: TensorValues, shape: number[]): Tensor {
  // Once: each look at a name of the namespace is a call.
  const { engine } = tf;
  if (dtype === 'string' || engine === undefined) return tf.tensor(values, shape, dtype);
  return engine().makeTensor(values, shape, dtype);
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

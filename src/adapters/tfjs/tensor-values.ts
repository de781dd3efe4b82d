import { type Data, DataType, makeVector, Precision } from 'apache-arrow';
import { float16Value } from '../../arrow/float16.js';
import { SpiralError, shown } from '../../core/errors.js';
import type { ColumnSpec, TensorDtype } from './column-spec.js';

/** Numbers as Arrow stores them. */
type Numbers =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** What `tf.tensor` takes as it stands: nothing else, for it refuses or misreads other typed arrays. */
export type TensorValues =
  | { readonly dtype: 'float32'; readonly values: Float32Array }
  | { readonly dtype: 'int32'; readonly values: Int32Array }
  | { readonly dtype: 'bool'; readonly values: Uint8Array }
  | { readonly dtype: 'string'; readonly values: string[] };

/** The values of one column on the way to a tensor, and where they are for an error's sake. */
export interface ValueSource {
  readonly leaf: Data;
  /** Elements to take from `leaf`'s start. */
  readonly count: number;
  /** Elements of one row. */
  readonly width: number;
  readonly column: string;
  readonly spec: ColumnSpec;
  /** Whether the tensor may be a view of the batch's own memory. */
  readonly mayAlias: boolean;
  /** Memory for float32 values that have to be written anew; not cleared. */
  readonly floats: (length: number) => Float32Array;
}

/**
 * The elements of a column as `tf.tensor` takes them. Float32 and int32 columns are handed over without a copy where
 * `mayAlias`; int64, uint64, uint32 and floats become int32 only where every value fits.
 *
 * @throws SpiralError `invalid_tensor` for types without a tensor and for values that do not fit, naming the row.
 */
export function tensorValues(source: ValueSource): TensorValues {
  const { leaf, spec } = source;
  if (isText(leaf.type) || DataType.isDictionary(leaf.type)) return texts(source);
  const numbers = numbersOf(source);
  if (spec.oneHot !== undefined) return { dtype: 'float32', values: oneHot(source, numbers, spec.oneHot) };
  switch (dtypeOf(source)) {
    case 'float32':
      return { dtype: 'float32', values: floats(source, numbers) };
    case 'int32':
      return { dtype: 'int32', values: integers(source, numbers) };
    case 'bool':
      return { dtype: 'bool', values: booleans(source, numbers) };
    case 'string':
      throw wrongType(source, `It cannot become dtype 'string'; only text can.`);
  }
}

function dtypeOf({ leaf, spec }: ValueSource): TensorDtype {
  if (spec.dtype !== undefined) return spec.dtype;
  if (spec.scale !== undefined || spec.offset !== undefined || DataType.isFloat(leaf.type)) return 'float32';
  return DataType.isBool(leaf.type) ? 'bool' : 'int32';
}

function numbersOf(source: ValueSource): Numbers {
  const { leaf, count } = source;
  const { type } = leaf;
  if (DataType.isBool(type)) return bits(leaf, count);
  if (DataType.isFloat(type) && type.precision === Precision.HALF) {
    return Float32Array.from((leaf.values as Uint16Array).subarray(0, count), float16Value);
  }
  if (DataType.isInt(type) || DataType.isFloat(type)) {
    const values = leaf.values as Numbers;
    return values.length === count ? values : values.subarray(0, count);
  }
  if (DataType.isFixedSizeBinary(type)) return (leaf.values as Uint8Array).subarray(0, count);
  if (DataType.isBinary(type) || DataType.isLargeBinary(type)) {
    const start = leaf.length === 0 ? 0 : Number(leaf.valueOffsets[0]);
    return (leaf.values as Uint8Array).subarray(start, start + count);
  }
  throw wrongType(source, 'Cast it in the scan (`se.cast`), or leave it out.');
}

function bits(leaf: Data, count: number): Uint8Array {
  const packed = leaf.values as Uint8Array;
  const out = new Uint8Array(count);
  for (let at = 0; at < count; at++) {
    const bit = leaf.offset + at;
    out[at] = (packed[bit >> 3]! >> (bit & 7)) & 1;
  }
  return out;
}

function texts(source: ValueSource): TensorValues {
  const { leaf, count, spec } = source;
  const { type } = leaf;
  if (DataType.isDictionary(type) && !isText(type.dictionary)) {
    throw wrongType(source, 'Cast it in the scan (`se.cast`), or leave it out.');
  }
  if (spec.dtype !== 'string') throw wrongType(source, `Ask for { dtype: 'string' }, or encode it in a transform.`);
  const values: string[] = new Array(count);
  const vector = makeVector(leaf);
  for (let at = 0; at < count; at++) values[at] = vector.get(at) as string;
  return { dtype: 'string', values };
}

function floats(source: ValueSource, numbers: Numbers): Float32Array {
  const { spec } = source;
  const scale = spec.scale ?? 1;
  const offset = spec.offset ?? 0;
  if (scale === 1 && offset === 0) {
    if (numbers instanceof Float32Array) return source.mayAlias ? numbers : numbers.slice();
    if (numbers instanceof Float64Array) return narrowed(source, numbers);
    if (!isBig(numbers)) {
      const copy = source.floats(numbers.length);
      copy.set(numbers);
      return copy;
    }
  }
  const out = source.floats(numbers.length);
  if (isBig(numbers)) for (let at = 0; at < out.length; at++) out[at] = Number(numbers[at]) * scale + offset;
  else for (let at = 0; at < out.length; at++) out[at] = numbers[at]! * scale + offset;
  return out;
}

/** Rounds to float32; a finite number beyond its range is refused, for it would turn into infinity in silence. */
function narrowed(source: ValueSource, numbers: Float64Array): Float32Array {
  const out = source.floats(numbers.length);
  out.set(numbers);
  for (let at = 0; at < out.length; at++) {
    if (!Number.isFinite(out[at]) && Number.isFinite(numbers[at])) throw unfit(source, at, numbers[at]!, 'float32');
  }
  return out;
}

function integers(source: ValueSource, numbers: Numbers): Int32Array {
  if (numbers instanceof Int32Array) return source.mayAlias ? numbers : numbers.slice();
  const out = new Int32Array(numbers.length);
  for (let at = 0; at < out.length; at++) {
    const value = Number(numbers[at]);
    out[at] = value;
    if (out[at] !== value) throw unfit(source, at, numbers[at]!, 'int32');
  }
  return out;
}

function booleans(source: ValueSource, numbers: Numbers): Uint8Array {
  const out = new Uint8Array(numbers.length);
  for (let at = 0; at < out.length; at++) {
    const value = Number(numbers[at]);
    if (value !== 0 && value !== 1) throw unfit(source, at, numbers[at]!, 'bool (0 or 1)');
    out[at] = value;
  }
  return out;
}

function oneHot(source: ValueSource, numbers: Numbers, classes: number): Float32Array {
  if (source.width !== 1) throw wrongType(source, `oneHot takes one number a row, it has ${source.width}.`);
  const out = source.floats(numbers.length * classes).fill(0);
  for (let at = 0; at < numbers.length; at++) {
    const value = Number(numbers[at]);
    if (!(Number.isInteger(value) && value >= 0 && value < classes)) {
      throw unfit(source, at, numbers[at]!, `a class of oneHot: ${classes}, a whole number from 0 to ${classes - 1}`);
    }
    out[at * classes + value] = 1;
  }
  return out;
}

function isText(type: DataType): boolean {
  return DataType.isUtf8(type) || DataType.isLargeUtf8(type);
}

function isBig(numbers: Numbers): numbers is BigInt64Array | BigUint64Array {
  return numbers instanceof BigInt64Array || numbers instanceof BigUint64Array;
}

function unfit({ column, width }: ValueSource, at: number, found: number | bigint, wanted: string): SpiralError {
  const row = Math.floor(at / width);
  const place = width === 1 ? '' : `, element ${at % width}`;
  return new SpiralError(
    'invalid_tensor',
    `Column '${column}' holds ${shown(found)} in row ${row}${place} of the batch, which does not fit ${wanted}. ` +
      'Choose another dtype, or map the values in a transform.',
    { details: { column, row, element: at % width, found, wanted } },
  );
}

function wrongType({ leaf, column }: ValueSource, remedy: string): SpiralError {
  return new SpiralError('invalid_tensor', `Column '${column}' is of type ${leaf.type}. ${remedy}`, {
    details: { column, type: String(leaf.type) },
  });
}

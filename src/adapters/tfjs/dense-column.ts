import { type Data, DataType, type RecordBatch, type Struct } from 'apache-arrow';
import { listed, nearest } from '../../core/check.js';
import { SpiralError } from '../../core/errors.js';

/** A column without nulls whose rows all have one shape: `leaf` holds `rows × width` elements, row by row. */
export interface DenseColumn {
  /** The innermost values, of a type that is neither a list nor a struct. */
  readonly leaf: Data;
  /** The lengths of the lists around an element, outermost first; empty for a scalar column. */
  readonly shape: readonly number[];
  /** Elements of one row. */
  readonly width: number;
}

/**
 * The column of `batch` at `path`: a name, or names joined by dots for a field of a struct.
 *
 * @throws SpiralError `unknown_column`, naming near ones; `invalid_tensor` for nulls and for lists of several lengths,
 * naming the column and the row within the batch.
 */
export function denseColumn(batch: RecordBatch, path: string): DenseColumn {
  let data = columnAt(batch, path);
  const shape: number[] = [];
  let width = 1;
  refuseNulls(data, path, width);
  for (;;) {
    const length = rowLength(data, path, width);
    if (length === undefined) return { leaf: data, shape, width };
    shape.push(length);
    width *= length;
    const inner = insideOf(data, length);
    if (inner === undefined) return { leaf: data, shape, width };
    data = inner;
    refuseNulls(data, path, width);
  }
}

function columnAt(batch: RecordBatch, path: string): Data {
  const whole = childNamed(batch.data, path);
  if (whole !== undefined) return whole;
  let data: Data = batch.data;
  for (const name of path.split('.')) {
    const child = childNamed(data, name);
    if (child === undefined) throw unknownColumn(batch, path);
    data = child;
    if (DataType.isStruct(data.type)) refuseNulls(data, path, 1);
  }
  return data;
}

function childNamed(data: Data, name: string): Data | undefined {
  if (!DataType.isStruct(data.type)) return undefined;
  const at = data.type.children.findIndex((field) => field.name === name);
  return at < 0 ? undefined : data.children[at];
}

function unknownColumn(batch: RecordBatch, path: string): SpiralError {
  const names = leafNames(batch.data.type as Struct, '');
  const near = nearest(path, names);
  const hint = near.length > 0 ? `Did you mean ${listed(near)}?` : `It has ${listed(names.slice(0, 20), 'and')}.`;
  return new SpiralError('unknown_column', `The batch has no column '${path}'. ${hint}`, {
    details: { column: path, near, columns: names },
  });
}

function leafNames(type: Struct, prefix: string): string[] {
  return type.children.flatMap((field) =>
    DataType.isStruct(field.type) ? leafNames(field.type, `${prefix}${field.name}.`) : [prefix + field.name],
  );
}

/** The length that every list in `data` has, or `undefined` where it holds no lists. */
function rowLength(data: Data, path: string, width: number): number | undefined {
  const { type } = data;
  if (DataType.isFixedSizeList(type)) return type.listSize;
  if (DataType.isFixedSizeBinary(type)) return type.byteWidth;
  if (!DataType.isList(type) && !DataType.isBinary(type) && !DataType.isLargeBinary(type)) return undefined;
  if (data.length === 0) return 0;
  const offsets = data.valueOffsets as Int32Array | BigInt64Array;
  const length = Number(offsets[1]) - Number(offsets[0]);
  for (let at = 1; at < data.length; at++) {
    const found = Number(offsets[at + 1]) - Number(offsets[at]);
    if (found !== length) throw ragged(path, Math.floor(at / width), found, length);
  }
  return length;
}

function ragged(column: string, row: number, found: number, expected: number): SpiralError {
  return new SpiralError(
    'invalid_tensor',
    `Expected the lists of column '${column}' to be of one length, found ${found} in row ${row} of the batch and ` +
      `${expected} before. Pad or cut them in a transform.`,
    { details: { column, row, found, expected } },
  );
}

/** The elements of the lists in `data`, from the first row's first on; `undefined` where they are its own bytes. */
function insideOf(data: Data, length: number): Data | undefined {
  if (DataType.isFixedSizeList(data.type)) return data.children[0];
  if (!DataType.isList(data.type)) return undefined;
  const start = data.length === 0 ? 0 : (data.valueOffsets as Int32Array)[0]!;
  return data.children[0]!.slice(start, data.length * length);
}

function refuseNulls(data: Data, column: string, width: number): void {
  if (data.nullCount === 0) return;
  let at = 0;
  if (!DataType.isNull(data.type)) while (at < data.length && data.getValid(at)) at++;
  if (at === data.length) return;
  const row = width === 0 ? 0 : Math.floor(at / width);
  throw new SpiralError(
    'invalid_tensor',
    `Column '${column}' is null in row ${row} of the batch (${data.nullCount} nulls in all), and a tensor has no nulls. ` +
      `Leave such rows out with \`where\`, or fill them in a transform.`,
    { details: { column, row, nulls: data.nullCount } },
  );
}

import { Data, DataType, type RecordBatch } from 'apache-arrow';
import { bitAt } from '../arrow/bits.js';
import { SpiralError } from '../core/errors.js';
import { pathText } from './column.js';

/** A leaf column of a batch: structs taken apart, as tables store them. */
export interface Leaf {
  readonly path: readonly string[];
  readonly type: DataType;
  readonly data: Data;
}

/**
 * The leaf columns of `batch`. Structs inside lists stay what they are.
 *
 * @throws SpiralError `invalid_rows` for a struct that is null in a row, unless `pushDownNulls` makes its fields null.
 */
export function leavesOf(batch: RecordBatch, where: string, pushDownNulls: boolean): Leaf[] {
  return batch.schema.fields.flatMap((field, at) =>
    unnested([field.name], batch.data.children[at]!, where, pushDownNulls),
  );
}

function unnested(path: readonly string[], data: Data, where: string, pushDownNulls: boolean): Leaf[] {
  if (!DataType.isStruct(data.type)) return [{ path, type: data.type, data }];
  if (data.nullCount > 0 && !pushDownNulls) throw nullStruct(path, data, where);
  return data.type.children.flatMap((field, at) => {
    const child = data.children[at]!;
    const own = child.length === data.length ? child : child.slice(0, data.length);
    return unnested([...path, field.name], data.nullCount > 0 ? masked(own, data) : own, where, pushDownNulls);
  });
}

/** `data` with a null wherever `parent` has one. */
function masked(data: Data, parent: Data): Data {
  const bits = new Uint8Array(Math.ceil((data.offset + data.length) / 8));
  let nullCount = 0;
  for (let row = 0; row < data.length; row++) {
    const at = data.offset + row;
    const valid =
      bitAt(parent.nullBitmap!, parent.offset + row) && (data.nullCount === 0 || bitAt(data.nullBitmap!, at));
    if (valid) bits[at >> 3]! |= 1 << (at & 7);
    else nullCount++;
  }
  const buffers = [data.valueOffsets, data.values, bits] as never;
  return new Data(data.type, data.offset, data.length, nullCount, buffers, data.children, data.dictionary);
}

function nullStruct(path: readonly string[], data: Data, where: string): SpiralError {
  let row = 0;
  while (bitAt(data.nullBitmap!, data.offset + row)) row++;
  return new SpiralError(
    'invalid_rows',
    `Expected the struct '${pathText(path)}' of ${where} to have a value in every row, found null in row ${row}. ` +
      'Tables know nulls in columns, not in structs: pass { pushDownNulls: true } to make its fields null there.',
    { details: { table: where, column: pathText(path), row } },
  );
}

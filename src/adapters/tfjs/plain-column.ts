import { DataType, Precision } from 'apache-arrow';

/** A column each value of which is a number as tensors have them. */
export interface PlainColumn {
  readonly at: number;
  readonly dtype: 'int32' | 'float32';
}

/** What was looked for last: the batches of a loader are all of one type. */
let last: { readonly type: DataType; readonly name: string; readonly column: PlainColumn | undefined } | undefined;

/** The column `name` of batches of `type`, where it is plain: a small batch would take longer to look at than to make a tensor of. */
export function plainColumn(type: DataType, name: string): PlainColumn | undefined {
  if (last === undefined || last.type !== type || last.name !== name) {
    last = { type, name, column: foundColumn(type, name) };
  }
  return last.column;
}

function foundColumn(type: DataType, name: string): PlainColumn | undefined {
  if (!DataType.isStruct(type)) return undefined;
  const at = type.children.findIndex((field) => field.name === name);
  const own = type.children[at]?.type;
  if (DataType.isInt(own) && own.bitWidth === 32 && own.isSigned) return { at, dtype: 'int32' };
  return DataType.isFloat(own) && own.precision === Precision.SINGLE ? { at, dtype: 'float32' } : undefined;
}

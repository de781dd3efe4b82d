import { type Data, DataType, type FixedSizeList } from 'apache-arrow';

/** Lists as they lie in memory: row `i` is elements `offsets[i]` to `offsets[i + 1]` of `child`. */
export interface ListView {
  readonly offsets: Int32Array;
  readonly child: Data;
}

/** The lists of a column, of variable or of fixed size. */
export function listsOf(data: Data): ListView {
  const child = data.children[0]!;
  if (DataType.isFixedSizeList(data.type)) {
    const { listSize } = data.type as FixedSizeList;
    return { offsets: Int32Array.from({ length: data.length + 1 }, (_, row) => row * listSize), child };
  }
  return { offsets: data.valueOffsets as Int32Array, child };
}

/** The type of a list's elements. */
export function elementOf(type: DataType): DataType {
  return type.children[0]!.type;
}

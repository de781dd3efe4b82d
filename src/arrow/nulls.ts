import { Data, type DataType } from 'apache-arrow';
import { bitBytes } from './bits.js';
import { layoutOf } from './layout.js';

/** A column of `length` nulls. */
export function nullColumn(type: DataType, length: number): Data {
  const layout = layoutOf(type);
  const validity = new Uint8Array(bitBytes(length));
  const make = (offsets: unknown, values: unknown, children: Data[] = []): Data =>
    new Data(type, 0, length, length, [offsets, values, validity] as never, children);
  switch (layout.kind) {
    case 'fixed': {
      const count = length * layout.stride;
      return make(undefined, new layout.array(new ArrayBuffer(count * layout.array.BYTES_PER_ELEMENT), 0, count));
    }
    case 'bits':
      return make(undefined, new Uint8Array(bitBytes(length)));
    case 'bytes':
      return make(zeroOffsets(layout.wide, length), new Uint8Array(0));
    case 'list':
      return make(zeroOffsets(layout.wide, length), undefined, [nullColumn(type.children[0]!.type, 0)]);
    case 'fixedList':
      return make(undefined, undefined, [nullColumn(type.children[0]!.type, length * layout.size)]);
    case 'struct':
      return make(
        undefined,
        undefined,
        type.children.map((field) => nullColumn(field.type, length)),
      );
  }
}

function zeroOffsets(wide: boolean, length: number): Int32Array | BigInt64Array {
  return wide ? new BigInt64Array(length + 1) : new Int32Array(length + 1);
}

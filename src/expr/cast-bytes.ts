import { isUtf8 } from 'node:buffer';
import type { DataType, FixedSizeBinary } from 'apache-arrow';
import { makeColumn } from '../arrow/build-data.js';
import { bytesOf } from './byte-view.js';
import type { DataCast } from './cast.js';
import { uncastable } from './cast-numbers.js';
import { isSound } from './overflow.js';
import { bytesData } from './text-build.js';
import { validityOfBits } from './values.js';

/** Binary as text: every value must be UTF-8. */
export function checkedText(to: DataType): DataCast {
  return (data, valid, where) => {
    const { bytes, offsets } = bytesOf(data);
    for (let row = 0; row < data.length; row++) {
      const value = bytes.subarray(offsets[row], offsets[row + 1]);
      if (isSound(valid, row) && !isUtf8(value)) throw uncastable(value, row, to, where);
    }
    return bytesData(to, offsets.subarray(0, data.length + 1), bytes, valid);
  };
}

/** Text or binary as binary of one width, which every value must have. */
export function fixedBytes(to: FixedSizeBinary): DataCast {
  return (data, valid, where) => {
    const { bytes, offsets } = bytesOf(data);
    const { byteWidth } = to;
    const values = new Uint8Array(data.length * byteWidth);
    for (let row = 0; row < data.length; row++) {
      if (!isSound(valid, row)) continue;
      const value = bytes.subarray(offsets[row], offsets[row + 1]);
      if (value.length !== byteWidth) throw uncastable(value, row, to, where);
      values.set(value, row * byteWidth);
    }
    return makeColumn(to, data.length, validityOfBits(valid), { values });
  };
}

import { type Data, DataType } from 'apache-arrow';
import { offsetMax } from '../arrow/build-data.js';
import { SpiralError } from '../core/errors.js';

/** Text or binary as it lies in memory: row `i` is bytes `offsets[i]` to `offsets[i + 1]`. */
export interface ByteView {
  readonly bytes: Uint8Array;
  readonly offsets: Int32Array;
}

/**
 * The bytes of a column of text or binary, of any of Arrow's forms.
 *
 * @throws SpiralError `limit_exceeded` for a batch with bytes beyond 2^31 - 1.
 */
export function bytesOf(data: Data): ByteView {
  const bytes = data.values as Uint8Array;
  if (DataType.isFixedSizeBinary(data.type)) {
    const { byteWidth } = data.type;
    return { bytes, offsets: Int32Array.from({ length: data.length + 1 }, (_, row) => row * byteWidth) };
  }
  const offsets = data.valueOffsets as unknown as Int32Array | BigInt64Array;
  if (offsets instanceof Int32Array) return { bytes, offsets };
  const narrow = new Int32Array(data.length + 1);
  for (let row = 0; row <= data.length; row++) {
    const offset = Number(offsets[row]!);
    if (offset > offsetMax) {
      throw new SpiralError(
        'limit_exceeded',
        `Expected at most ${offsetMax} bytes of text in one batch of an expression, got ${offset}. Use smaller batches.`,
        { details: { max: offsetMax, found: offset } },
      );
    }
    narrow[row] = offset;
  }
  return { bytes, offsets: narrow };
}

/** The text of every row, decoded. Bytes that are no UTF-8 come as U+FFFD. */
export function textReader(data: Data): (row: number) => string {
  const { bytes, offsets } = bytesOf(data);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return (row) => buffer.toString('utf8', offsets[row]!, offsets[row + 1]!);
}

import type { MdsEncoding } from './mds-encoding.js';
import type { MdsValues } from './mds-values.js';
import type { TextPlace } from './text-place.js';

/**
 * Where the values of the wanted columns are in `bytes`, of which sample `i` is bytes `offsets[i] … offsets[i + 1]`: first
 * the length of each value of no fixed size, 32 bits each, then all values, in the order of the columns.
 *
 * @throws SpiralError `corrupt_file` for a sample that is not just its values, naming its row.
 */
export function walkSamples(
  encodings: readonly MdsEncoding[],
  bytes: Buffer,
  offsets: Float64Array,
  wanted: readonly number[],
  place: TextPlace,
): MdsValues[] {
  const rows = offsets.length - 1;
  const headBytes = 4 * encodings.filter(({ size }) => size === null).length;
  // Where the walk is in each sample.
  const at = Int32Array.from({ length: rows }, (_, row) => Math.min(offsets[row]! + headBytes, offsets[row + 1]!));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = new Map<number, MdsValues>();
  let lengthAt = 0;
  for (const [column, { size }] of encodings.entries()) {
    const starts = wanted.includes(column) ? at.slice() : undefined;
    for (let row = 0; row < rows; row++) {
      const from = offsets[row]!;
      const head = from + lengthAt;
      const end = at[row]! + (size ?? (head + 4 <= offsets[row + 1]! ? view.getUint32(head, true) : Number.NaN));
      if (!(end <= offsets[row + 1]!)) throw damaged(place, row, offsets);
      at[row] = end;
    }
    if (size === null) lengthAt += 4;
    if (starts !== undefined) found.set(column, { bytes, starts, ends: at.slice() });
  }
  for (let row = 0; row < rows; row++) {
    if (at[row] !== offsets[row + 1] || offsets[row]! + headBytes > at[row]!) throw damaged(place, row, offsets);
  }
  return wanted.map((column) => found.get(column)!);
}

function damaged(place: TextPlace, row: number, offsets: Float64Array): Error {
  place.row += row;
  place.byte += offsets[row]!;
  const size = offsets[row + 1]! - offsets[row]!;
  return place.corrupt(
    'a sample of just its values',
    `${size} bytes whose lengths say otherwise`,
    'The file is damaged: restore it from a copy.',
  );
}

import { pathText } from '../table/column.js';
import { encodeKeys, keyAt } from '../table/key-codec.js';
import { keyOf, type Part, stretchEnd } from './part.js';
import { pickPart } from './part-reader.js';
import type { PartReading } from './set-reader.js';

/**
 * The encoded key of row `row` of `part`, read with `keys`, a reading of the key columns. Where a record batch or piece
 * begins, nothing is read: of a piece it may be a key that lies below its first row and above all rows before.
 */
export async function rowKey(keys: PartReading, part: Part, row: number): Promise<Uint8Array> {
  if (row === 0 || stretchEnd(part, row - 1) === row) return keyOf(part, row);
  const columns = await pickPart(keys, part, Int32Array.of(row));
  const names = keys.plan.keys.map(({ path }) => pathText(path));
  return keyAt(encodeKeys(columns, names), 0).slice();
}

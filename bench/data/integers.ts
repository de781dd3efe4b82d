import { type DataSet, makeTable } from './data-set.js';

/** {id int64, value int32}. */
export const integers: DataSet = {
  name: 'integers',
  make: (scale) => {
    const rows = scale.rows(integerRowCount);
    const id = BigInt64Array.from({ length: rows }, (_, row) => BigInt(row));
    return makeTable('integers', { id, value: integerValues(rows) });
  },
};

export const integerRowCount = 1_000_000;

/** The values as an array in memory. */
export function integerValues(rows: number): Int32Array {
  return Int32Array.from({ length: rows }, (_, row) => Math.imul(row, 0x9e3779b1));
}

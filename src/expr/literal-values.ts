import { DataType } from 'apache-arrow';
import { buildColumn } from '../arrow/build.js';
import { makeColumn, noNulls } from '../arrow/build-data.js';
import { float16Bits } from '../arrow/float16.js';
import { nullColumn } from '../arrow/nulls.js';
import type { BoundLiteral } from './bound.js';
import { floatRank } from './promote.js';
import { columnValues, type Values } from './values.js';

const made = new WeakMap<BoundLiteral, Values>();

/** The one value of a literal, made once. */
export function literalValues(literal: BoundLiteral): Values {
  let values = made.get(literal);
  if (values === undefined) {
    values = constantOf(literal.type, literal.value);
    made.set(literal, values);
  }
  return values;
}

function constantOf(type: DataType, value: unknown): Values {
  if (value === null) return columnValues(nullColumn(type, 1), true);
  if (DataType.isFloat(type) && typeof value === 'number') {
    // Columns made from people's values take no NaN and nothing infinite; a literal may be either.
    const rank = floatRank(type);
    const values =
      rank === 2 ? Float64Array.of(value) : rank === 1 ? Float32Array.of(value) : Uint16Array.of(float16Bits(value));
    return columnValues(makeColumn(type, 1, noNulls, { values }), true);
  }
  return columnValues(buildColumn('literal', type, [value], 1, 'an expression'), true);
}

import { type Data, DataType } from 'apache-arrow';
import { bitAt } from '../arrow/bits.js';
import { readUnscaled } from '../arrow/decimal.js';
import { bytesOf } from './byte-view.js';
import { compareBytes } from './compare-bytes.js';
import { compareNumbers, compareToNaN, compareToNumber, type Relation } from './compare-numbers.js';
import { compareWide } from './compare-wide.js';
import { doublesOf, halvesOf, isWideData, type NumberView, numbersOf } from './number-view.js';
import { classOf } from './promote.js';
import { commonBits, dataOf, falseBits, markNulls, trueBits, truthArray, truthValues, type Values } from './values.js';

/** A comparison of two columns. */
export type Comparison = 'eq' | 'neq' | 'lt' | 'lte' | 'gt' | 'gte';

/** How a comparison reads with its sides changed. */
export const mirrored: Readonly<Record<Comparison, Comparison>> = {
  eq: 'eq',
  neq: 'neq',
  lt: 'gt',
  lte: 'gte',
  gt: 'lt',
  gte: 'lte',
};

/**
 * Compares two columns of one class (numbers of any kind; else of one type), neither of which is a constant null. Null where
 * either is null.
 */
export function compareValues(how: Comparison, left: Values, right: Values, rows: number): Values {
  if (left.constant && !right.constant) return compareValues(mirrored[how], right, left, rows);
  const truth = truthArray(rows);
  const sides: Sides = {
    a: dataOf(left),
    b: dataOf(right),
    aStep: left.constant ? 0 : 1,
    bStep: right.constant ? 0 : 1,
  };
  const of = classOf(left.type);
  if (of === 'text' || of === 'binary') compareAsBytes(how, sides, truth);
  else if (of === 'decimal') compareUnscaled(how, sides, truth);
  else if (of === 'bool') compareBools(how, sides, truth);
  else if (isWideData(sides.a) || isWideData(sides.b)) compareAsWide(how, sides, truth);
  else compareAsNumbers(how, numbersOf(sides.a), numbersOf(sides.b), sides.bStep, truth);
  markNulls(truth, commonBits([left, right], rows));
  return truthValues(truth, left.constant && right.constant);
}

interface Sides {
  readonly a: Data;
  readonly b: Data;
  /** 1 for a value a row, 0 for one value for all. */
  readonly aStep: number;
  readonly bStep: number;
}

/** A comparison by `eq` and `lt` alone: which of them, whether sides change, and what stands for it and against it. */
function reduced(how: Comparison): { relation: 'eq' | 'lt'; swap: boolean; hit: number; miss: number } {
  const negated = how === 'neq' || how === 'gte' || how === 'lte';
  return {
    relation: how === 'eq' || how === 'neq' ? 'eq' : 'lt',
    swap: how === 'gt' || how === 'lte',
    hit: negated ? falseBits : trueBits,
    miss: negated ? trueBits : falseBits,
  };
}

function compareAsNumbers(how: Comparison, a: NumberView, b: NumberView, bStep: number, truth: Uint8Array): void {
  if (bStep === 0) {
    const to = b[0]!;
    // `gt` is what `lte` misses, `gte` what `lt` misses: so NaN is above every number.
    const negated = how === 'neq' || how === 'gt' || how === 'gte';
    const relation: Relation = how === 'eq' || how === 'neq' ? 'eq' : how === 'lt' || how === 'gte' ? 'lt' : 'lte';
    const [hit, miss] = negated ? [falseBits, trueBits] : [trueBits, falseBits];
    if (Number.isNaN(to)) compareToNaN(relation, a, hit, miss, truth);
    else compareToNumber(relation, a, to, hit, miss, truth);
    return;
  }
  const { relation, swap, hit, miss } = reduced(how);
  const [left, right] = swap ? [b, a] : [a, b];
  compareNumbers(relation, left, right, hit, miss, truth);
}

function compareAsWide(how: Comparison, sides: Sides, truth: Uint8Array): void {
  if (DataType.isFloat(sides.a.type) || DataType.isFloat(sides.b.type)) {
    compareAsNumbers(how, doublesOf(sides.a), doublesOf(sides.b), sides.bStep, truth);
    return;
  }
  const { relation, swap, hit, miss } = reduced(how);
  const { a, b, aStep, bStep } = sides;
  if (swap) compareWide(relation, halvesOf(b), bStep, halvesOf(a), aStep, hit, miss, truth);
  else compareWide(relation, halvesOf(a), aStep, halvesOf(b), bStep, hit, miss, truth);
}

function compareAsBytes(how: Comparison, { a, b, aStep, bStep }: Sides, truth: Uint8Array): void {
  const { relation, swap, hit, miss } = reduced(how);
  if (swap) compareBytes(relation, bytesOf(b), bStep, bytesOf(a), aStep, hit, miss, truth);
  else compareBytes(relation, bytesOf(a), aStep, bytesOf(b), bStep, hit, miss, truth);
}

/** Decimals of one scale. */
function compareUnscaled(how: Comparison, { a, b, aStep, bStep }: Sides, truth: Uint8Array): void {
  const { relation, swap, hit, miss } = reduced(how);
  const [left, right] = [unscaledReader(a), unscaledReader(b)];
  for (let row = 0; row < truth.length; row++) {
    const [x, y] = [left(row * aStep), right(row * bStep)];
    truth[row] = (relation === 'eq' ? x === y : swap ? y < x : x < y) ? hit : miss;
  }
}

/** Reads the whole number of a decimal. */
export function unscaledReader(data: Data): (row: number) => bigint {
  const words = data.values as Uint32Array;
  const { stride } = data;
  return (row) => readUnscaled(words, row * stride, (row + 1) * stride);
}

function compareBools(how: Comparison, { a, b, aStep, bStep }: Sides, truth: Uint8Array): void {
  const { relation, swap, hit, miss } = reduced(how);
  const [left, right] = [a.values as Uint8Array, b.values as Uint8Array];
  for (let row = 0; row < truth.length; row++) {
    const x = bitAt(left, a.offset + row * aStep);
    const y = bitAt(right, b.offset + row * bStep);
    truth[row] = (relation === 'eq' ? x === y : swap ? !y && x : !x && y) ? hit : miss;
  }
}

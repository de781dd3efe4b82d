import type { NumberView } from './number-view.js';

/**
 * Loops that compare numbers, a byte of truth a row: `hit` where the relation holds, else `miss`. Each loop is written for
 * integers and for doubles, as one loop over both kinds of array would be many times slower. Of doubles, NaN equals NaN and
 * is larger than everything else, as in SQL; -0 equals 0.
 */
export type Relation = 'eq' | 'lt' | 'lte';

/** `values` against one number that is not NaN. */
export function compareToNumber(
  relation: Relation,
  values: NumberView,
  to: number,
  hit: number,
  miss: number,
  truth: Uint8Array,
): void {
  const rows = truth.length;
  const flip = hit ^ miss;
  if (values instanceof Int32Array) {
    if (relation === 'eq')
      for (let row = 0; row < rows; row++) truth[row] = miss ^ (-Number(values[row]! === to) & flip);
    else if (relation === 'lt')
      for (let row = 0; row < rows; row++) truth[row] = miss ^ (-Number(values[row]! < to) & flip);
    else for (let row = 0; row < rows; row++) truth[row] = miss ^ (-Number(values[row]! <= to) & flip);
    return;
  }
  if (relation === 'eq') for (let row = 0; row < rows; row++) truth[row] = miss ^ (-Number(values[row]! === to) & flip);
  else if (relation === 'lt')
    for (let row = 0; row < rows; row++) truth[row] = miss ^ (-Number(values[row]! < to) & flip);
  else for (let row = 0; row < rows; row++) truth[row] = miss ^ (-Number(values[row]! <= to) & flip);
}

/** `values` against NaN. */
export function compareToNaN(
  relation: Relation,
  values: NumberView,
  hit: number,
  miss: number,
  truth: Uint8Array,
): void {
  const rows = truth.length;
  if (relation === 'lte') {
    truth.fill(hit);
    return;
  }
  const [ofNaN, ofOther] = relation === 'eq' ? [hit, miss] : [miss, hit];
  for (let row = 0; row < rows; row++) truth[row] = Number.isNaN(values[row]!) ? ofNaN : ofOther;
}

/** Row against row; `lte` is the other way round `lt` missed. */
export function compareNumbers(
  relation: 'eq' | 'lt',
  left: NumberView,
  right: NumberView,
  hit: number,
  miss: number,
  truth: Uint8Array,
): void {
  const rows = truth.length;
  const flip = hit ^ miss;
  if (left instanceof Int32Array && right instanceof Int32Array) {
    if (relation === 'eq')
      for (let row = 0; row < rows; row++) truth[row] = miss ^ (-Number(left[row]! === right[row]!) & flip);
    else for (let row = 0; row < rows; row++) truth[row] = miss ^ (-Number(left[row]! < right[row]!) & flip);
    return;
  }
  compareDoubles(relation, asDoubles(left), asDoubles(right), hit, miss, truth);
}

function compareDoubles(
  relation: 'eq' | 'lt',
  left: Float64Array,
  right: Float64Array,
  hit: number,
  miss: number,
  truth: Uint8Array,
): void {
  const rows = truth.length;
  const flip = hit ^ miss;
  if (relation === 'eq') {
    for (let row = 0; row < rows; row++) {
      const a = left[row]!;
      const b = right[row]!;
      const isSame = Number(a === b) | (Number(Number.isNaN(a)) & Number(Number.isNaN(b)));
      truth[row] = miss ^ (-isSame & flip);
    }
    return;
  }
  for (let row = 0; row < rows; row++) {
    const a = left[row]!;
    const b = right[row]!;
    const isLess = Number(a < b) | (Number(!Number.isNaN(a)) & Number(Number.isNaN(b)));
    truth[row] = miss ^ (-isLess & flip);
  }
}

function asDoubles(values: NumberView): Float64Array {
  return values instanceof Float64Array ? values : new Float64Array(values);
}

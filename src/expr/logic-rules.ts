import { Bool } from 'apache-arrow';
import { bitAt } from '../arrow/bits.js';
import type { BoundExpr } from './bound.js';
import { argAs, type CallSite, mistyped, type Rules } from './call-site.js';
import { andValues, notValues, orValues, xorValues } from './logic.js';
import { classOf } from './promote.js';
import { dataOf, falseBits, nullBits, trueBits, truthArray, truthValues, type Values, validBits } from './values.js';

const bool = new Bool();

/** The arguments as booleans. */
function bools(site: CallSite): BoundExpr[] {
  return site.args.map((arg) => {
    const fitted = classOf(arg.type) === 'bool' ? arg : argAs(arg, bool);
    if (fitted !== undefined) return fitted;
    throw mistyped(site, 'booleans', 'Compare the values first: `a.gt(0)`, not `a`.');
  });
}

function isNull(value: Values, ofNull: number, ofOther: number): Values {
  if (value.truth !== undefined) {
    const truth = truthArray(value.truth.length);
    for (let row = 0; row < truth.length; row++) truth[row] = value.truth[row] === nullBits ? ofNull : ofOther;
    return truthValues(truth, value.constant);
  }
  const data = dataOf(value);
  const truth = truthArray(data.length).fill(ofOther);
  const valid = validBits(data);
  if (valid !== undefined) {
    for (let row = 0; row < truth.length; row++) if (!bitAt(valid, row)) truth[row] = ofNull;
  }
  return truthValues(truth, value.constant);
}

/** `and`, `or`, `xor`, `not` and the tests for null. */
export const logicRules: Rules<'and' | 'or' | 'xor' | 'not' | 'is_null' | 'is_not_null'> = {
  and: {
    count: [1, Number.POSITIVE_INFINITY],
    bind: (site) => ({ type: bool, args: bools(site), run: andValues }),
  },
  or: {
    count: [1, Number.POSITIVE_INFINITY],
    bind: (site) => ({ type: bool, args: bools(site), run: orValues }),
  },
  xor: {
    count: [2, 2],
    bind: (site) => ({ type: bool, args: bools(site), run: ([a, b], rows) => xorValues(a!, b!, rows) }),
  },
  not: {
    count: [1, 1],
    bind: (site) => ({ type: bool, args: bools(site), run: ([value]) => notValues(value!) }),
  },
  is_null: {
    count: [1, 1],
    bind: (site) => ({ type: bool, args: site.args, run: ([value]) => isNull(value!, trueBits, falseBits) }),
  },
  is_not_null: {
    count: [1, 1],
    bind: (site) => ({ type: bool, args: site.args, run: ([value]) => isNull(value!, falseBits, trueBits) }),
  },
};

import { DataType, Float64, Int32 } from 'apache-arrow';
import { makeColumn } from '../arrow/build-data.js';
import { oneNumber, sameNumber } from './arithmetic-rules.js';
import type { BoundExpr } from './bound.js';
import { argAs, badCall, type CallSite, mistyped, type Rule, type Rules } from './call-site.js';
import { floatArray } from './cast-numbers.js';
import { castTo } from './cast-rule.js';
import { chosen } from './chosen.js';
import { compareValues } from './compare.js';
import { settledPair } from './compare-rules.js';
import type { FunctionName } from './function-name.js';
import { literalValues } from './literal-values.js';
import { doublesOf, numbersOf } from './number-view.js';
import { classOf, commonType, computedFloat, plainType } from './promote.js';
import { allConstant, isNullConstant, strict } from './strict.js';
import { columnValues, dataOf, truthOf, validityOfBits } from './values.js';

const float64 = new Float64();

/** A function of one number, as a double. */
function double(of: (value: number) => number): Rule {
  return {
    count: [1, 1],
    bind: (site) => ({
      type: float64,
      args: [oneNumber(site)],
      run: strict(float64, (args, _rows, valid) => {
        const out = doublesOf(dataOf(args[0]!)).map(of);
        return columnValues(makeColumn(float64, out.length, validityOfBits(valid), { values: out }), allConstant(args));
      }),
    }),
  };
}

const pow: Rule = {
  count: [2, 2],
  bind: (site) => ({
    type: float64,
    args: site.args.map((arg) => oneNumber(site, arg)),
    run: strict(float64, (args, rows, valid) => {
      const [x, y] = args.map((arg) => doublesOf(dataOf(arg))) as [Float64Array, Float64Array];
      const [xStep, yStep] = args.map((arg) => (arg.constant ? 0 : 1)) as [number, number];
      const values = Float64Array.from({ length: rows }, (_, row) => x[row * xStep]! ** y[row * yStep]!);
      return columnValues(makeColumn(float64, rows, validityOfBits(valid), { values }), allConstant(args));
    }),
  }),
};

/** Rounds halves away from zero; a number of digits that no double has changes nothing. */
function roundTo(value: number, digits: number): number {
  if (!Number.isFinite(value) || digits > 308) return value;
  const size = Math.abs(value);
  const scaled = digits === 0 ? size : Number(`${shifted(size, digits)}`);
  const whole = Math.floor(scaled) + (scaled - Math.floor(scaled) >= 0.5 ? 1 : 0);
  const rounded = digits === 0 ? whole : shifted(whole, -digits);
  return value < 0 || Object.is(value, -0) ? -rounded : rounded;
}

/** `value` times ten to the power `by`, by its decimal digits, which no product of doubles would keep. */
function shifted(value: number, by: number): number {
  const [digits, exponent] = String(value).split('e') as [string, string | undefined];
  return Number(`${digits}e${Number(exponent ?? 0) + by}`);
}

const round: Rule = {
  count: [1, 2],
  bind: (site) => {
    const arg = oneNumber(site);
    const digits = constantInt(site, site.args[1], 0);
    const type = computedFloat(plainType(arg.type));
    if (!DataType.isFloat(type) && digits >= 0) return { type, args: [arg], run: ([value]) => value! };
    if (!DataType.isFloat(type)) throw badCall(site.node, 'digits of at least 0 for an integer');
    return {
      type,
      args: [arg],
      run: strict(type, (args, _rows, valid) => {
        const out = doublesOf(dataOf(args[0]!)).map((value) => roundTo(value, digits));
        return columnValues(
          makeColumn(type, out.length, validityOfBits(valid), { values: floatArray(out, type) }),
          allConstant(args),
        );
      }),
    };
  },
};

/** A constant argument that is a whole number. */
function constantInt(site: CallSite, arg: BoundExpr | undefined, missing: number): number {
  if (arg === undefined) return missing;
  const literal = argAs(arg, new Int32()) ?? (classOf(arg.type) === 'int' ? arg : undefined);
  if (literal?.kind !== 'literal' || literal.value === null)
    throw badCall(site.node, 'a whole number that is a constant');
  return Number(numbersOf(dataOf(literalValues(literal)))[0]!);
}

/** Keeps integers as they are, and rounds floats. */
function whole(of: (value: number) => number): Rule {
  const rule = sameNumber(of, (value) => value);
  return {
    count: [1, 1],
    bind: (site) => {
      const arg = oneNumber(site);
      if (DataType.isFloat(plainType(arg.type))) return rule.bind(site);
      return { type: plainType(arg.type), args: [arg], run: ([value]) => value! };
    },
  };
}

/** `value` held between two bounds; one that is null is none. */
const clip: Rule = {
  count: [3, 3],
  bind: (site) => {
    let type: DataType | undefined = plainType(oneNumber(site).type);
    const bounds = site.args.slice(1).map((bound) => settledPair(site.args[0]!, bound)[1]);
    for (const bound of bounds) type = type && commonType(type, bound.type);
    if (type === undefined || (classOf(type) !== 'int' && classOf(type) !== 'float')) {
      throw mistyped(site, 'integers or floats of one type', "Cast one of them: se.cast(a, 'float64').");
    }
    const to = type;
    return {
      type: to,
      args: [site.args[0]!, ...bounds].map((arg) => castTo(arg, to)),
      run: ([value, low, high], rows) => {
        let values = value!;
        for (const [bound, beyond] of [[low!, 'lt'] as const, [high!, 'gt'] as const]) {
          if (bound.constant && isNullConstant(bound)) continue;
          if (values.constant && isNullConstant(values)) continue;
          const isBeyond = truthOf(compareValues(beyond, values, bound, rows));
          values = chosen(to, isBeyond, bound, values);
        }
        return values;
      },
    };
  },
};

type NumName = Extract<FunctionName, `num.${string}`>;

/** The functions of `se.num`. */
export const numRules: Rules<NumName> = {
  'num.abs': sameNumber(Math.abs, (value) => (value < 0n ? -value : value)),
  'num.sign': sameNumber(Math.sign, (value) => (value < 0n ? -1n : value > 0n ? 1n : 0n)),
  'num.round': round,
  'num.floor': whole(Math.floor),
  'num.ceil': whole(Math.ceil),
  'num.sqrt': double(Math.sqrt),
  'num.exp': double(Math.exp),
  'num.log': double(Math.log),
  'num.pow': pow,
  'num.clip': clip,
};

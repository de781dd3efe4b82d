import { DataType, Float64 } from 'apache-arrow';
import { makeColumn } from '../arrow/build-data.js';
import { type Arithmetic, arithmeticKernel, isWide, wholeArray, wideReader } from './arithmetic.js';
import type { BoundExpr } from './bound.js';
import { type BoundRule, type CallSite, mistyped, type Rule, type Rules } from './call-site.js';
import { floatArray } from './cast-numbers.js';
import { castTo } from './cast-rule.js';
import { settledPair } from './compare-rules.js';
import { doublesOf, numbersOf } from './number-view.js';
import { isSound, overflow } from './overflow.js';
import { classOf, commonType, computedFloat, intType, isNarrow, plainType } from './promote.js';
import { allConstant, strict, type ValidBits } from './strict.js';
import { columnValues, dataOf, type Values, validityOfBits } from './values.js';

/** The remedy for numbers that arithmetic refuses. */
const castFirst = "Cast it first: se.cast(a, 'float64').";

/** Two numbers, and the type that both are computed in. */
export function numberPair(site: CallSite, left: BoundExpr, right: BoundExpr): [BoundExpr, BoundExpr, DataType] {
  const [a, b] = settledPair(left, right);
  const type = commonType(a.type, b.type);
  const of = type === undefined ? 'other' : classOf(type);
  if (of !== 'int' && of !== 'float') throw mistyped(site, 'integers or floats that share a type', castFirst);
  return [a, b, computedFloat(type!)];
}

/** One number. */
export function oneNumber(site: CallSite, arg: BoundExpr = site.args[0]!): BoundExpr {
  const of = classOf(arg.type);
  if (of === 'int' || of === 'float') return arg;
  if (of === 'null' && arg.kind === 'literal') return { ...arg, type: new Float64() };
  throw mistyped(site, 'an integer or a float', castFirst);
}

function arithmetic(how: Arithmetic): Rule {
  return {
    count: [2, 2],
    bind: (site) => {
      const [a, b, common] = numberPair(site, site.args[0]!, site.args[1]!);
      const type = how === 'divide' && !DataType.isFloat(common) ? new Float64() : common;
      // A side of fewer bits needs no cast: it is read as what it is computed in.
      const args = [a, b].map((arg) => (isReadAs(arg.type, type) ? arg : castTo(arg, type)));
      return { type, args, run: strict(type, arithmeticKernel(how, type)) };
    },
  };
}

function isReadAs(from: DataType, type: DataType): boolean {
  if (DataType.isFloat(type)) return classOf(from) === 'int' || classOf(from) === 'float';
  return isWide(plainType(from)) === isWide(type) || isNarrow(plainType(from));
}

/** A function of one number that keeps its type, but where `typeOf` says otherwise. */
export function sameNumber(
  of: (value: number) => number,
  ofWide: (value: bigint) => bigint,
  typeOf: (site: CallSite, type: DataType) => DataType = (_site, type) => type,
): Rule {
  return {
    count: [1, 1],
    bind: (site): BoundRule => {
      const arg = oneNumber(site);
      const type = typeOf(site, computedFloat(plainType(arg.type)));
      return {
        type,
        args: [arg],
        run: strict(type, (args, _rows, valid, where) => {
          const [value] = args as [Values];
          return columnValues(mapped(value, type, of, ofWide, valid, where), allConstant(args));
        }),
      };
    },
  };
}

function mapped(
  value: Values,
  type: DataType,
  of: (value: number) => number,
  ofWide: (value: bigint) => bigint,
  valid: ValidBits,
  where: () => string,
): ReturnType<typeof dataOf> {
  const data = dataOf(value);
  if (isWide(type)) {
    const read = wideReader(data);
    const isSigned = (type as DataType & { isSigned: boolean }).isSigned;
    const values = isSigned ? new BigInt64Array(data.length) : new BigUint64Array(data.length);
    for (let row = 0; row < data.length; row++) {
      if (!isSound(valid, row)) continue;
      const result = ofWide(read(row));
      values[row] = result;
      if (values[row] !== result) throw overflow(row, type, where);
    }
    return makeColumn(type, data.length, validityOfBits(valid), { values });
  }
  const numbers = DataType.isFloat(type) ? doublesOf(data) : numbersOf(data);
  const out = new Float64Array(data.length);
  for (let row = 0; row < out.length; row++) out[row] = of(numbers[row]!);
  const values = DataType.isFloat(type) ? floatArray(out, type) : wholeArray(out, type, valid, where);
  return makeColumn(type, data.length, validityOfBits(valid), { values });
}

/** The signed type that holds the negatives of `type`. */
function negatable(site: CallSite, type: DataType): DataType {
  if (!DataType.isInt(type) || type.isSigned) return type;
  if (type.bitWidth === 64) throw mistyped(site, 'a signed integer or a float', "Cast it first: se.cast(a, 'int64').");
  return intType(type.bitWidth * 2, true);
}

/** `+ - * / %` and the sign. */
export const arithmeticRules: Rules<Arithmetic | 'negate'> = {
  add: arithmetic('add'),
  subtract: arithmetic('subtract'),
  multiply: arithmetic('multiply'),
  divide: arithmetic('divide'),
  modulo: arithmetic('modulo'),
  negate: sameNumber(
    (value) => -value,
    (value) => -value,
    negatable,
  ),
};

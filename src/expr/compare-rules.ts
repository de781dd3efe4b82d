import { Bool, DataType } from 'apache-arrow';
import type { BoundExpr } from './bound.js';
import { type CallSite, mistyped, type Rule, type Rules } from './call-site.js';
import { castTo } from './cast-rule.js';
import { type Comparison, compareValues } from './compare.js';
import { settledLiteral } from './fit-literal.js';
import { orValues } from './logic.js';
import { memberValues } from './member.js';
import { classOf, commonType, plainType } from './promote.js';
import { strict } from './strict.js';
import { truthArray, truthValues } from './values.js';

const bool = new Bool();
const ordered: ReadonlySet<string> = new Set([
  'bool',
  'int',
  'float',
  'decimal',
  'text',
  'binary',
  'date',
  'time',
  'timestamp',
  'duration',
]);

/** Two arguments in forms that can be compared: literals fitted to the other side, then both of one type. */
export function comparable(site: CallSite, left: BoundExpr, right: BoundExpr): [BoundExpr, BoundExpr] {
  const [a, b] = settledPair(left, right);
  const [x, y] = [plainType(a.type), plainType(b.type)];
  // Numbers need no common type: they are compared as what they are.
  if (isNumber(x) && isNumber(y)) return [a, b];
  const type = commonType(x, y);
  if (type === undefined || !ordered.has(classOf(type))) {
    const zoned = classOf(x) === 'timestamp' && classOf(y) === 'timestamp';
    throw mistyped(
      { ...site, args: [left, right] },
      'two values that can be compared',
      zoned
        ? 'One has a time zone, the other has none: cast one of them.'
        : `Cast one of them, such as se.cast(a, 'utf8'), or name the part that is meant.`,
    );
  }
  return [castTo(a, type), castTo(b, type)];
}

function isNumber(type: DataType): boolean {
  return DataType.isInt(type) || DataType.isFloat(type);
}

/** Weak literals as the other side's type, where they fit. */
export function settledPair(left: BoundExpr, right: BoundExpr): [BoundExpr, BoundExpr] {
  const isWeak = (arg: BoundExpr): boolean => arg.kind === 'literal' && arg.weak;
  if (left.kind === 'literal' && isWeak(left) && !isWeak(right)) return [settled(left, right.type), right];
  if (right.kind === 'literal' && isWeak(right)) return [left, settled(right, left.type)];
  return [left, right];
}

function settled(literal: BoundExpr & { kind: 'literal' }, against: DataType): BoundExpr {
  const type = plainType(against);
  return literal.value === null ? { ...literal, type } : settledLiteral(literal, type);
}

function comparison(how: Comparison): Rule {
  return {
    count: [2, 2],
    bind: (site) => {
      const args = comparable(site, site.args[0]!, site.args[1]!);
      return { type: bool, args, run: strict(bool, ([a, b], rows) => compareValues(how, a!, b!, rows)) };
    },
  };
}

/** The comparisons, and `in`: null where nothing equals and a value is null. */
export const compareRules: Rules<Comparison | 'in'> = {
  eq: comparison('eq'),
  neq: comparison('neq'),
  lt: comparison('lt'),
  lte: comparison('lte'),
  gt: comparison('gt'),
  gte: comparison('gte'),
  in: {
    count: [1, Number.POSITIVE_INFINITY],
    bind: (site) => {
      const args = alike(site);
      const equal = strict(bool, ([a, b], rows) => compareValues('eq', a!, b!, rows));
      return {
        type: bool,
        args,
        run: ([value, ...others], rows, where) => {
          if (others.length === 0) return truthValues(truthArray(rows), value!.constant);
          const member = memberValues(value!, others, rows);
          if (member !== undefined) return member;
          return orValues(
            others.map((other) => equal([value!, other], rows, where)),
            rows,
          );
        },
      };
    },
  },
};

/** A value and those it is looked for among, in forms that can be compared. */
function alike(site: CallSite): BoundExpr[] {
  const [value, ...others] = site.args as [BoundExpr, ...BoundExpr[]];
  const pairs = others.map((other) => comparable(site, value, other));
  if (pairs.every(([own]) => own === value)) return [value, ...pairs.map(([, other]) => other)];
  let type: DataType | undefined = plainType(value.type);
  for (const [, other] of pairs) type = type && commonType(type, other.type);
  if (type === undefined) throw mistyped(site, 'values of one type');
  return [castTo(value, type), ...pairs.map(([, other]) => castTo(other, type))];
}

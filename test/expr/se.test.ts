import { describe, expect, it } from 'vitest';
import { Expr } from '../../src/expr/expr.js';
import { functionNames } from '../../src/expr/function-name.js';
import { type ExprNode, partsOf } from '../../src/expr/node.js';
import { se } from '../../src/expr/se.js';
import { col } from './evaluated.js';

/** The functions in `node`. */
const functionsOf = (node: ExprNode): string[] => [
  ...(node.kind === 'call' ? [node.fn] : []),
  ...partsOf(node).flatMap(functionsOf),
];

describe('se', () => {
  it('has the functions that the API promises', () => {
    const names = Object.entries(se).map(([name, of]) =>
      typeof of === 'function' ? name : `${name}: ${Object.keys(of).sort().join(' ')}`,
    );
    expect(names.sort()).toMatchInlineSnapshot(`
      [
        "add",
        "and",
        "aux",
        "cast",
        "divide",
        "eq",
        "file: get",
        "getitem",
        "gt",
        "gte",
        "http: get",
        "in",
        "isNotNull",
        "isNull",
        "lift",
        "list: concat contains elementAt length of slice zip",
        "lt",
        "lte",
        "merge",
        "modulo",
        "multiply",
        "negate",
        "neq",
        "not",
        "num: abs ceil clip exp floor log neg pow round sign sqrt",
        "or",
        "pack",
        "parse",
        "s3: get",
        "scalar",
        "select",
        "str: concat contains endsWith length like lower matches replace split startsWith substr trim upper",
        "struct: getitem merge pack select",
        "subtract",
        "text: boost field find",
        "time: day hour minute month second truncate year",
        "udf",
        "xor",
      ]
    `);
  });

  it('and the methods give the same expressions, and between them every function', () => {
    const [a, b] = [col('a'), col('b')];
    const pairs: readonly (readonly [Expr, Expr])[] = [
      [se.cast(a, 'int8'), a.cast('int8')],
      [se.and(a, b), a.and(b)],
      [se.or(a, b), a.or(b)],
      [se.xor(a, b), a.xor(b)],
      [se.not(a), a.not()],
      [se.eq(a, b), a.eq(b)],
      [se.neq(a, b), a.neq(b)],
      [se.lt(a, b), a.lt(b)],
      [se.lte(a, b), a.lte(b)],
      [se.gt(a, b), a.gt(b)],
      [se.gte(a, b), a.gte(b)],
      [se.isNull(a), a.isNull()],
      [se.isNotNull(a), a.isNotNull()],
      [se.in(a, [1, b]), a.in([1, b])],
      [se.add(a, b), a.add(b)],
      [se.subtract(a, b), a.subtract(b)],
      [se.multiply(a, b), a.multiply(b)],
      [se.divide(a, b), a.divide(b)],
      [se.modulo(a, b), a.modulo(b)],
      [se.negate(a), a.negate()],
      [se.num.neg(a), a.num.neg()],
      [se.getitem(a, 'x.y'), a.getitem('x.y')],
      [se.select(a, 'x'), a.select('x')],
      [se.merge(a, b), a.merge(b)],
      [se.list.contains(a, b), a.list.contains(b)],
      [se.list.elementAt(a, b), a.list.elementAt(b)],
      [se.list.zip(a, b), a.list.zip(b)],
      [se.list.concat(a, b), a.list.concat(b)],
      [se.list.slice(a, 1, b), a.list.slice(1, b)],
      [se.list.length(a), a.list.length()],
      [se.list.of(a), se.list.of(a)],
      [se.str.length(a), a.str.length()],
      [se.str.lower(a), a.str.lower()],
      [se.str.upper(a), a.str.upper()],
      [se.str.trim(a), a.str.trim()],
      [se.str.startsWith(a, b), a.str.startsWith(b)],
      [se.str.endsWith(a, b), a.str.endsWith(b)],
      [se.str.contains(a, b), a.str.contains(b)],
      [se.str.like(a, 'x', { escape: '!' }), a.str.like('x', { escape: '!' })],
      [se.str.matches(a, 'x', { flags: 'i' }), a.str.matches('x', { flags: 'i' })],
      [se.str.replace(a, 'x', b), a.str.replace('x', b)],
      [se.str.split(a, b), a.str.split(b)],
      [se.str.concat(a, b), a.str.concat(b)],
      [se.str.substr(a, 1, b), a.str.substr(1, b)],
      [se.num.abs(a), a.num.abs()],
      [se.num.round(a, 2), a.num.round(2)],
      [se.num.floor(a), a.num.floor()],
      [se.num.ceil(a), a.num.ceil()],
      [se.num.sqrt(a), a.num.sqrt()],
      [se.num.exp(a), a.num.exp()],
      [se.num.log(a), a.num.log()],
      [se.num.pow(a, b), a.num.pow(b)],
      [se.num.clip(a, 1, b), a.num.clip(1, b)],
      [se.num.sign(a), a.num.sign()],
      [se.time.year(a), a.time.year()],
      [se.time.month(a), a.time.month()],
      [se.time.day(a), a.time.day()],
      [se.time.hour(a), a.time.hour()],
      [se.time.minute(a), a.time.minute()],
      [se.time.second(a), a.time.second()],
      [se.time.truncate(a, 'day'), a.time.truncate('day')],
      [se.text.field(a, { name: 'n' }), a.text.field({ name: 'n' })],
      [se.text.find(a, 'x'), a.text.find('x')],
      [se.text.boost(a, 2), a.text.boost(2)],
      [se.http.get(a), se.http.get(a)],
      [se.s3.get(a), se.s3.get(a)],
      [se.file.get(a), se.file.get(a)],
      [se.udf({ module: 'file:///m.js', returns: 'bool' })(a), se.udf({ module: 'file:///m.js', returns: 'bool' })(a)],
    ];
    for (const [left, right] of pairs) expect(left.node).toEqual(right.node);
    expect(new Set(pairs.flatMap(([{ node }]) => functionsOf(node)))).toEqual(new Set(functionNames));
    expect(se.lift(a)).toEqual(a);
    expect(se.struct.pack({ a })).toEqual(se.pack({ a }));
  });

  it('refuses what is no expression, naming it', () => {
    const wrong: readonly (() => unknown)[] = [
      () => se.lift(undefined as never),
      () => se.pack([a()] as never),
      () => se.pack(col('a') as never),
      () => se.merge(),
      () => se.getitem(col('a'), 1 as never),
      () => se.lift({ 'a..b': 1 }),
      () => se.udf({ module: 1 as never, returns: 'bool' }),
      () => se.str.like(col('a'), 'x', { escape: {} as never }),
      () => new Expr({ kind: 'table', table: 't' }).select(1 as never),
      () => se.scalar(new Date(Number.NaN)),
      () => se.scalar([1, 'x']),
      () => se.scalar('abc', 'binary'),
    ];
    for (const make of wrong) expect(make).toThrow(expect.objectContaining({ code: 'invalid_expression' }));
    expect(() => se.udf({ module: 'm', returns: 'bool', exports: 'x' } as never)).toThrow(/Did you mean 'export'/);
    expect(() => se.aux('a', 'int33')).toThrow(expect.objectContaining({ code: 'invalid_schema' }));
    function a(): Expr {
      return col('a');
    }
  });
});

import { describe, expect, it } from 'vitest';
import { parseType } from '../../src/arrow/words.js';
import { isSpiralError } from '../../src/core/errors.js';
import { bindExpr, bindPredicate } from '../../src/expr/bind.js';
import { auxOf, columnsOf, effectsOf } from '../../src/expr/bound.js';
import { evaluate } from '../../src/expr/evaluate.js';
import { Expr, type ExprLike, toNode } from '../../src/expr/expr.js';
import { parseNode } from '../../src/expr/parse-node.js';
import { se } from '../../src/expr/se.js';
import { col, dataOf, read, t, testTable } from './evaluated.js';

const { scope, input } = testTable({
  id: { type: 'int32', values: [1, 2] },
  big: { type: 'uint64', values: [1n, 2n] },
  name: { type: 'utf8', values: ['a', 'b'] },
  taken: { type: 'timestamp[us, UTC]', values: [0n, 1n] },
  local: { type: 'timestamp[us]', values: [0n, 1n] },
  price: { type: 'decimal128(9, 2)', values: ['1.00', '2.00'] },
  tags: { type: 'list<utf8>', values: [['x'], null] },
});

/** What binding `like` says is wrong, as `code: message`. */
function fault(like: () => ExprLike, predicate = false): string {
  try {
    const node = toNode(like());
    if (predicate) bindPredicate(node, scope);
    else bindExpr(node, scope);
  } catch (error) {
    if (isSpiralError(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'nothing is wrong';
}

describe('binding', () => {
  it('names expression and types where a function does not take them', () => {
    expect([
      fault(() => col('id').eq('x')),
      fault(() => col('id').and(col('name'))),
      fault(() => col('name').add(1)),
      fault(() => col('price').add(1)),
      fault(() => col('id').subtract(col('big').add(col('id')))),
      fault(() => col('taken').lt(col('local'))),
      fault(() => col('tags').eq(col('tags'))),
      fault(() => col('id').str.length()),
      fault(() => col('name').list.length()),
      fault(() => col('name').time.year()),
      fault(() => col('tags').cast('int32')),
      fault(() => col('big').num.neg()),
      fault(() => se.list.of(1, 'x')),
      fault(() => col('id').in([1, 'x'])),
      fault(() => col('tags').list.elementAt(1.5)),
    ]).toMatchInlineSnapshot(`
      [
        "type_mismatch: Expected two values that can be compared, got int32 and utf8 in the expression table(t).id = "x". Cast one of them, such as se.cast(a, 'utf8'), or name the part that is meant.",
        "type_mismatch: Expected booleans, got int32 and utf8 in the expression table(t).id and table(t).name. Compare the values first: \`a.gt(0)\`, not \`a\`.",
        "type_mismatch: Expected integers or floats that share a type, got utf8 and float64 in the expression table(t).name + 1. Cast it first: se.cast(a, 'float64').",
        "type_mismatch: Expected integers or floats that share a type, got decimal128(9, 2) and float64 in the expression table(t).price + 1. Cast it first: se.cast(a, 'float64').",
        "type_mismatch: Expected integers or floats that share a type, got uint64 and int32 in the expression table(t).big + table(t).id. Cast it first: se.cast(a, 'float64').",
        "type_mismatch: Expected two values that can be compared, got timestamp[us, UTC] and timestamp[us] in the expression table(t).taken < table(t).local. One has a time zone, the other has none: cast one of them.",
        "type_mismatch: Expected two values that can be compared, got list<utf8> and list<utf8> in the expression table(t).tags = table(t).tags. Cast one of them, such as se.cast(a, 'utf8'), or name the part that is meant.",
        "type_mismatch: Expected text, got int32 in the expression str.length(table(t).id). Cast it first: se.cast(a, 'utf8').",
        "type_mismatch: Expected a list, got utf8 in the expression list.length(table(t).name).",
        "type_mismatch: Expected a date or a timestamp, got utf8 in the expression time.year(table(t).name). Cast it first: se.cast(a, 'timestamp[us]').",
        "type_mismatch: Expected a value that can be cast to int32, got list<utf8> in the expression cast(table(t).tags, type: int32).",
        "type_mismatch: Expected a signed integer or a float, got uint64 in the expression negate(table(t).big). Cast it first: se.cast(a, 'int64').",
        "type_mismatch: Expected values of one type, got float64 and utf8 in the expression list.of(1, "x"). Cast those that differ.",
        "type_mismatch: Expected two values that can be compared, got int32 and utf8 in the expression in(table(t).id, 1, "x"). Cast one of them, such as se.cast(a, 'utf8'), or name the part that is meant.",
        "type_mismatch: Expected a whole number for a place, got list<utf8> and float64 in the expression list.element_at(table(t).tags, 1.5).",
      ]
    `);
  });

  it('names what is near where a name is unknown', () => {
    expect([
      fault(() => col('nam')),
      fault(() => col('id.x')),
      fault(() => t.select('id', 'tagz')),
      fault(() => se.pack({ a: 1 }).getitem('b')),
      fault(() => new Expr(parseNode({ kind: 'call', fn: 'str.size', args: [] }))),
      fault(() => new Expr({ kind: 'table', table: 'u' })),
    ]).toMatchInlineSnapshot(`
      [
        "unknown_column: the test has no column 'nam'. Did you mean 'name'?",
        "invalid_expression: Expected a struct with 'x' in it, but 'id' of the test is a column.",
        "unknown_column: table(t) has no field 'tagz'. Did you mean 'tags'?",
        "unknown_column: { a: 1 } has no field 'b'. Did you mean 'a'?",
        "invalid_expression: Expressions have no function "str.size". Did you mean 'str.like'?",
        "invalid_expression: The expression reads the table u, which is not read here.",
      ]
    `);
  });

  it('refuses settings and constants that a function does not take', () => {
    expect([
      fault(() => col('name').str.matches('(')),
      fault(() => col('name').str.matches('a', { flags: 'g' })),
      fault(() => col('name').str.like('a', { escape: 'ab' })),
      fault(() => new Expr({ kind: 'call', fn: 'str.like', args: [col('name').node, col('name').node] })),
      fault(() => col('taken').time.truncate('eon' as 'day')),
      fault(() => col('id').cast('int33')),
      fault(() => col('id').num.round(1.5)),
      fault(() => se.pack({ a: null })),
      fault(() => new Expr({ kind: 'call', fn: 'not', args: [] })),
      fault(() => se.scalar([])),
      fault(() => se.scalar(Symbol('x') as never)),
      fault(() => se.scalar('x', 'int32')),
      fault(() => se.scalar(300, 'int8').eq(1)),
      fault(() => ({ a: new Map() }) as never),
      fault(() => col('id').in('x' as never)),
    ]).toMatchInlineSnapshot(`
      [
        "invalid_expression: Expected a regular expression of JavaScript with the flag 'u' in the expression str.matches(table(t).name, "("): Invalid regular expression: /(/u: Unterminated group.",
        "invalid_expression: Expected flags among 'i', 'm' and 's' in the expression str.matches(table(t).name, "a", flags: g).",
        "invalid_expression: Expected one character for \`escape\` in the expression str.like(table(t).name, "a", escape: ab).",
        "invalid_expression: Expected a pattern for str.like that is a constant text in the expression str.like(table(t).name, table(t).name).",
        "invalid_argument: Expected \`unit\` to be one of 'year', 'quarter', 'month', 'week', 'day', 'hour', 'minute', 'second', got "eon".",
        "invalid_schema: There is no type 'int33' in a cast, at character 1 of "int33". Did you mean 'int32', 'int16' or 'int64'?",
        "invalid_expression: Expected a whole number that is a constant in the expression num.round(table(t).id, 1.5).",
        "invalid_expression: Expected a type for the null 'a' of the struct { a: null }: se.cast(null, 'int32').",
        "invalid_expression: Expected 'not' to have 1 argument(s), got 0 in the expression not().",
        "invalid_expression: Expected a constant (boolean, number, bigint, string, Date, bytes, an array of one kind of them, null), got an array of 0. Give its type where it cannot be told: se.scalar([], "list<int32>").",
        "invalid_expression: Expected a constant (boolean, number, bigint, string, Date, bytes, an array of one kind of them, null), got Symbol(x). Give its type where it cannot be told: se.scalar([], "list<int32>").",
        "invalid_expression: Expected a constant of type int32, got "x".",
        "invalid_expression: Expected a constant that int8 holds, got int8 300.",
        "invalid_expression: Expected an expression, a dict of expressions or a constant, got a Map.",
        "invalid_expression: Expected \`in\` to be given an array, got "x".",
      ]
    `);
  });

  it('takes a boolean for a predicate, and nothing else', () => {
    expect(fault(() => col('id').gt(1), true)).toBe('nothing is wrong');
    expect([fault(() => col('id'), true), fault(() => t, true), fault(() => 1, true)]).toMatchInlineSnapshot(`
      [
        "type_mismatch: Expected a predicate, which is true or false, got int32 from the expression table(t).id. Compare it with something: \`a.gt(0)\`, \`a.isNotNull()\`.",
        "type_mismatch: Expected a predicate, which is true or false, got struct<{id: int32, big: uint64, name: utf8, taken: timestamp[us, UTC], local: timestamp[us], price: decimal128(9, 2), tags: list<utf8>}> from the expression table(t). Compare it with something: \`a.gt(0)\`, \`a.isNotNull()\`.",
        "type_mismatch: Expected a predicate, which is true or false, got float64 from the expression 1. Compare it with something: \`a.gt(0)\`, \`a.isNotNull()\`.",
      ]
    `);
  });

  it('finds the columns, the auxiliary columns and the effects of an expression', () => {
    const aux = new Map([['at', parseType('int64')]]);
    const expr = se.and(
      col('id').gt(se.aux('at', 'int64')),
      se.http.get(col('name')).getitem('meta.size').gt(col('id')),
    );
    const bound = bindExpr(expr.node, { ...scope, aux });
    expect([...columnsOf(bound)].sort()).toEqual([0, 2]);
    expect([...auxOf(bound)]).toEqual(['at']);
    expect(effectsOf(bound).map(({ node }) => node.fn)).toEqual(['http.get']);
    expect(fault(() => se.aux('at', 'int64'))).toMatch(
      /auxiliary column 'at' beside the keys of a key table, but there are none/,
    );
    expect(() => bindExpr(se.aux('at', 'int32').node, { ...scope, aux })).toThrow(/to be int32, .* got int64/);
    const of = bindExpr(col('name').str.substr(se.aux('at', 'int64')).node, { ...scope, aux });
    const given = new Map([['at', dataOf({ type: 'int64', values: [0n, 1n] })]]);
    expect(read(of, { ...input, aux: given })).toEqual(['a', '']);
  });

  it('an effect is computed by the environment, and refused without one', () => {
    const length = se.udf({ module: 'file:///m.js', export: 'length', returns: 'int32' });
    const expr = length(length(col('name')).add(1)).multiply(2);
    const bound = bindExpr(parseNode(JSON.parse(JSON.stringify(expr.node))), scope);
    expect(() => evaluate(bound, input)).toThrow(expect.objectContaining({ code: 'unsupported' }));
    const effects = new Map();
    const asked: unknown[] = [];
    for (const effect of effectsOf(bound)) {
      const args = effect.args.map((arg) => read(arg, { ...input, effects }));
      asked.push(args);
      effects.set(effect, dataOf({ type: 'int32', values: args[0]!.map((x) => String(x).length) }));
    }
    expect(asked).toEqual([[['a', 'b']], [[2, 2]]]);
    expect(read(bound, { ...input, effects })).toEqual([2, 2]);
  });
});

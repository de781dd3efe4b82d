import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Expr, isSpiralError, type SpiralError, se } from '../../src/index.js';
import { lawRuns } from '../laws.js';

const table = new Expr({ kind: 'table', table: 't' });
const field = (...names: readonly string[]): Expr =>
  new Expr(names.reduce<Expr['node']>((of, name) => ({ kind: 'field', of, name }), table.node));
const [a, b, c] = ['a', 'b', 'c'].map((name) => field(name)) as [Expr, Expr, Expr];

function refusal(text: string): SpiralError {
  try {
    se.parse(text, table);
  } catch (error) {
    if (isSpiralError(error)) return error;
    throw error;
  }
  throw new Error(`Nothing was refused in ${text}.`);
}

describe('a condition in text', () => {
  it.each<[string, Expr]>([
    ['a', a],
    ['a = 3', a.eq(3)],
    ['a == -2.5e3', a.eq(-2500)],
    ["a <> 'it''s'", a.neq("it's")],
    ['a != b', a.neq(b)],
    ['a<b', a.lt(b)],
    ['3 >= a', se.lift(3).gte(a)],
    ['a > 9007199254740993', a.gt(9007199254740993n)],
    ['a > 18446744073709551615', a.gt(18446744073709551615n)],
    ['a > -9223372036854775808', a.gt(-9223372036854775808n)],
    ['a = .5', a.eq(0.5)],
    ['a is null and b IS NOT NULL', a.isNull().and(b.isNotNull())],
    ['a and b or c', a.and(b).or(c)],
    ['a and (b or c)', se.and(a, b.or(c))],
    ['a or b or c', se.or(a, b, c)],
    ['not a = 1', a.eq(1).not()],
    ['not not a', a.not().not()],
    ["a in (1, -2, null) and not b in ('x')", a.in([1, -2, null]).and(b.in(['x']).not())],
    ['a not in (true, FALSE)', a.in([true, false]).not()],
    ["a like 'x%' or a not like '_'", a.str.like('x%').or(a.str.like('_').not())],
    ['a between 1 and 5 and b', se.and(a.gte(1).and(a.lte(5)), b)],
    ['a not between b and c', a.gte(b).and(a.lte(c)).not()],
    ['(a = 1) = b', se.eq(a.eq(1), b)],
    ['meta.note.in = "or"."a ""b"""', field('meta', 'note', 'in').eq(field('or', 'a "b"'))],
    ['größe = 1', field('größe').eq(1)],
    ["a >= timestamp '2026-01-31T12:00'", a.gte(new Date('2026-01-31T12:00:00Z'))],
    ["a < timestamp '2026-01-31'", a.lt(new Date('2026-01-31T00:00:00Z'))],
    ["a < timestamp '2026-01-31T12:00:00.5+02:00'", a.lt(new Date('2026-01-31T10:00:00.500Z'))],
    ['\n\ta\n=\t1 ', a.eq(1)],
  ])('%s', (text, expected) => {
    expect(se.parse(text, table).node).toEqual(expected.node);
  });

  it.each<[text: string, column: number, expected: string]>([
    ['', 1, 'a column or a value'],
    ['a >', 4, 'a column or a value'],
    ['a > and b', 5, 'a column or a value (a column so named stands in double quotes)'],
    ['a b', 3, "'and', 'or' or the end"],
    ['a = 1)', 6, "'and', 'or' or the end"],
    ['(a = 1', 7, "')'"],
    ['a in 1', 6, "'('"],
    ['a in ()', 7, 'a column or a value'],
    ['a in (1', 8, "')'"],
    ['a is 3', 6, "'null'"],
    ['a like b', 8, "a text in single quotes, 'so'"],
    ['a not 3', 7, "'in', 'like' or 'between'"],
    ['a between 1 or 2', 13, "'and'"],
    ["a = 'x", 7, "a closing '"],
    ['"a = 1', 7, 'a closing "'],
    ['a.', 3, 'the name of a field'],
    ['a = 12abc', 5, 'a column, a value or an operator'],
    ['a = 1e999', 5, 'a number that a float holds'],
    ['a = 18446744073709551616', 5, 'a whole number of at most 64 bits'],
    ['a = -9223372036854775809', 6, 'a whole number of at most 64 bits'],
    ["a = timestamp 'soon'", 15, "a time as '2026-01-31' or '2026-01-31T12:00:00Z'"],
    ["a = timestamp '2026-13-01'", 15, "a time as '2026-01-31' or '2026-01-31T12:00:00Z'"],
    ['a = -b', 6, 'a number'],
    ['a = @1', 5, 'a column, a value or an operator'],
    ['a && b', 3, 'a column, a value or an operator'],
    ['"" = 1', 1, 'a name between the quotes'],
  ])('%s is refused at column %i', (text, column, expected) => {
    const error = refusal(text);
    expect(error.code).toBe('invalid_expression');
    expect(error.details).toMatchObject({ column, expected });
    expect(error.message).toContain(`at column ${column}`);
  });

  it('is bounded in length and in depth', () => {
    expect(refusal('a or '.repeat(20_000)).message).toContain('at most 65536 characters');
    expect(refusal(`${'('.repeat(1000)}a`).message).toContain('inside one another');
    expect(refusal(`${'not '.repeat(1000)}a`).message).toContain('inside one another');
    expect(se.parse(Array.from({ length: 5000 }, () => 'a = 1').join(' and '), table).node).toMatchObject({
      fn: 'and',
    });
  });

  it('that is printed and parsed again is the same condition', () => {
    fc.assert(
      fc.property(condition, ({ text, expr }) => {
        expect(se.parse(text, table).node).toEqual(expr.node);
      }),
      { numRuns: lawRuns(500, 50_000) },
    );
  });

  it('of any text is read or refused', () => {
    const pieces = fc.constantFrom(
      ...'a "b c" \'t\' \' " ( ) = < > ! . , - 1 1.5 e not and or in is null like between timestamp'.split(' '),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'grapheme' }),
          fc.array(pieces).map((list) => list.join(' ')),
        ),
        (text) => {
          try {
            se.parse(text, table);
          } catch (error) {
            expect(isSpiralError(error, 'invalid_expression')).toBe(true);
          }
        },
      ),
      { numRuns: lawRuns(500, 50_000) },
    );
  });
});

/** A condition, and how somebody might type it. */
interface Typed {
  readonly text: string;
  readonly expr: Expr;
}

const space = fc.constantFrom(' ', '  ', '\n', '\t ');
const keyword = (word: string): fc.Arbitrary<string> =>
  fc.tuple(space, fc.constantFrom(word, word.toUpperCase()), space).map((parts) => parts.join(''));
const quoted = (text: string, quote: string): string => `${quote}${text.replaceAll(quote, quote + quote)}${quote}`;
const words = ['and', 'or', 'not', 'is', 'null', 'in', 'like', 'between', 'true', 'false', 'timestamp'];
const fieldName = fc.oneof(
  fc.constantFrom('a', 'b1', '_c', 'ö', ...words),
  fc.string({ minLength: 1, unit: 'grapheme' }),
);
const column: fc.Arbitrary<Typed> = fc.array(fieldName, { minLength: 1, maxLength: 3 }).map((names) => ({
  text: names
    .map((name, i) => {
      // A word of the language is a name only behind a dot or in quotes.
      const isPlain = /^[a-zö_][a-z0-9]*$/.test(name) && (i > 0 || !words.includes(name));
      return isPlain ? name : quoted(name, '"');
    })
    .join('.'),
  expr: field(...names),
}));
const literal: fc.Arbitrary<Typed> = fc.oneof(
  fc.string({ unit: 'grapheme' }).map((text) => ({ text: quoted(text, "'"), expr: se.lift(text) })),
  // Whole numbers beyond what a float counts by one are floats only with an exponent.
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => ({
    text: Object.is(number, -0) ? '-0' : Number.isSafeInteger(number) ? String(number) : number.toExponential(),
    expr: se.lift(number),
  })),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }).map((value) => ({
    text: String(value),
    expr: se.lift(Number.isSafeInteger(Number(value)) ? Number(value) : value),
  })),
  fc.constantFrom(true, false, null).map((value) => ({ text: String(value), expr: se.lift(value) })),
  fc
    .date({ min: new Date('1900-01-01'), max: new Date('2200-01-01'), noInvalidDate: true })
    .map((date) => ({ text: `timestamp ${quoted(date.toISOString(), "'")}`, expr: se.lift(date) })),
);
const value: fc.Arbitrary<Typed> = fc.oneof(column, literal);
const negatable = fc.constantFrom(true, false);
const negated = (expr: Expr, isNot: boolean): Expr => (isNot ? expr.not() : expr);

const test: fc.Arbitrary<Typed> = fc.oneof(
  fc
    .tuple(
      value,
      fc.constantFrom(...(['=:eq', '==:eq', '!=:neq', '<>:neq', '<:lt', '<=:lte', '>:gt', '>=:gte'] as const)),
      value,
      space,
    )
    .map(([left, spelt, right, gap]) => {
      const [sign, fn] = spelt.split(':') as [string, 'eq'];
      return { text: `${left.text}${gap}${sign}${gap}${right.text}`, expr: left.expr[fn](right.expr) };
    }),
  fc.tuple(value, keyword('is'), negatable, keyword('null')).map(([of, is, isNot, none]) => ({
    text: `${of.text}${is}${isNot ? 'not' : ''}${none}`,
    expr: isNot ? of.expr.isNotNull() : of.expr.isNull(),
  })),
  fc
    .tuple(value, negatable, keyword('in'), fc.array(value, { minLength: 1, maxLength: 4 }))
    .map(([of, isNot, word, others]) => ({
      text: `${of.text} ${isNot ? 'not' : ''}${word}(${others.map(({ text }) => text).join(' ,')})`,
      expr: negated(of.expr.in(others.map(({ expr }) => expr)), isNot),
    })),
  fc.tuple(value, negatable, keyword('like'), fc.string()).map(([of, isNot, word, pattern]) => ({
    text: `${of.text} ${isNot ? 'not' : ''}${word}${quoted(pattern, "'")}`,
    expr: negated(of.expr.str.like(pattern), isNot),
  })),
  fc.tuple(value, value, keyword('between'), keyword('and'), value).map(([of, low, between, and, high]) => ({
    text: `${of.text}${between}${low.text}${and}${high.text}`,
    expr: of.expr.gte(low.expr).and(of.expr.lte(high.expr)),
  })),
);

const { condition } = fc.letrec<{ condition: Typed }>((tie) => ({
  condition: fc.oneof(
    { maxDepth: 4 },
    test,
    tie('condition').map(({ text, expr }) => ({ text: `not (${text})`, expr: expr.not() })),
    ...(['and', 'or'] as const).map((fn) =>
      fc.tuple(fc.array(tie('condition'), { minLength: 2, maxLength: 3 }), keyword(fn)).map(([parts, word]) => ({
        text: parts.map(({ text }) => `(${text})`).join(word),
        expr: se[fn](...parts.map(({ expr }) => expr)),
      })),
    ),
  ),
}));

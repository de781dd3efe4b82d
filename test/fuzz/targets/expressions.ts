import { parseType } from '../../../src/arrow/words.js';
import { SpiralError } from '../../../src/core/errors.js';
import { bindExpr, bindPredicate } from '../../../src/expr/bind.js';
import { evaluate, selectRows } from '../../../src/expr/evaluate.js';
import { Expr } from '../../../src/expr/expr.js';
import { mayMatch } from '../../../src/expr/may-match.js';
import { nodeText } from '../../../src/expr/node-text.js';
import { parseNode } from '../../../src/expr/parse-node.js';
import { parseText } from '../../../src/expr/parse-text.js';
import { se } from '../../../src/expr/se.js';
import { col, type TestColumn, t, testTable } from '../../expr/evaluated.js';
import { type FuzzTarget, jsonBytes, type OpenTarget, textOf, valueInputs, wideTextInputs } from '../fuzz-target.js';
import type { Plain } from '../mutate-value.js';
import { valuesOf } from './seed-rows.js';

const columns: Readonly<Record<string, TestColumn>> = {
  i: { type: 'int32', values: [1, null, -7, 1000] },
  w: { type: 'int64', values: [9007199254740993n, 0n, null, -1n] },
  f: { type: 'float64', values: [0.5, -0, null, 1e300] },
  s: { type: 'utf8', values: ['abc', '', null, 'é😀'] },
  b: { type: 'bool', values: [true, false, null, true] },
  l: { type: 'list<int16>', values: [[1, 2], [], null, [null]] },
  r: { type: 'struct<{x: int32, y: utf8}>', values: [{ x: 1, y: 'q' }, null, { x: null, y: '' }, { x: 3, y: null }] },
  d: { type: 'timestamp[ms, UTC]', values: [0, 86_400_000, null, -1] },
};

const { scope, input } = testTable(columns);

function nodes(): Plain[] {
  const exprs = [
    col('i').add(1).gt(col('f')).and(col('s').isNotNull()).or(col('b')),
    se.pack({
      a: col('s').str.upper(),
      b: col('s').str.substr(1, 2),
      c: col('s').str.replace('b', 'zz'),
      d: col('l').list.length(),
    }),
    col('s')
      .str.like('a%_')
      .or(col('s').in(['abc', 'x']))
      .not(),
    se.cast(col('w'), 'utf8').str.concat(se.cast(col('d'), 'utf8')),
    col('d').time.truncate('day').eq(col('d')).and(col('d').time.year().gte(1970)),
    se.merge(t, se.pack({ n: col('r').getitem('x').multiply(2).modulo(3), m: col('l').list.elementAt(0) })),
    t.select('i', 'r.x').getitem('i').negate().num.pow(2).num.round(),
    se.list.of(col('i'), 2, null).list.contains(2),
    col('s').str.split('b').list.slice(0, 1),
  ];
  return exprs.map(({ node }) => JSON.parse(JSON.stringify(node)) as Plain);
}

/** An expression as it crosses threads and stands in states, bound and evaluated. */
async function openNodes(): Promise<OpenTarget> {
  return valueInputs(nodes(), jsonBytes, async (bytes) => {
    let json: unknown;
    try {
      json = JSON.parse(textOf(bytes));
    } catch (cause) {
      throw new SpiralError('invalid_expression', 'Expected JSON.', { cause });
    }
    const node = parseNode(json);
    nodeText(node);
    const bound = bindExpr(node, scope);
    const data = evaluate(bound, input);
    if (data.length !== input.rows) throw new Error(`${data.length} rows of ${input.rows}.`);
    valuesOf(data);
  });
}

/** A condition in text, parsed and evaluated. */
async function openTexts(): Promise<OpenTarget> {
  const texts = [
    "i >= 1 and not (s like 'a%' or s in ('x', 'é')) and f between -1.5e3 and .5",
    `"i" <> 3 and r.x is not null or r."y" = 'it''s'`,
    "d < timestamp '2020-01-02T03:04:05Z' and b = true or not b",
    '((((i = 1))))  and w != 9007199254740993 or f is null',
  ];
  return wideTextInputs(texts, async (text) => {
    const parsed = parseText(text, new Expr({ kind: 'table', table: 't' }));
    parsed.toString();
    const bound = bindPredicate(parsed.node, scope);
    selectRows(bound, input);
    mayMatch(bound, () => undefined, input.rows);
  });
}

/** A type in words. */
async function openTypes(): Promise<OpenTarget> {
  const texts = [
    'struct<{a: list<int64>, "b c": fixed_size_list<float32>[784]}>',
    'dictionary<int8, utf8>',
    'decimal128(20, 2)',
    'timestamp[ms, Europe/Berlin]',
    'fixed_size_binary[16]',
    'list<struct<{a: bool, b: large_utf8}>>',
  ];
  return wideTextInputs(texts, async (text) => parseType(text));
}

export const expressionTargets: readonly FuzzTarget[] = [
  { name: 'expression in JSON', ci: 120, long: 60_000, open: openNodes },
  { name: 'condition in text', ci: 200, long: 120_000, open: openTexts },
  { name: 'type in words', ci: 120, long: 90_000, open: openTypes },
];

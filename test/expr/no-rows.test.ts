import { describe, expect, it } from 'vitest';
import type { Expr } from '../../src/expr/expr.js';
import { se } from '../../src/expr/se.js';
import { col, evaluated, selected, type TestColumn } from './evaluated.js';

const types = {
  n: 'float64',
  i: 'int32',
  w: 'int64',
  s: 'utf8',
  d: 'dictionary<int32, utf8>',
  l: 'list<int32>',
  f: 'fixed_size_list<int32>[2]',
  x: 'struct<{a: int32}>',
  t: 'timestamp[us, Europe/Paris]',
  p: 'decimal128(9, 2)',
  b: 'bool',
} as const;

/** Every function once. */
const all: readonly Expr[] = [
  col('n').eq(1),
  col('w').neq(col('i')),
  col('s').lt(col('d')),
  col('p').gte(1.5),
  col('b').and(col('b').not(), true).or(false).xor(col('b')),
  col('d').in(['a', 'b', null]),
  col('l').isNull(),
  col('x').isNotNull(),
  col('i').add(1).subtract(col('i')).multiply(2).modulo(3).negate(),
  col('w').add(1n).multiply(col('w')).modulo(3n),
  col('n').divide(col('i')),
  col('x.a').cast('utf8'),
  se
    .pack({ a: col('i'), 'b.c': 'x' })
    .merge({ d: col('s') })
    .select({ exclude: ['a'] }),
  col('l').list.contains(col('i')),
  col('f').list.elementAt(-1),
  se.list.of(col('i'), 1),
  se.list.zip(col('l'), col('f')),
  col('l').list.concat(col('f')),
  col('f').list.slice(1, col('i')),
  col('l').list.length(),
  col('s').str.length(),
  col('d').str.lower(),
  col('s').str.upper(),
  col('s').str.trim(),
  col('s').str.startsWith(col('d')),
  col('d').str.endsWith('a'),
  col('s').str.contains('a'),
  col('d').str.like('a_%'),
  col('s').str.matches('a+'),
  col('s').str.replace('a', col('d')),
  col('d').str.split(','),
  se.str.concat(col('s'), col('d')),
  col('s').str.substr(col('i'), 2),
  col('i').num.abs().num.sign(),
  col('n').num.round(2).num.floor().num.ceil(),
  col('n').num.sqrt().num.exp().num.log().num.pow(2),
  col('i').num.clip(0, col('i')).num.neg(),
  col('t').time.year().add(col('t').time.month()).add(col('t').time.day()),
  col('t').time.hour().add(col('t').time.minute()).add(col('t').time.second()),
  col('t').time.truncate('month').cast('date32'),
];

const tableOf = (values: readonly unknown[]): Record<string, TestColumn> =>
  Object.fromEntries(Object.entries(types).map(([name, type]) => [name, { type, values }]));

describe('every function', () => {
  it.each(all.map((expr) => [String(expr), expr] as const))('%s takes no rows, and rows of nulls', (_text, expr) => {
    const none = evaluated(expr, tableOf([]));
    expect(none.values).toEqual([]);
    const nulls = evaluated(expr, tableOf([null, null, null]));
    expect(nulls.type).toBe(none.type);
    expect(nulls.values).toHaveLength(3);
    if (none.type === 'bool') expect(selected(expr, tableOf([]))).toEqual([]);
  });
});

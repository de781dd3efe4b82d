import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { globTest } from '../../src/scan/file-glob.js';
import { refusal } from '../client/spiral-at.js';
import { lawRuns } from '../laws.js';

/** What `pattern` names by its definition, as a regular expression: slow at worst, so for short paths only. */
function byExpression(pattern: string): RegExp {
  const visible = '(?![._])';
  const source = pattern.split('/').map((segment, at, all) => {
    const last = at === all.length - 1;
    if (segment === '**') return last ? `(?:${visible}[^/]+/)*${visible}[^/]+` : `(?:${visible}[^/]+/)*`;
    const name = [...segment].map((sign) => (sign === '*' ? '[^/]*' : sign === '?' ? '[^/]' : `\\u{${hex(sign)}}`));
    return (/^[*?]/.test(segment) ? visible : '') + name.join('') + (last ? '' : '/');
  });
  return new RegExp(`^${source.join('')}$`, 'u');
}

const hex = (sign: string): string => sign.codePointAt(0)!.toString(16);

describe('a pattern', () => {
  it('names just the paths that its definition does', () => {
    const part = fc.string({ unit: fc.constantFrom('a', 'b', '.', '_', '*', '?', '😀'), minLength: 1, maxLength: 5 });
    const pattern = fc.array(fc.oneof(part, fc.constant('**')), { minLength: 1, maxLength: 4 });
    const name = fc.string({ unit: fc.constantFrom('a', 'b', '.', '_', '😀'), minLength: 1, maxLength: 4 });
    const path = fc.array(name, { minLength: 1, maxLength: 5 });
    let named = 0;
    fc.assert(
      fc.property(pattern, fc.array(path, { minLength: 1, maxLength: 20 }), (segments, paths) => {
        const text = segments.join('/');
        const [test, expression] = [globTest(text), byExpression(text)];
        for (const names of paths) {
          const found = test(names.join('/'));
          expect(found, `${text} for ${names.join('/')}`).toBe(expression.test(names.join('/')));
          if (found) named++;
        }
      }),
      { numRuns: lawRuns(500, 50_000) },
    );
    expect(named).toBeGreaterThan(100);
  });

  it.each([
    ['[a-c]?.x', ['ab.x', 'c1.x'], ['db.x', '.b.x', 'a.x']],
    ['p[!0-9]', ['px'], ['p1', 'p']],
    ['p[]]', ['p]'], ['p[]]']],
    ['p[x', ['p[x'], ['px']],
    ['{a,b{c,d}}/*.j', ['a/x.j', 'bc/x.j', 'bd/y.j'], ['b/x.j', 'a/.x.j', 'a/x/y.j']],
    ['{a', ['{a'], ['a']],
    ['part-[~0-9]?.arrow', ['part-~x.arrow'], ['part-a1.arrow']],
    ['[&|^-]a', ['&a'], ['aa']],
    ['[!a-c]/**/{x,y}.csv', ['d/e/y.csv'], ['a/y.csv']],
  ])('%s names %j and not %j', (pattern, yes, no) => {
    expect([...yes, ...no].filter(globTest(pattern))).toEqual(yes);
  });

  it('of many wildcards is tested at once, whatever the names', () => {
    const name = 'a'.repeat(1000);
    const deep = Array.from({ length: 500 }, () => 'a').join('/');
    const paths = [name, deep, `${deep}/${name}`];
    for (const pattern of [`${'*a'.repeat(40)}*b`, `${'**/a/'.repeat(40)}b`, `${'**/'.repeat(60)}*b`]) {
      expect(paths.filter(globTest(pattern)), pattern).toEqual([]);
    }
  });

  it('is refused for a set that is none, for more alternatives than are looked at, and where it is longer than any path', async () => {
    expect((await refusal(() => globTest('[z-a]'))).code).toBe('invalid_argument');
    expect((await refusal(() => globTest('{a,b}'.repeat(11)))).code).toBe('limit_exceeded');
    expect((await refusal(() => globTest('{'.repeat(20_000) + '}'.repeat(20_000)))).code).toBe('limit_exceeded');
  });
});

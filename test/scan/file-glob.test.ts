import { describe, expect, it } from 'vitest';
import { globTest } from '../../src/scan/file-glob.js';
import { refusal } from '../format/stored-file.js';

describe('a pattern of paths', () => {
  it.each([
    ['part-[~0-9]?.arrow', 'part-~x.arrow', 'part-a1.arrow'],
    ['[&|^-]a', '&a', 'aa'],
    ['[!a-c]/**/{x,y}.csv', 'd/e/y.csv', 'a/y.csv'],
    ['a{b', 'a{b', 'ab'],
    ['**/b/*.csv', 'b/x.csv', 'a/.h/b/x.csv'],
    ['**/b/*.csv', 'a/b/b/x.csv', 'b/c/x.csv'],
    ['a/**', 'a/b/c', 'a'],
    ['a/**', 'a/b', 'a/b/_c'],
    ['*', 'a', '.a'],
    ['?b*d?', 'xb😀d\u{1f600}', 'xbd'],
    ['.*/a*b*c', '.h/aXbXbc', '.h/acb'],
  ])('%s names %s and not %s', (pattern, named, other) => {
    expect(globTest(pattern)(named)).toBe(true);
    expect(globTest(pattern)(other)).toBe(false);
  });

  it('is looked for in time whatever it is, and whatever the paths are', () => {
    const long = `${'a'.repeat(900)}/`.repeat(200);
    for (const pattern of ['*'.repeat(1000), '*a'.repeat(500), '**/'.repeat(300), 'a*/**/'.repeat(100)]) {
      expect(globTest(pattern)(`${long}.b`), pattern).toBe(false);
    }
  });

  it('is refused where a set goes downwards, and where it is longer than any path', async () => {
    const refused = async (pattern: string): Promise<string> =>
      (await refusal(Promise.resolve().then(() => globTest(pattern)))).code;
    expect(await refused('[z-a].csv')).toBe('invalid_argument');
    expect(await refused('{'.repeat(20_000) + '}'.repeat(20_000))).toBe('limit_exceeded');
    expect(await refused('{a,b}'.repeat(11))).toBe('limit_exceeded');
  });
});

import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSpiralError } from '../../src/core/errors.js';
import { checkPath, checkPrefix, comparePaths } from '../../src/storage/object-path.js';
import { lawRuns } from '../laws.js';

const segment = fc.oneof(
  fc.constantFrom('..', '.', '', '.tmp', 'a', '...', '..a', 'C:'),
  fc.string({ unit: 'binary', maxLength: 4 }),
);
const anyPath = fc.array(segment, { maxLength: 5 }).map((segments) => segments.join('/'));

function taken(path: string): boolean {
  try {
    return checkPath(path) === path;
  } catch (error) {
    if (!isSpiralError(error, 'path_outside_root', 'invalid_argument')) throw error;
    return false;
  }
}

describe('checkPath', () => {
  it('takes no path that leaves the root or that a system reads otherwise', () => {
    fc.assert(
      fc.property(anyPath, (path) => {
        fc.pre(taken(path));
        expect(join('/base', path)).toBe(`/base/${path}`);
        expect(path).not.toMatch(/[\0\\]/);
        expect(Buffer.from(path).toString()).toBe(path);
      }),
      { numRuns: lawRuns(500, 20_000) },
    );
  });

  it('takes what stays below the root', () => {
    for (const path of ['a', 'a/b/c.arrow', '...', '..a/b..', 'ü/😀', ' ', 'a%2f..']) expect(taken(path)).toBe(true);
  });

  it('says path_outside_root for what leads out, invalid_argument for the rest', () => {
    for (const path of ['/a', '..', 'a/../..'])
      expect(() => checkPath(path)).toThrow(expect.objectContaining({ code: 'path_outside_root' }));
    for (const path of ['', 'a//b', './a', 'a/', 'a\\b', '\0', '.tmp', 'a/.tmp/b', 5]) {
      expect(() => checkPath(path)).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
    }
  });
});

describe('checkPrefix', () => {
  it('takes every beginning of a path that ends in no reserved segment', () => {
    fc.assert(
      fc.property(anyPath, fc.nat(20), (path, length) => {
        fc.pre(taken(path));
        const prefix = path.slice(0, length);
        fc.pre(!/(^|\/)(\.|\.\.|\.tmp)$/.test(prefix) && !/\p{Surrogate}/u.test(prefix));
        expect(checkPrefix(prefix)).toBe(prefix);
      }),
      { numRuns: lawRuns(500, 20_000) },
    );
  });
});

describe('comparePaths', () => {
  it('is the order of the UTF-8 bytes', () => {
    const text = fc.string({ unit: 'binary', maxLength: 6 });
    const near = fc.string({
      unit: fc.constantFrom('a', '/', '.', '\u{ffff}', '\u{e000}', '\u{10000}', '😀'),
      maxLength: 5,
    });
    fc.assert(
      fc.property(fc.oneof(text, near), fc.oneof(text, near), (a, b) => {
        expect(Math.sign(comparePaths(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
      { numRuns: lawRuns(1000, 50_000) },
    );
  });
});

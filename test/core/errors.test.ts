import { describe, expect, it } from 'vitest';
import { type ErrorCode, kindOf } from '../../src/core/codes.js';
import { isSpiralError, SpiralError, shown } from '../../src/core/errors.js';
import { repositoryFile } from '../source-text.js';

/** Codes and kinds as the source's table has them. */
const table = [...repositoryFile('src/core/codes.ts').text.matchAll(/^ {2}(\w+): '(\w+)',$/gm)].map(
  ([, code, kind]) => [code as ErrorCode, kind!] as const,
);

describe('SpiralError', () => {
  it('is an Error with name, kind, code, details and cause', () => {
    const cause = new TypeError('below');
    const error = new SpiralError('unknown_column', 'No column `a`.', { details: { column: 'a' }, cause });
    expect(error).toBeInstanceOf(Error);
    expect({ ...error, message: error.message, cause: error.cause }).toEqual({
      name: 'SpiralError',
      kind: 'not_found',
      code: 'unknown_column',
      details: { column: 'a' },
      message: 'No column `a`.',
      cause,
    });
    expect(error.stack).toContain('errors.test');
  });

  it('has empty details and no cause where none are given', () => {
    const error = new SpiralError('closed', 'The loader is closed.');
    expect(error.details).toEqual({});
    expect('cause' in error).toBe(false);
  });

  it.each(table)('of code %s has kind %s', (code, kind) => {
    expect(kindOf(code)).toBe(kind);
    expect(new SpiralError(code, 'x').kind).toBe(kind);
  });
});

describe('isSpiralError', () => {
  const error: unknown = new SpiralError('write_conflict', 'x');

  it('narrows to the error, and to one of the codes where codes are given', () => {
    expect(isSpiralError(error)).toBe(true);
    expect(isSpiralError(error, 'write_conflict')).toBe(true);
    expect(isSpiralError(error, 'closed', 'write_conflict')).toBe(true);
    expect(isSpiralError(error, 'closed')).toBe(false);
  });

  it.each([[new Error('x')], [undefined], [null], ['write_conflict'], [{ code: 'write_conflict' }]])(
    'refuses what is no SpiralError: %s',
    (other) => {
      expect(isSpiralError(other)).toBe(false);
      expect(isSpiralError(other, 'write_conflict')).toBe(false);
    },
  );
});

describe('docs/errors.md', () => {
  const documented = repositoryFile('docs/errors.md')
    .text.split('\n## Codes\n')[1]!
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter((cells) => /^`\w+`$/.test(cells[1] ?? ''))
    .map((cells) => ({ code: cells[1]!.slice(1, -1), kind: cells[2], when: cells[3], remedy: cells[4] }));

  it('lists exactly the codes of src/core/codes.ts, with their kinds', () => {
    expect(table.length).toBeGreaterThan(0);
    expect(documented.map(({ code, kind }) => `${code}: ${kind}`).sort()).toEqual(
      table.map(([code, kind]) => `${code}: ${kind}`).sort(),
    );
  });

  it('says for each when it is raised and what to do', () => {
    for (const { code, when, remedy } of documented) {
      expect(when, code).toMatch(/\w{3}/);
      expect(remedy, code).toMatch(/\w{3}/);
    }
  });
});

describe('shown', () => {
  class Thing {}

  it.each([
    ['"text"', 'text'],
    [`"${'x'.repeat(77)}..."`, 'x'.repeat(100)],
    ['12n', 12n],
    ['1.5', 1.5],
    ['NaN', Number.NaN],
    ['null', null],
    ['undefined', undefined],
    ['a Float32Array of 16 bytes', new Float32Array(4)],
    ['a Buffer of 3 bytes', Buffer.alloc(3)],
    ['an array of 3', [1, 2, 3]],
    ['Date(1970-01-01T00:00:00.000Z)', new Date(0)],
    ['Date(invalid)', new Date(Number.NaN)],
    ['an object {a, b, c, d, e}', { a: 1, b: 2, c: 3, d: 4, e: 5, f: 6 }],
    ['an object {}', Object.create(null)],
    ['a Thing', new Thing()],
    ['a function (shown)', shown],
    ['a function (anonymous)', () => 1],
  ])('writes %s', (text, value) => {
    expect(shown(value)).toBe(text);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { knownOptions, listed, nearest, oneOf, wholeNumber } from '../../src/core/check.js';
import { SpiralError } from '../../src/core/errors.js';
import { lawRuns } from '../laws.js';

const numRuns = lawRuns(200, 5000);

function thrownBy(work: () => unknown): SpiralError {
  try {
    work();
  } catch (error) {
    if (error instanceof SpiralError) return error;
    throw error;
  }
  throw new Error('Expected an error.');
}

describe('wholeNumber', () => {
  it('gives back every whole number of its range and refuses every other', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.maxSafeInteger(), fc.maxSafeInteger(), (a, b, value) => {
        const [min, max] = a < b ? [a, b] : [b, a];
        const work = (): number => wholeNumber('rows', value, { min, max });
        if (value >= min && value <= max) expect(work()).toBe(value);
        else
          expect(thrownBy(work)).toMatchObject({
            code: 'invalid_size',
            details: { name: 'rows', min, max, found: value },
          });
      }),
      { numRuns },
    );
  });

  it.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '3', 3n, null, undefined, {}, 2 ** 53])(
    'refuses %s',
    (value) => {
      expect(thrownBy(() => wholeNumber('rows', value)).code).toBe('invalid_size');
    },
  );

  it('says what it wants, in which unit, and what it got', () => {
    expect(thrownBy(() => wholeNumber('batchSize', 'many', { min: 1, max: 9, unit: 'rows' })).message).toBe(
      'Expected `batchSize` to be a whole number of at least 1 and at most 9 (rows), got "many".',
    );
  });
});

describe('oneOf', () => {
  it('gives back an allowed word', () => {
    expect(oneOf('uneven', 'drop', ['keep', 'drop'])).toBe('drop');
  });

  it.each(['Drop', '', undefined, 1])('refuses %s and lists the words', (value) => {
    const error = thrownBy(() => oneOf('uneven', value, ['keep', 'drop']));
    expect(error.code).toBe('invalid_argument');
    expect(error.message).toContain("Expected `uneven` to be one of 'keep', 'drop'");
  });
});

describe('knownOptions', () => {
  it('lets known options pass', () => {
    expect(() => knownOptions('toTable', { batchSize: 1 }, ['batchSize', 'signal'])).not.toThrow();
    expect(() => knownOptions('toTable', {}, [])).not.toThrow();
  });

  it('names the misspelt option and the nearest known one', () => {
    const error = thrownBy(() => knownOptions('toTable', { batchsize: 1 }, ['batchSize', 'signal']));
    expect(error).toMatchObject({ code: 'invalid_argument', details: { option: 'batchsize', near: ['batchSize'] } });
    expect(error.message).toBe("toTable has no option `batchsize`. Did you mean 'batchSize'?");
  });

  it('refuses what is no object of options, and says what it is', () => {
    for (const [found, told] of [
      [null, 'null'],
      [5, '5'],
      [[1], 'an array of 1'],
      ['x', '"x"'],
    ] as const) {
      const error = thrownBy(() => knownOptions('toTable', found as never, ['batchSize']));
      expect(error).toMatchObject({ code: 'invalid_argument', details: { where: 'toTable' } });
      expect(error.message).toBe(`toTable takes an object of options, got ${told}.`);
    }
  });

  it('hints at nothing where nothing is near', () => {
    expect(thrownBy(() => knownOptions('toTable', { colour: 1 }, ['batchSize'])).message).toBe(
      'toTable has no option `colour`.',
    );
  });
});

describe('nearest', () => {
  it('finds a name with one slip first, whatever its case', () => {
    const names = ['shuffleBufferSize', 'shuffleChunkRows', 'batchSize', 'maxSteps', 'world'];
    fc.assert(
      fc.property(
        fc.constantFrom(...names),
        fc.nat(),
        fc.constantFrom('drop', 'swap', 'add', 'case'),
        (name, at, slip) => {
          const index = at % (name.length - 1);
          const [head, one, two, tail] = [name.slice(0, index), name[index]!, name[index + 1]!, name.slice(index + 2)];
          const slips = {
            drop: head + two + tail,
            swap: head + two + one + tail,
            add: `${head}q${one}${two}${tail}`,
            case: name.toUpperCase(),
          };
          expect(nearest(slips[slip as keyof typeof slips], names)[0]).toBe(name);
        },
      ),
      { numRuns },
    );
  });

  it('gives the best first, at most as many as asked, and none where none is near', () => {
    expect(nearest('label', ['labels', 'table', 'label', 'lapel', 'image'])).toEqual(['label', 'labels', 'lapel']);
    expect(nearest('label', ['labels', 'lapel'], 1)).toEqual(['labels']);
    expect(nearest('embedding', ['id', 'text'])).toEqual([]);
  });
});

describe('listed', () => {
  it.each([
    [[], ''],
    [['a'], "'a'"],
    [['a', 'b'], "'a' or 'b'"],
    [['a', 'b', 'c'], "'a', 'b' or 'c'"],
  ])('reads %j as prose', (names, text) => {
    expect(listed(names)).toBe(text);
  });

  it('takes another joint', () => {
    expect(listed(['a', 'b'], 'and')).toBe("'a' and 'b'");
  });
});

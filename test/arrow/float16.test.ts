import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { float16Bits, float16Value } from '../../src/arrow/float16.js';
import { lawRuns } from '../laws.js';

describe('float16', () => {
  test('every half reads and writes back to its bits', () => {
    for (let bits = 0; bits < 0x1_0000; bits++) {
      const value = float16Value(bits);
      if (Number.isNaN(value)) expect((bits & 0x7c00) === 0x7c00 && (bits & 0x3ff) !== 0).toBe(true);
      else if (float16Bits(value) !== bits) expect.fail(`${bits} became ${float16Bits(value)}`);
    }
    expect([float16Value(0x3c00), float16Value(0x8000), float16Value(0x0001), float16Value(0x7bff)]).toEqual([
      1,
      -0,
      2 ** -24,
      65_504,
    ]);
  });

  test('rounds to the nearest half, ties to even', () => {
    const halves = Array.from({ length: 0x7c00 }, (_, bits) => float16Value(bits));
    fc.assert(
      fc.property(
        fc.oneof(fc.double({ min: 0, max: 65_519, noNaN: true }), fc.double({ min: 0, max: 1e-4, noNaN: true })),
        (value) => {
          const bits = float16Bits(value);
          const distance = Math.abs(halves[bits]! - value);
          for (const other of [bits - 1, bits + 1]) {
            if (halves[other] === undefined) continue;
            const its = Math.abs(halves[other] - value);
            expect(its > distance || (its === distance && (bits & 1) === 0)).toBe(true);
          }
        },
      ),
      { numRuns: lawRuns(2000, 100_000) },
    );
    expect([float16Bits(2049), float16Bits(2051), float16Bits(65_519), float16Bits(65_520)]).toEqual([
      0x6800, 0x6802, 0x7bff, 0x7c00,
    ]);
  });
});

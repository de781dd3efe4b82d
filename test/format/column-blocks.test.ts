import { makeVector } from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ArrowFile } from '../../src/format/arrow-file.js';
import { ColumnBlocks } from '../../src/format/column-blocks.js';
import { lawRuns } from '../laws.js';

describe('columns that are kept', () => {
  it('are those used last that fit into the limit', () => {
    const file = {} as ArrowFile;
    const use = fc.record({ column: fc.nat(6), bytes: fc.integer({ min: 1, max: 120 }), isKept: fc.boolean() });
    fc.assert(
      fc.property(fc.array(use, { maxLength: 60 }), (uses) => {
        const blocks = new ColumnBlocks(200);
        // The one used last stands last.
        let expected: { column: number; bytes: number }[] = [];
        for (const { column, bytes, isKept } of uses) {
          const there = expected.find((one) => one.column === column);
          expected = expected.filter((one) => one !== there);
          if (isKept) {
            blocks.keep(file, 3, column, makeVector(Int32Array.of(column)).data[0]!, bytes);
            expected.push({ column, bytes });
          } else {
            expect(blocks.get(file, 3, column)?.values?.[0]).toBe(there?.column);
            if (there !== undefined) expected.push(there);
          }
          while (expected.reduce((sum, one) => sum + one.bytes, 0) > 200) expected.shift();
          expect(blocks.bytes).toBe(expected.reduce((sum, one) => sum + one.bytes, 0));
        }
        for (const { column } of expected) expect(blocks.get(file, 3, column)).toBeDefined();
      }),
      { numRuns: lawRuns(100, 10_000) },
    );
  });

  it('are of one file, batch and column', () => {
    const blocks = new ColumnBlocks(100);
    const file = {} as ArrowFile;
    const data = makeVector(Int32Array.of(1)).data[0]!;
    blocks.keep(file, 1, 2, data, 10);
    expect([blocks.get(file, 2, 1), blocks.get({} as ArrowFile, 1, 2), blocks.get(file, 1, 2)]).toEqual([
      undefined,
      undefined,
      data,
    ]);
    blocks.keep(file, 1, 3, data, 101);
    expect([blocks.get(file, 1, 3), blocks.bytes]).toEqual([undefined, 10]);
  });
});

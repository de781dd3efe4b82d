import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sameType } from '../../src/arrow/schema.js';
import { ArrowFile } from '../../src/format/arrow-file.js';
import { readRows } from '../../src/format/arrow-read.js';
import { compressions } from '../../src/format/codec.js';
import { expectSameValues } from '../arrow/arbitrary.js';
import { lawRuns } from '../laws.js';
import { allValues, arbSource, fileBytes, openedFile, path, request, storeOf, valuesOf } from './stored-file.js';

describe.each(compressions)('a file with compression %s', (compression) => {
  test('gives back every value of every batch, of every type', async () => {
    await fc.assert(
      fc.asyncProperty(arbSource(), async ({ schema, batches, values }) => {
        const { bytes, written } = await fileBytes(schema, batches, compression);
        const file = await ArrowFile.open(await storeOf(bytes), path, bytes.byteLength);
        const rows = batches.reduce((sum, batch) => sum + batch.numRows, 0);
        expect([written.rows, written.bytes, file.rows]).toEqual([rows, bytes.byteLength, rows]);
        expect(file.schema.fields.map(({ name }) => name)).toEqual(schema.fields.map(({ name }) => name));
        expect(file.schema.fields.every(({ type }, at) => sameType(type, schema.fields[at]!.type))).toBe(true);
        for (const verify of ['first', 'always', 'never'] as const) {
          expectSameValues(await allValues(file, verify), values);
        }
      }),
      { numRuns: lawRuns(120, 3000) },
    );
  });

  test('gives any range of rows of any columns, before and after it was verified', async () => {
    const picks = fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat(), fc.array(fc.nat(), { maxLength: 5 })), {
      minLength: 1,
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(arbSource({ batchesMax: 2 }), picks, async ({ schema, batches, values }, drawn) => {
        fc.pre(batches.length > 0);
        const file = await openedFile(schema, batches, compression);
        const check = async (verify: 'first' | 'always' | 'never'): Promise<void> => {
          for (const [a, b, c, wanted] of drawn) {
            const batch = a % batches.length;
            const from = b % (batches[batch]!.numRows + 1);
            const to = from + (c % (batches[batch]!.numRows - from + 1));
            const columns = wanted.map((column) => column % schema.fields.length);
            const read = await readRows(file, batch, from, to, request(file, { columns, verify }));
            expect(read.map(({ length }) => length)).toEqual(columns.map(() => to - from));
            expectSameValues(
              read.map(valuesOf),
              columns.map((column) => values[column]![batch]!.slice(from, to)),
            );
          }
        };
        await check('first');
        await check('never');
        await allValues(file);
        await check('first');
        await check('always');
      }),
      { numRuns: lawRuns(120, 3000) },
    );
  });
});

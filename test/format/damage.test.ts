import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isSpiralError } from '../../src/core/errors.js';
import { ArrowFile } from '../../src/format/arrow-file.js';
import { readRows } from '../../src/format/arrow-read.js';
import { compressions } from '../../src/format/codec.js';
import { expectSameValues } from '../arrow/arbitrary.js';
import { lawRuns } from '../laws.js';
import { everyBuffer } from './every-buffer.js';
import { allValues, fileBytes, path, request, storeOf, valuesOf } from './stored-file.js';

const source = everyBuffer();

/**
 * What comes of opening and reading all of a damaged file: `whole` rows, or the code of an error that names the file.
 * Anything else fails the test.
 */
async function outcome(bytes: Uint8Array, expectedSize: number | undefined): Promise<string> {
  try {
    const file = await ArrowFile.open(await storeOf(bytes), path, expectedSize);
    const part = await readRows(file, 0, 2, 5, request(file));
    expectSameValues(
      part.map(valuesOf),
      source.values.map((column) => column[0]!.slice(2, 5)),
    );
    expectSameValues(await allValues(file), source.values);
    return 'whole';
  } catch (error) {
    if (!isSpiralError(error)) throw error;
    expect(error.message).toContain(path);
    return error.code;
  }
}

/** Every index below `length`, or `count` of them spread evenly. */
function spread(length: number, count: number): number[] {
  if (count >= length) return Array.from({ length }, (_, at) => at);
  return Array.from({ length: count }, (_, at) => Math.floor((at * length) / count));
}

describe.each(compressions)('a damaged file with compression %s', (compression) => {
  const written = fileBytes(source.schema, source.batches, compression);

  test('gives the same rows or an error that names it, whichever byte is flipped', async () => {
    const { bytes } = await written;
    expect(await outcome(bytes, bytes.byteLength)).toBe('whole');
    const found = new Map<string, number>();
    for (const at of spread(bytes.byteLength, lawRuns(400, Number.POSITIVE_INFINITY))) {
      for (const mask of [1 << (at & 7), 0xff]) {
        const damaged = bytes.slice();
        damaged[at]! ^= mask;
        const code = await outcome(damaged, bytes.byteLength);
        found.set(code, (found.get(code) ?? 0) + 1);
      }
    }
    expect([...found.keys()].sort()).toEqual(['corrupt_file', 'whole']);
    // The other bytes are padding and the messages that only other readers look at.
    expect(found.get('corrupt_file')).toBeGreaterThan(found.get('whole')!);
  });

  test('is refused at whatever length it was cut', async () => {
    const { bytes } = await written;
    for (const length of spread(bytes.byteLength, lawRuns(200, Number.POSITIVE_INFINITY))) {
      const cut = bytes.slice(0, length);
      expect(await outcome(cut, bytes.byteLength)).toBe('corrupt_file');
      expect(await outcome(cut, undefined)).toBe('corrupt_file');
    }
  });

  test('gives the same rows or an error after any change of many bytes', async () => {
    const { bytes } = await written;
    const edit = fc.record({
      at: fc.oneof(
        fc.nat(),
        fc.nat(6000).map((back) => -1 - back),
      ),
      length: fc.constantFrom(1, 2, 4, 8, 64),
      filling: fc.oneof(fc.nat(255), fc.constantFrom('swapped' as const, 'ff' as const, '00' as const)),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 6 }), fc.boolean(), async (edits, sized) => {
        const damaged = bytes.slice();
        for (const { at, length, filling } of edits) {
          const from = at < 0 ? Math.max(0, bytes.length + at) : at % bytes.length;
          const place = damaged.subarray(from, from + length);
          if (filling === 'swapped') place.reverse();
          else place.fill(filling === 'ff' ? 0xff : filling === '00' ? 0 : filling);
        }
        const code = await outcome(damaged, sized ? bytes.byteLength : undefined);
        expect(['corrupt_file', 'unsupported', 'whole']).toContain(code);
      }),
      { numRuns: lawRuns(250, 20_000) },
    );
  });
});

describe('what is no file of a table', () => {
  test.each([
    ['nothing', new Uint8Array(0)],
    ['text', new TextEncoder().encode('id,text\n1,hello\n2,there\n')],
    ['the mark alone', new TextEncoder().encode('ARROW1')],
    ['two marks', new TextEncoder().encode('ARROW1\0\0\0\0\0\0ARROW1')],
  ])('%s is refused', async (_, bytes) => {
    expect(await outcome(bytes, undefined)).toBe('corrupt_file');
  });
});

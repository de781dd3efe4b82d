import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toSchema } from '../../src/arrow/schema.js';
import { isSpiralError } from '../../src/core/errors.js';
import { csvFormat } from '../../src/format/csv-file.js';
import { jsonlFormat } from '../../src/format/jsonl-file.js';
import { lawRuns } from '../laws.js';
import { allRows, openText, type Row } from './plain-text.js';

/** What reading gives, or undefined where it refuses the text. */
async function readOrRefused(reading: Promise<readonly Row[]>): Promise<readonly Row[] | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (isSpiralError(error, 'corrupt_file')) return undefined;
    throw error;
  }
}

const pieces = [
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '"',
  '\\',
  '\\u00e9',
  '\\ud83d\\ude00',
  '0',
  '-',
  '1.5e+3',
  '.',
  'e',
  'true',
  'nul',
  ' ',
  'é',
  'a',
  '\t',
  '\u0001',
  '\u007f',
];
/** JSON, with a few characters added, taken away or changed. */
const arbBroken = fc
  .tuple(
    fc.oneof(fc.jsonValue({ maxDepth: 3 }), fc.string({ maxLength: 40 }), fc.double(), fc.maxSafeInteger()),
    fc.array(fc.tuple(fc.nat(), fc.nat(2), fc.constantFrom(...pieces)), { maxLength: 3 }),
    fc.constantFrom(0, 1),
  )
  .map(([value, edits, indent]) => {
    let text = JSON.stringify(value, undefined, indent).replaceAll('\n', ' ');
    for (const [at, cut, piece] of edits) {
      const place = at % (text.length + 1);
      text = text.slice(0, place) + piece + text.slice(place + cut);
    }
    return text;
  });

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isWellFormed = (value: unknown): boolean => {
  if (typeof value === 'string') return !/\p{Surrogate}/u.test(value);
  return typeof value !== 'object' || value === null || Object.entries(value).flat().every(isWellFormed);
};

test('JSON is taken, or refused, as JSON.parse does, whether it is read or left out', async () => {
  await fc.assert(
    fc.asyncProperty(arbBroken, async (value) => {
      const line = `{"a":${value}}`;
      const expected = parsed(line) as { a: unknown } | undefined;
      // Half a surrogate pair has no UTF-8; keys that are there twice are refused where they are read.
      fc.pre(expected === undefined || (Object.keys(expected).length === 1 && isWellFormed(expected)));
      const read = (column: string): Promise<readonly Row[] | undefined> => {
        const schema = toSchema({ [column]: 'utf8' }, 'the schema');
        return readOrRefused(openText(jsonlFormat(), Buffer.from(line), { schema }).then(allRows));
      };
      const [rows, without] = [await read('a'), await read('other')];
      if (expected === undefined) {
        expect([rows, without]).toEqual([undefined, undefined]);
        return;
      }
      expect(without).toEqual([{ other: null }]);
      const text = rows![0]!['a'];
      if (typeof expected.a === 'string' || expected.a === null) expect(text).toBe(expected.a);
      else expect(parsed(text as string)).toEqual(expected.a);
    }),
    { numRuns: lawRuns(1500, 100_000) },
  );
});

/** RFC 4180 as a state machine over characters: rows of cells, null where a field is empty; undefined for broken quotes. */
function parseCsv(text: string): (string | null)[][] | undefined {
  const rows: (string | null)[][] = [];
  let row: (string | null)[] = [];
  let cell: string | null = null;
  let state: 'start' | 'plain' | 'quoted' | 'closed' = 'start';
  const endRow = (): void => {
    row.push(cell);
    if (row.length > 1 || cell !== null) rows.push(row);
    [row, cell, state] = [[], null, 'start'];
  };
  for (const char of text.replaceAll('\r\n', '\n\0').concat('\u0001')) {
    const isEnd = char === '\n' || char === '\r' || char === '\u0001';
    if (char === '\0') {
      if (state === 'quoted') cell = `${(cell ?? '').slice(0, -1)}\r\n`;
    } else if (state === 'quoted' && char === '"') state = 'closed';
    else if (state === 'quoted' && char !== '\u0001') cell += char;
    else if (state === 'quoted') return undefined;
    else if (state === 'closed' && char === '"') [cell, state] = [`${cell}"`, 'quoted'];
    else if (char === ',') [row, cell, state] = [[...row, cell], null, 'start'];
    else if (isEnd) {
      if (char !== '\u0001' || row.length > 0 || cell !== null) endRow();
    } else if (state === 'closed') return undefined;
    else if (state === 'start' && char === '"') [cell, state] = ['', 'quoted'];
    else [cell, state] = [(cell ?? '') + char, 'plain'];
  }
  return rows;
}

test('CSV is taken apart as a state machine over its characters does it, wherever groups and reads end', async () => {
  const text = fc
    .array(fc.constantFrom('a', 'é', '"', '""', ',', ',', '\n', '\r\n', '\r', ' ', '"x"', '\n1,2\n'), { maxLength: 25 })
    .map((parts) => parts.join(''));
  const sizes = fc.record({
    groupRows: fc.integer({ min: 1, max: 4 }),
    groupBytes: fc.integer({ min: 1, max: 20 }),
    chunkBytes: fc.integer({ min: 1, max: 30 }),
  });
  await fc.assert(
    fc.asyncProperty(text, sizes, async (csv, given) => {
      const rows = parseCsv(csv);
      const width = rows?.[0]?.length ?? 1;
      const names = Array.from({ length: width }, (_, at) => `c${at}`);
      const schema = toSchema(Object.fromEntries(names.map((name) => [name, 'utf8'])), 'the schema');
      const format = csvFormat({ header: false, ...given });
      const found = await readOrRefused(openText(format, Buffer.from(csv), { schema }).then(allRows));
      const isWhole = rows?.every((row) => row.length === width) ?? false;
      const expected = rows?.map((row) => Object.fromEntries(row.map((cell, at) => [`c${at}`, cell])));
      expect(found).toEqual(isWhole ? expected : undefined);
    }),
    { numRuns: lawRuns(1500, 100_000) },
  );
});

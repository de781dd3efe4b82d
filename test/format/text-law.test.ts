import fc from 'fast-check';
import { expect, test } from 'vitest';
import { csvFormat } from '../../src/format/csv-file.js';
import { jsonlFormat } from '../../src/format/jsonl-file.js';
import type { TextSizes } from '../../src/format/text-file.js';
import { arbBatch, expectSameValues } from '../arrow/arbitrary.js';
import { lawRuns } from '../laws.js';
import { allRows, csvLines, jsonLines, openText, type Row, type Style } from './plain-text.js';

const arbStyle = (newlines: readonly string[]): fc.Arbitrary<Style> =>
  fc.record({
    choice: fc.nat(210),
    newline: fc.constantFrom(...newlines),
    bom: fc.boolean(),
    endsWithNewline: fc.boolean(),
  });
const arbSizes: fc.Arbitrary<Required<TextSizes>> = fc.record({
  groupRows: fc.integer({ min: 1, max: 9 }),
  groupBytes: fc.integer({ min: 1, max: 400 }),
  chunkBytes: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(100_000)),
});

/** Dates that JavaScript cannot say are no text either; the other types have a form for every value. */
const isSayable = (value: unknown): boolean =>
  !(value instanceof Date && Number.isNaN(value.getTime())) &&
  (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || Object.values(value).every(isSayable));

test('rows of any types, written as JSON lines, are read back, whatever the sizes of groups and reads', async () => {
  const arb = fc.tuple(arbBatch({ depth: 2, rowsMax: 12 }), arbStyle(['\n', '\r\n']), arbSizes);
  await fc.assert(
    fc.asyncProperty(arb, async ([{ batch, rows }, style, sizes]) => {
      fc.pre(rows.every(isSayable));
      const { schema } = batch;
      const file = await openText(jsonlFormat(sizes), jsonLines(schema.fields, rows, style), { schema });
      expectSameValues(await allRows(file), rows);
      expect(file.groups.every((group) => group.rows > 0 && group.rows <= sizes.groupRows)).toBe(true);
    }),
    { numRuns: lawRuns(200, 20_000) },
  );
});

test('rows of any types, written as CSV, are read back, whatever the sizes of groups and reads', async () => {
  const arb = fc.tuple(
    arbBatch({ depth: 1, rowsMax: 12 }),
    arbStyle(['\n', '\r\n', '\r']),
    arbSizes,
    fc.constantFrom(',', '\t', ';', '|'),
  );
  await fc.assert(
    fc.asyncProperty(arb, async ([{ batch, rows }, style, sizes, delimiter]) => {
      fc.pre(rows.every(isSayable));
      const { schema } = batch;
      // A row of one null is an empty line, which is no row.
      fc.pre(schema.fields.length > 1);
      const format = csvFormat({ ...sizes, delimiter });
      const file = await openText(format, csvLines(schema.fields, rows, style, delimiter), { schema });
      expectSameValues(await allRows(file), rows);
    }),
    { numRuns: lawRuns(200, 20_000) },
  );
});

/** A column of JSON values of one kind, and the type that should be found out. */
const safeInt = fc.maxSafeInteger();
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const float = fc.double({ noInteger: true, noDefaultInfinity: true, noNaN: true });
const word = fc.string({ unit: 'binary' }).filter((value) => !/\p{Surrogate}/u.test(value));
interface Kind {
  readonly words: string;
  readonly values: fc.Arbitrary<unknown>;
  readonly example: unknown;
}
const kinds: readonly Kind[] = [
  { words: 'Int64', values: fc.oneof(int64, safeInt.map(BigInt)), example: 7n },
  { words: 'Float64', values: fc.oneof(float, fc.integer()), example: 0.5 },
  { words: 'Utf8', values: word, example: 'x' },
  { words: 'Bool', values: fc.boolean(), example: true },
];
const arbTable = fc
  .array(fc.tuple(fc.constantFrom(...kinds), fc.boolean()), { minLength: 2, maxLength: 5 })
  .chain((columns) => {
    const row = fc.tuple(...columns.map(([{ values }]) => fc.option(values, { freq: 4 })));
    return fc.array(row, { maxLength: 15 }).map((rows) => ({ columns, rows }));
  });

test('types are found out over all rows: values come back as what they are', async () => {
  await fc.assert(
    fc.asyncProperty(arbTable, arbStyle(['\n', '\r\n']), arbSizes, async ({ columns, rows }, style, sizes) => {
      // The last row shows the kind of every column, wherever it stood before.
      const all: Row[] = [...rows, columns.map(([{ example }]) => example)].map((values) =>
        Object.fromEntries(values.map((value, at) => [`c${at}`, value])),
      );
      const plain = all.map((row) =>
        JSON.stringify(row, (_, value) => (typeof value === 'bigint' ? `#${value}#` : value)),
      );
      const lines = plain.map((line) => line.replaceAll(/"#(-?\d+)#"/g, '$1')).join(style.newline);
      const file = await openText(jsonlFormat(sizes), Buffer.from(lines));
      expect(file.schema.fields.map(({ type }) => String(type))).toEqual(columns.map(([{ words }]) => words));
      expectSameValues(await allRows(file), all);
      const csv = csvLines(file.schema.fields, all, style, ',');
      const table = await openText(csvFormat(sizes), csv);
      // The example makes a column of words text, whatever else stands in it.
      expect(table.schema.fields.map(({ type }) => String(type))).toEqual(columns.map(([{ words }]) => words));
      expectSameValues(await allRows(table), all);
    }),
    { numRuns: lawRuns(150, 10_000) },
  );
});

test('the index is the same whatever the size of the reads', async () => {
  await fc.assert(
    fc.asyncProperty(arbTable, arbStyle(['\n', '\r\n']), arbSizes, async ({ columns, rows }, style, sizes) => {
      const all = [...rows, columns.map(([{ example }]) => example)].map((values) =>
        Object.fromEntries(values.map((value, at) => [`c${at}`, String(value)])),
      );
      const lines = Buffer.from(all.map((row) => JSON.stringify(row)).join(style.newline));
      const { chunkBytes, ...groups } = sizes;
      const open = async (size: number): Promise<unknown> => {
        const { schema, groups: found } = await openText(jsonlFormat({ ...groups, chunkBytes: size }), lines);
        return { schema: String(schema), found };
      };
      expect(await open(chunkBytes)).toEqual(await open(1_000_000));
    }),
    { numRuns: lawRuns(50, 2_000) },
  );
});

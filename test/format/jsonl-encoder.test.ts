import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rowsToBatch } from '../../src/arrow/build.js';
import { toSchema } from '../../src/arrow/schema.js';
import { JsonlEncoder, jsonCells } from '../../src/format/jsonl-encoder.js';
import { arbBatch } from '../arrow/arbitrary.js';
import { lawRuns } from '../laws.js';

function lines(schema: Record<string, string>, rows: readonly object[]): string[] {
  const batch = rowsToBatch(rows, toSchema(schema, 'a test'));
  const encoder = new JsonlEncoder(batch.schema);
  return Buffer.concat([...encoder.start(), ...encoder.batch(batch), ...encoder.finish()])
    .toString()
    .split('\n')
    .slice(0, -1);
}

describe('JSON lines', () => {
  it.each<[string, unknown, string]>([
    ['int64', -(2n ** 63n), '-9223372036854775808'],
    ['uint64', 2n ** 64n - 1n, '18446744073709551615'],
    ['float64', 0.1, '0.1'],
    ['float64', Number.NaN, 'null'],
    ['float64', -0, '-0.0'],
    ['bool', true, 'true'],
    ['utf8', 'a"\n\u2028', JSON.stringify('a"\n\u2028')],
    ['binary', Uint8Array.of(1, 2, 255), '"AQL/"'],
    ['decimal128(38, 2)', '123456789012345678901234567890.12', '"123456789012345678901234567890.12"'],
    ['date32', new Date('2024-02-29'), '"2024-02-29"'],
    ['date32', new Date('1969-12-31'), '"1969-12-31"'],
    ['date64', new Date('2024-02-29T01:02:03.004Z'), '"2024-02-29T01:02:03.004"'],
    ['timestamp[s]', new Date('1900-03-01T00:00:01Z'), '"1900-03-01T00:00:01"'],
    ['timestamp[us, UTC]', -1n, '"1969-12-31T23:59:59.999999Z"'],
    ['timestamp[ns]', 1_700_000_000_123_456_789n, '"2023-11-14T22:13:20.123456789"'],
    ['timestamp[us]', 253_402_300_800_000_000n, '"+010000-01-01T00:00:00.000000"'],
    ['time32[ms]', 3_723_004, '"01:02:03.004"'],
    ['duration[ms]', 5n, '5'],
    ['list<int32>', [1, null, 3], '[1,null,3]'],
    ['fixed_size_list<float32>[2]', [1, 2], '[1,2]'],
    ['struct<{a: int64, b: list<utf8>}>', { a: 1n, b: ['x'] }, '{"a":1,"b":["x"]}'],
    ['dictionary<int8, date32>', new Date('2024-01-01'), '"2024-01-01"'],
    ['utf8', null, 'null'],
  ])('writes %s %s as %s', (words, value, text) => {
    expect(lines({ 'a "b': words }, [{ 'a "b': value }])).toEqual([`{"a \\"b":${text}}`]);
  });

  it('agree with the calendar of Date on every day it knows', () => {
    fc.assert(
      fc.property(fc.integer({ min: -100_000_000, max: 100_000_000 }), (day) => {
        const date = new Date(day * 86_400_000);
        const iso = date.toISOString().slice(0, -'T00:00:00.000Z'.length);
        expect(lines({ d: 'date32' }, [{ d: date }])).toEqual([`{"d":"${iso}"}`]);
      }),
      { numRuns: lawRuns(200, 20_000) },
    );
  });

  it('are valid JSON, a line a row, a key a column, whatever the types', () => {
    fc.assert(
      fc.property(arbBatch({ depth: 2 }), ({ batch, rows }) => {
        const encoder = new JsonlEncoder(batch.schema);
        const text = Buffer.concat([...encoder.batch(batch)]).toString();
        const parsed =
          text === ''
            ? []
            : text
                .slice(0, -1)
                .split('\n')
                .map((line) => JSON.parse(line) as object);
        expect(parsed).toHaveLength(rows.length);
        for (const row of parsed) expect(Object.keys(row)).toEqual(batch.schema.fields.map(({ name }) => name));
      }),
      { numRuns: lawRuns(100, 3000) },
    );
  });

  it('are the cells of their rows, also of a part of a batch', () => {
    fc.assert(
      fc.property(arbBatch({ depth: 2 }), fc.nat(), fc.nat(), ({ batch }, a, b) => {
        const [from, to] = [a % (batch.numRows + 1), b % (batch.numRows + 1)].sort((x, y) => x - y) as [number, number];
        const whole = Buffer.concat([...new JsonlEncoder(batch.schema).batch(batch)])
          .toString()
          .split('\n')
          .slice(0, -1);
        const names = batch.schema.fields.map(({ name }) => JSON.stringify(name));
        const rows = jsonCells(batch.slice(from, to)).map((cells) => {
          return `{${cells.map((cell, at) => `${names[at]}:${cell}`).join(',')}}`;
        });
        expect(rows).toEqual(whole.slice(from, to));
      }),
      { numRuns: lawRuns(100, 10_000) },
    );
  });
});

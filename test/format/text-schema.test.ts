import { describe, expect, test } from 'vitest';
import { type SchemaLike, toSchema } from '../../src/arrow/schema.js';
import { isSpiralError, type SpiralError } from '../../src/core/errors.js';
import { nestingMax, textFieldsMax } from '../../src/core/limits.js';
import { csvFormat } from '../../src/format/csv-file.js';
import { parseDay, parseTimeOfDay, parseTimestamp } from '../../src/format/iso-time.js';
import { jsonlFormat } from '../../src/format/jsonl-file.js';
import type { RowFileFormat } from '../../src/format/row-file.js';
import { allRows, openText, type Row } from './plain-text.js';

async function rowsOf(format: RowFileFormat, text: string, like?: SchemaLike): Promise<Row[]> {
  const schema = like === undefined ? undefined : toSchema(like, 'the schema');
  return allRows(await openText(format, Buffer.from(text), { schema }));
}

async function errorOf(work: Promise<unknown>): Promise<SpiralError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (isSpiralError(error)) return error;
  throw new Error(`Expected a SpiralError, got ${String(error)}.`);
}

describe('JSON lines with a schema', () => {
  test('fields that it does not name are left out, whatever they hold; missing ones are null', async () => {
    const text = '{"x":[{"deep":"}"},1e5,"\\""],"a":1,"y":null}\n{"z":{"a":3}}\n{"a":null,"x":NaN}\n';
    expect(await rowsOf(jsonlFormat(), text, { a: 'int32', never: 'utf8' })).toEqual([
      { a: 1, never: null },
      { a: null, never: null },
      { a: null, never: null },
    ]);
  });

  test('text takes every value as it is written: the remedy for kinds that do not mix', async () => {
    const text = '{"a":12.50}\n{"a":"twelve"}\n{"a":{"b": [1, 2]}}\n{"a":false}\n{"a":null}\n';
    expect((await rowsOf(jsonlFormat(), text, { a: 'utf8' })).map(({ a }) => a)).toEqual([
      '12.50',
      'twelve',
      '{"b": [1, 2]}',
      'false',
      null,
    ]);
  });

  test('whole numbers are exact to the last digit, written in any way', async () => {
    const text = '{"a":9007199254740993}\n{"a":-9223372036854775808}\n{"a":1.0}\n{"a":12e3}\n{"a":-0}\n';
    expect((await rowsOf(jsonlFormat(), text, { a: 'int64' })).map(({ a }) => a)).toEqual([
      9007199254740993n,
      -9223372036854775808n,
      1n,
      12000n,
      0n,
    ]);
    expect(await rowsOf(jsonlFormat(), '{"a":18446744073709551615}', { a: 'uint64' })).toEqual([{ a: 2n ** 64n - 1n }]);
  });

  test.each<[type: string, value: string]>([
    ['int8', '128'],
    ['uint8', '-1'],
    ['int32', '1.5'],
    ['int64', '9223372036854775808'],
    ['uint64', '-1'],
    ['int64', '"5"'],
    ['int64', 'true'],
    ['int64', 'NaN'],
    ['float32', '1e39'],
    ['float64', '1e999'],
    ['float16', '65520'],
    ['float64', '"0.5"'],
    ['bool', '1'],
    ['bool', '"true"'],
    ['decimal128(3, 1)', '1.25'],
    ['decimal128(3, 1)', '1000'],
    ['binary', '"not base64"'],
    ['binary', '[1]'],
    ['fixed_size_binary[2]', '"AAAA"'],
    ['date32', '"2023-02-29"'],
    ['date32', '19000'],
    ['timestamp[s]', '"2024-01-01T00:00:00.5Z"'],
    ['timestamp[s]', '1.5'],
    ['timestamp[us, UTC]', '"yesterday"'],
    ['time32[s]', '86400'],
    ['time64[us]', '"24:00:00"'],
    ['duration[s]', '"1s"'],
    ['list<int64>', '{"a":1}'],
    ['list<int64>', '"[1]"'],
    ['list<int8>', '[1, 300]'],
    ['fixed_size_list<int64>[2]', '[1, 2, 3]'],
    ['struct<{b: int64}>', '[1]'],
    ['struct<{b: int64}>', '{"b":"x"}'],
    ['dictionary<int8, int64>', '"x"'],
  ])('%s does not take %s: the error names file, group, row and column', async (type, value) => {
    const file = await openText(jsonlFormat({ groupRows: 2 }), Buffer.from(`{}\n{}\n{}\n{"col":${value}}\n`), {
      schema: toSchema({ other: 'utf8', col: type }, 'the schema'),
    });
    await file.readGroup(1, [0]);
    await file.readGroup(0, [1]);
    const error = await errorOf(file.readGroup(1, [1]));
    expect(error.code).toBe('corrupt_file');
    expect(error.details).toMatchObject({ group: 1, row: 3, byte: 9, file: expect.stringContaining('rows.txt') });
    expect(error.details['column']).toMatch(/^col/);
    expect(error.message).toContain('row 3');
  });

  test('more distinct values than a dictionary counts are refused', async () => {
    const lines = Array.from({ length: 200 }, (_, at) => `{"a":"${at}"}`).join('\n');
    const error = await errorOf(rowsOf(jsonlFormat(), lines, { a: 'dictionary<int8, utf8>' }));
    expect(error.details).toMatchObject({ row: 128, column: 'a' });
    expect(await rowsOf(jsonlFormat(), lines, { a: 'dictionary<uint8, utf8>' })).toHaveLength(200);
  });

  test('damaged rows do not keep a file from being opened, and fail where they are read', async () => {
    const text = Buffer.concat([
      Buffer.from('{"a":1}\n{"a":2}\n{"a":'),
      Buffer.from([0xff]),
      Buffer.from('}\n{"a":4}\n'),
    ]);
    const schema = toSchema({ a: 'int64' }, 'the schema');
    const file = await openText(jsonlFormat({ groupRows: 1 }), text, { schema });
    expect(file.groups).toHaveLength(4);
    await file.readGroup(3, [0]);
    const error = await errorOf(file.readGroup(2, [0]));
    expect(error).toMatchObject({ code: 'corrupt_file', details: { row: 2, group: 2 } });
  });
});

describe('JSON lines without a schema', () => {
  test('objects that are used as maps, and values nested too deep, are refused with the remedy', async () => {
    const map = Array.from({ length: textFieldsMax + 1 }, (_, at) => `{"k${at}":1}`).join('\n');
    expect(await errorOf(rowsOf(jsonlFormat(), map))).toMatchObject({
      code: 'limit_exceeded',
      details: { row: textFieldsMax },
    });
    const nested = (levels: number): string => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`;
    expect(await errorOf(rowsOf(jsonlFormat(), nested(nestingMax + 2)))).toMatchObject({ code: 'limit_exceeded' });
    expect(await errorOf(rowsOf(jsonlFormat(), nested(1000), { a: 'utf8' }))).toMatchObject({ code: 'limit_exceeded' });
    expect(await rowsOf(jsonlFormat(), nested(100), { a: 'utf8' })).toEqual([{ a: nested(100).slice(5, -1) }]);
    expect(await errorOf(rowsOf(jsonlFormat(), nested(100_000), { b: 'utf8' }))).toMatchObject({
      code: 'limit_exceeded',
    });
  });
});

describe('CSV with a schema', () => {
  test('columns are found by name, nested ones are JSON, the others are left out', async () => {
    const text = 'x,l,s,a\n"1\n2","[1, null]","{""b"": ""c,d""}",007\n,,,\n';
    const schema = { a: 'int64', l: 'list<int64>', s: 'struct<{b: utf8}>' };
    expect(await rowsOf(csvFormat(), text, schema)).toEqual([
      { a: 7n, l: [1n, null], s: { b: 'c,d' } },
      { a: null, l: null, s: null },
    ]);
  });

  test('bool takes words and digits, numbers may have spaces, times are text or counts', async () => {
    const text = 'b,n,t,d,z\n TRUE ,\t 5,2024-02-29 12:00:00+01:00,2024-02-29,1e2\n0, 5 ,1709204400,,inf\n'.replace(
      '\t',
      '',
    );
    const schema = { b: 'bool', n: 'uint8', t: 'timestamp[s]', d: 'date32', z: 'float32' };
    expect(await rowsOf(csvFormat(), text, schema)).toEqual([
      { b: true, n: 5, t: new Date('2024-02-29T11:00:00Z'), d: new Date('2024-02-29'), z: 100 },
      { b: false, n: 5, t: new Date('2024-02-29T11:00:00Z'), d: null, z: Number.POSITIVE_INFINITY },
    ]);
  });

  test('a column that the header lacks, or names twice, is refused', async () => {
    const error = await errorOf(rowsOf(csvFormat(), 'name,size\n1,2\n', { nmae: 'utf8' }));
    expect(error).toMatchObject({ code: 'unknown_column', details: { column: 'nmae', near: ['name'] } });
    expect(await errorOf(rowsOf(csvFormat(), 'a,a\n1,2\n', { a: 'utf8' }))).toMatchObject({ code: 'invalid_schema' });
    expect(await rowsOf(csvFormat(), 'a,a,,b\n1,2,3,4\n', { b: 'utf8' })).toEqual([{ b: '4' }]);
  });

  test('a ragged row fails where it is read, with its number and both counts', async () => {
    const error = await errorOf(rowsOf(csvFormat(), 'a,b\n1,2\n3\n', { a: 'int64' }));
    expect(error).toMatchObject({ code: 'corrupt_file', details: { row: 1, group: 0, byte: 8 } });
    expect(error.message).toMatch(/2 fields.*found 1/);
  });

  test('a file without a header has the columns of the schema, in its order', async () => {
    const format = csvFormat({ header: false });
    expect(await rowsOf(format, '1,x\n2,y\n', { n: 'int32', s: 'utf8' })).toEqual([
      { n: 1, s: 'x' },
      { n: 2, s: 'y' },
    ]);
    expect(await rowsOf(format, '1,x\n')).toEqual([{ column0: 1n, column1: 'x' }]);
    expect(await errorOf(rowsOf(format, '1,x\n', { n: 'int32' }))).toMatchObject({ code: 'corrupt_file' });
  });

  test.each(['', ',,', '"', '\n', 'é', 5])('the delimiter cannot be %j', (delimiter) => {
    expect(() => csvFormat({ delimiter: delimiter as string })).toThrow(/delimiter/);
  });
});

test('columns are read in the order that is asked, also twice, also none', async () => {
  for (const file of [
    await openText(jsonlFormat(), Buffer.from('{"a":1,"b":"x"}\n')),
    await openText(csvFormat(), Buffer.from('a,b\n1,x\n')),
  ]) {
    const [b, a, again] = await file.readGroup(0, [1, 0, 1]);
    expect([b!.type, a!.type, again!.type].map(String)).toEqual(['Utf8', 'Int64', 'Utf8']);
    expect(await file.readGroup(0, [])).toEqual([]);
  }
});

test('times are read as ISO 8601 writes them, and nothing else is', () => {
  const second = 1_000_000_000n;
  expect(parseTimestamp('1970-01-01')).toBe(0n);
  expect(parseTimestamp('1970-01-02T00:00:01.5Z')).toBe(86_401n * second + 500_000_000n);
  expect(parseTimestamp('1970-01-01 01:00:00.000000001 +0100')).toBe(1n);
  expect(parseTimestamp('1969-12-31T23:59:59-00:30')).toBe(1799n * second);
  expect(parseTimestamp('0001-01-01')).toBe(BigInt(Date.parse('0001-01-01')) * 1_000_000n);
  expect(parseTimestamp('-000044-03-15T12:00Z')).toBe(BigInt(Date.parse('-000044-03-15T12:00Z')) * 1_000_000n);
  for (const text of [
    '',
    '1970',
    '1970-1-1',
    '1970-13-01',
    '1970-02-30',
    '1970-01-01T',
    '1970-01-01T25:00',
    '1970-01-01Tx',
  ]) {
    expect([text, parseTimestamp(text)]).toEqual([text, undefined]);
  }
  expect(parseTimestamp('1970-01-01T00:00:00+99:00')).toBeUndefined();
  expect(parseDay('2024-02-29')).toBe(19_782);
  expect(parseDay('2024-02-29T00:00')).toBeUndefined();
  expect(parseTimeOfDay('23:59:59.25')).toBe(86_399n * second + 250_000_000n);
  expect(parseTimeOfDay('23:60')).toBeUndefined();
});

test('numbers of a million digits are no integers, and are told so at once', async () => {
  const digits = '1'.repeat(1_000_000);
  const [row] = await rowsOf(jsonlFormat(), `{"a":0.${digits}}\n{"a":1}\n`);
  expect(row).toEqual({ a: Number(`0.${digits}`) });
  expect((await openText(jsonlFormat(), Buffer.from(`{"a":${digits}}\n`))).schema.fields[0]!.type.toString()).toBe(
    'Float64',
  );
  for (const type of ['int64', 'timestamp[s]', 'decimal128(38, 0)']) {
    const error = await errorOf(rowsOf(jsonlFormat(), `{"a":${digits}}\n`, { a: type }));
    expect(error.code).toBe('corrupt_file');
    expect(error.message.length).toBeLessThan(1000);
  }
});

test('bytes that are no UTF-8 are found in any row of CSV, wherever reads end', async () => {
  for (const newline of ['\n', '\r\n', '\r']) {
    for (const chunkBytes of [1, 2, 3, 7, 100]) {
      const bytes = Buffer.from(['a,b', '1,né', '2,漢', '3,\u{1f600}', '4,x'].join(newline));
      expect(await allRows(await openText(csvFormat({ chunkBytes }), bytes))).toHaveLength(4);
      bytes[bytes.indexOf('漢') + 1] = 0x41;
      const error = await errorOf(openText(csvFormat({ chunkBytes }), bytes));
      expect(error).toMatchObject({ code: 'corrupt_file', details: { row: 1 } });
    }
  }
});

test('rows of a group are read around bad ones, the first of which an error names', async () => {
  const schema = toSchema({ a: 'int64' }, 'the schema');
  for (const file of [
    await openText(
      jsonlFormat({ groupRows: 6 }),
      Buffer.from('{}\n{}\n{}\n{}\n{}\n{}\n{"a":0}\n{\n{"a":2}\n\n{"a":"x"}\n{"a":4}'),
      { schema },
    ),
    await openText(csvFormat({ groupRows: 6 }), Buffer.from('a,b\n,\n,\n,\n,\n,\n,\n0,\n1\n2,\n\nx,\n4,'), { schema }),
  ]) {
    const read = async (from: number, to: number): Promise<unknown> => {
      const [data] = await file.readRows!(1, from, to, [0]);
      return Array.from(data!.values as BigInt64Array);
    };
    expect(file.groups.map(({ rows }) => rows)).toEqual([6, 5]);
    expect([await read(0, 1), await read(2, 3), await read(4, 5), await read(5, 5)]).toEqual([[0n], [2n], [4n], []]);
    expect((await errorOf(read(0, 5))).details).toMatchObject({ row: 7, group: 1 });
    expect((await errorOf(read(2, 5))).details).toMatchObject({ row: 9, group: 1, column: 'a' });
    expect((await errorOf(file.readGroup(1, [0]))).details).toMatchObject({ row: 7 });
  }
});

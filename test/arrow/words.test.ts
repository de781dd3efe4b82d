import { Dictionary, Field, Float64, Int32, LargeList, List, Null, Schema, Struct, Utf8, Utf8View } from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sameType, schemaWords, toSchema } from '../../src/arrow/schema.js';
import { parseType, typeWords } from '../../src/arrow/words.js';
import { isSpiralError } from '../../src/core/errors.js';
import { lawRuns } from '../laws.js';
import { arbWords } from './arbitrary.js';
import { errorOf } from './refusal.js';

describe('parseType', () => {
  test('and typeWords are inverse for every type', () => {
    fc.assert(
      fc.property(arbWords(3), (words) => {
        const type = parseType(words);
        expect(typeWords(type)).toBe(words);
        expect(sameType(parseType(typeWords(type)), type)).toBe(true);
      }),
      { numRuns: lawRuns(300, 5000) },
    );
  });

  test.each([
    ['string', 'utf8'],
    ['double', 'float64'],
    ['float', 'float32'],
    ['boolean', 'bool'],
    ['bytes', 'binary'],
    ['date', 'date32'],
    ['date32[day]', 'date32'],
    ['decimal(10)', 'decimal128(10, 0)'],
    ['timestamp[us, tz=Europe/Paris]', 'timestamp[us, Europe/Paris]'],
    ['timestamp[ ms ,+01:00 ]', 'timestamp[ms, +01:00]'],
    ['list<item: int32>', 'list<int32>'],
    ['struct<a: int32, b: string>', 'struct<{a: int32, b: utf8}>'],
    ['{ a: int32, "b c": {d: bool} }', 'struct<{a: int32, "b c": struct<{d: bool}>}>'],
    [' fixed_size_list< uint8 >[ 784 ] ', 'fixed_size_list<uint8>[784]'],
  ])('reads %s as %s', (written, canonical) => {
    expect(typeWords(parseType(written))).toBe(canonical);
  });

  test.each([
    ['utf9', 'invalid_schema', /no type 'utf9'.*character 1.*'utf8'/],
    ['Int32', 'invalid_schema', /Did you mean 'int32'/],
    ['list<int3>', 'invalid_schema', /character 6/],
    ['list<int32', 'invalid_schema', /Expected '>'.*character 11.*found the end/],
    ['int32 int32', 'invalid_schema', /the end of the type.*character 7/],
    ['', 'invalid_schema', /the name of a type/],
    ['timestamp', 'invalid_schema', /Expected '\['/],
    ['time32[us]', 'invalid_schema', /'s' or 'ms'/],
    ['fixed_size_list<int8>[0]', 'invalid_schema', /a size from 1/],
    ['decimal128(39, 0)', 'invalid_schema', /a precision from 1 to 38/],
    ['struct<{}>', 'invalid_schema', /the name of a field/],
    ['struct<{a: int8, a: int8}>', 'invalid_schema', /no other field bears/],
    ['struct<{"a.b": int8}>', 'invalid_schema', /'\.'/],
    ['struct<{"": int8}>', 'invalid_schema', /not empty/],
    ['dictionary<utf8, int8>', 'invalid_schema', /an integer type for the index/],
    ['dictionary<int8, list<int8>>', 'invalid_schema', /not nested/],
    ['constructor', 'invalid_schema', /no type 'constructor'/],
    ['map<utf8, int8>', 'unsupported_type', /'map'.*not supported/],
    ['list<large_list<int8>>', 'unsupported_type', /'large_list'/],
    ['{"\\q": int8}', 'invalid_schema', /quoted as in JSON/],
  ])('refuses %j with %s', (words, code, message) => {
    const error = errorOf(() => parseType(words, "column 'x'"));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    expect(error.message).toContain("column 'x'");
  });

  test('takes nesting up to the limit and no deeper', () => {
    const nested = (levels: number): string => `${'list<'.repeat(levels)}int8${'>'.repeat(levels)}`;
    expect(typeWords(parseType(nested(32)))).toBe(nested(32));
    expect(errorOf(() => parseType(nested(33))).message).toMatch(/at most 32 nested levels/);
    expect(errorOf(() => parseType(nested(100_000))).code).toBe('invalid_schema');
    let type = parseType(nested(32));
    type = new List(new Field('item', type, true));
    expect(errorOf(() => typeWords(type)).code).toBe('invalid_schema');
  });

  test('never fails in any other way', () => {
    const token = fc.constantFrom(
      'list',
      '<',
      '>',
      '{',
      '}',
      'int8',
      ',',
      '[',
      ']',
      '3',
      ':',
      '"',
      'struct',
      ' ',
      '(',
      '-1',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(token).map((tokens) => tokens.join('')),
        ),
        (text) => {
          try {
            expect(typeof typeWords(parseType(text))).toBe('string');
          } catch (error) {
            expect(isSpiralError(error, 'invalid_schema', 'unsupported_type')).toBe(true);
          }
        },
      ),
      { numRuns: lawRuns(500, 20_000) },
    );
  });
});

describe('toSchema', () => {
  test('reads objects, pairs, fields and schemas alike', () => {
    const object = toSchema({ id: 'int64', text: new Utf8() }, 'it');
    const pairs = toSchema(
      [
        ['id', 'int64'],
        ['text', 'string'],
      ],
      'it',
    );
    const fields = toSchema(pairs.fields, 'it');
    for (const schema of [object, pairs, fields, toSchema(pairs, 'it')]) {
      expect(schemaWords(schema)).toEqual([
        ['id', 'int64'],
        ['text', 'utf8'],
      ]);
      expect(schema.fields.every((field) => field.nullable)).toBe(true);
    }
    expect(toSchema(pairs, 'it')).toBe(pairs);
    expect(schemaWords(toSchema(JSON.parse(JSON.stringify(schemaWords(pairs))), 'it'))).toEqual(schemaWords(pairs));
  });

  test('makes nested fields nullable and keeps metadata', () => {
    const strict = new Struct([new Field('a', new List(new Field('x', new Int32(), false)), false)]);
    const schema = new Schema([new Field('s', strict, false, new Map([['k', 'v']]))], new Map([['m', 'n']]));
    const sound = toSchema(schema, 'it');
    const inner = sound.fields[0]!.type.children[0]!;
    expect([sound.fields[0]!.nullable, inner.nullable, inner.type.children[0].nullable]).toEqual([true, true, true]);
    expect([sound.metadata.get('m'), sound.fields[0]!.metadata.get('k')]).toEqual(['n', 'v']);
    expect(sameType(sound.fields[0]!.type, strict)).toBe(true);
  });

  test('gives every dictionary an id of its own', () => {
    const shared = new Dictionary(new Utf8(), new Int32(), 7);
    const other = new Dictionary(new Float64(), new Int32(), 7);
    const struct = new Struct([new Field('a', shared, true), new Field('b', shared, true)]);
    const schema = toSchema({ p: shared, q: shared, r: other, s: struct }, 'it');
    expect(schema.dictionaries.size).toBe(5);
    expect(schema.fields[0]!.type).toBe(shared);
  });

  test.each([
    [
      [
        ['a', 'int8'],
        ['a', 'int8'],
      ],
      'invalid_schema',
      /no other field bears.*'a'/,
    ],
    [{ '': 'int8' }, 'invalid_schema', /not empty/],
    [{ 'a.b': 'int8' }, 'invalid_schema', /'\.'/],
    [{ a: 'int9' }, 'invalid_schema', /column 'a' of table 't'/],
    [{ a: 5 }, 'invalid_schema', /for column 'a' in table 't', got 5/],
    ['int8', 'invalid_schema', /got "int8"/],
    [null, 'invalid_schema', /got null/],
    [[['a']], 'invalid_schema', /Expected a type/],
    [{ a: new Null() }, 'unsupported_type', /column 'a' of table 't'.*Use bool/],
    [{ a: new Utf8View() }, 'unsupported_type', /not supported/],
    [{ a: new LargeList(new Field('item', new Int32())) }, 'unsupported_type', /not supported/],
  ])('refuses %j with %s', (like, code, message) => {
    const error = errorOf(() => toSchema(like as never, "table 't'"));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });
});

describe('sameType', () => {
  test('holds for equal words only', () => {
    fc.assert(
      fc.property(arbWords(2), arbWords(2), (a, b) => {
        expect(sameType(parseType(a), parseType(b))).toBe(a === b);
        expect(sameType(parseType(a), parseType(a))).toBe(true);
      }),
      { numRuns: lawRuns(300, 5000) },
    );
  });

  test('tells apart what differs in one parameter', () => {
    const groups = [
      ['int8', 'uint8', 'int16'],
      ['timestamp[us]', 'timestamp[us, UTC]', 'timestamp[ms]', 'duration[us]', 'time64[us]'],
      ['decimal128(10, 2)', 'decimal128(10, 3)', 'decimal128(11, 2)', 'decimal256(10, 2)'],
      ['fixed_size_list<int8>[2]', 'fixed_size_list<int8>[3]', 'fixed_size_list<int16>[2]', 'list<int8>'],
      ['struct<{a: int8, b: int8}>', 'struct<{b: int8, a: int8}>', 'struct<{a: int8}>'],
      ['dictionary<int8, utf8>', 'dictionary<int16, utf8>', 'dictionary<int8, binary>'],
    ];
    for (const group of groups) {
      for (const a of group) for (const b of group) expect(sameType(parseType(a), parseType(b))).toBe(a === b);
    }
  });
});

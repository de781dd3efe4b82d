import { describe, expect, it } from 'vitest';
import { uniqueId } from '../../../src/core/random.js';
import { CSVWriter } from '../../../src/streaming/writing/csv-writer.js';
import { JSONWriter } from '../../../src/streaming/writing/json-writer.js';
import { MDSWriter } from '../../../src/streaming/writing/mds-writer.js';
import { XSVWriter } from '../../../src/streaming/writing/xsv-writer.js';
import { refusal } from '../../client/spiral-at.js';

const out = (): string => `memory://${uniqueId('refusals-')}`;

/** What a column of `encoding` does not take, and the code of the refusal. */
const wrong: readonly (readonly [encoding: string, value: unknown, code: string])[] = [
  ['int', '1', 'type_mismatch'],
  ['int', 2n ** 63n, 'value_out_of_range'],
  ['int', 2 ** 53, 'value_out_of_range'],
  ['int', 1.5, 'type_mismatch'],
  ['int', Number.NaN, 'type_mismatch'],
  ['int', true, 'type_mismatch'],
  ['int', null, 'type_mismatch'],
  ['int', undefined, 'invalid_rows'],
  ['int', new Uint8Array(7), 'type_mismatch'],
  ['uint8', 256, 'value_out_of_range'],
  ['uint8', -1, 'value_out_of_range'],
  ['int8', 128n, 'value_out_of_range'],
  ['uint64', -1n, 'value_out_of_range'],
  ['uint64', -1, 'value_out_of_range'],
  ['float32', 1e39, 'value_out_of_range'],
  ['float16', 65520, 'value_out_of_range'],
  ['float64', 1n, 'type_mismatch'],
  ['str', 1, 'type_mismatch'],
  ['str', '\ud800', 'type_mismatch'],
  ['str', Uint8Array.of(0xff), 'type_mismatch'],
  ['bytes', 'text', 'type_mismatch'],
  ['bytes', [1, 2], 'type_mismatch'],
  ['jpeg', new ArrayBuffer(2), 'type_mismatch'],
  ['str_int', 1.5, 'type_mismatch'],
  ['str_int', Buffer.from('1.5'), 'type_mismatch'],
  ['str_float', '1', 'type_mismatch'],
  ['str_decimal', '1,5', 'type_mismatch'],
  ['str_decimal', 1.5, 'type_mismatch'],
  ['json', () => 1, 'type_mismatch'],
  ['json', [undefined], 'type_mismatch'],
  ['json', { at: new Date(0) }, 'type_mismatch'],
  ['json', new Map([[1, 2]]), 'type_mismatch'],
  ['pil', { width: 2, height: 2, mode: 'RGB', pixels: new Uint8Array(11) }, 'type_mismatch'],
  ['pil', { width: 2, height: 2, mode: 'XYZ', pixels: new Uint8Array(12) }, 'type_mismatch'],
  ['pil', { width: -1, height: 2, mode: 'L', pixels: new Uint8Array(2) }, 'type_mismatch'],
  ['pil', new Uint8Array(12), 'type_mismatch'],
  ['pil', null, 'type_mismatch'],
  ['list[jpeg]', [new Uint8Array(1), 'a'], 'type_mismatch'],
  ['list[png]', new Uint8Array(7), 'type_mismatch'],
  ['jpeg_array', [], 'type_mismatch'],
  ['jpegarray', Uint8Array.of(0, 0, 0, 0), 'type_mismatch'],
  ['ndarray', 3, 'type_mismatch'],
  ['ndarray', [1, 2], 'type_mismatch'],
  ['ndarray', new Float32Array(0), 'type_mismatch'],
  ['ndarray', { shape: [], data: new Float32Array(1) }, 'type_mismatch'],
  ['ndarray', { shape: [2, 0], data: new Float32Array(0) }, 'type_mismatch'],
  ['ndarray', { shape: [2], dtype: 'bool', data: new Uint8Array(2) }, 'type_mismatch'],
  ['ndarray', { shape: [2], dtype: 'int16', data: new Uint8Array(3) }, 'type_mismatch'],
  ['ndarray:int8', new Int16Array(2), 'type_mismatch'],
  ['ndarray:float16', Float32Array.of(1e9), 'value_out_of_range'],
  ['ndarray:uint8:3', new Uint8Array(2), 'type_mismatch'],
  ['ndarray:uint8:3', { shape: [1, 3], data: new Uint8Array(3) }, 'type_mismatch'],
];

describe('MDSWriter', () => {
  it.each(wrong)('refuses a column %s with %o, leaves that sample out and goes on', async (encoding, value, code) => {
    await using writer = new MDSWriter({ out: out(), columns: { id: 'int32', x: encoding } });
    const error = await refusal(writer.write({ id: 7, x: value }));
    expect(error.code).toBe(code);
    expect(error.details).toMatchObject({ sample: 0, column: 'x' });
    expect(error.message).toContain("column 'x' of sample 0");
    expect(await writer.finish()).toMatchObject({ samples: 0, shards: 0 });
  });

  it('writes the samples around one that it refused', async () => {
    const uri = out();
    await using writer = new MDSWriter({ out: uri, columns: { a: 'str', b: 'uint8' } });
    await writer.write({ a: 'one', b: 1 });
    expect((await refusal(writer.write({ a: 'a long text that is taken back', b: 300 }))).details['sample']).toBe(1);
    await writer.write({ a: 'two', b: 2, more: 'is ignored' });
    expect(await writer.finish()).toMatchObject({ samples: 2, shards: 1 });
  });

  it('refuses samples that are no objects', async () => {
    await using writer = new MDSWriter({ out: out(), columns: { a: 'str' } });
    for (const sample of [null, undefined, 'a', 1]) {
      expect((await refusal(writer.write(sample as never))).code).toBe('type_mismatch');
    }
  });

  it('refuses values that hold themselves, instead of going on for ever', async () => {
    await using writer = new MDSWriter({ out: out(), columns: { a: 'json' } });
    const endless: unknown[] = [];
    endless.push(endless);
    expect((await refusal(writer.write({ a: endless }))).code).toBe('type_mismatch');
  });

  it.each([
    [{ columns: { a: 'pkl' } }, 'unsupported_type', "'pkl'"],
    [{ columns: { a: 'nope' } }, 'unsupported_type', 'nope'],
    [{ columns: { a: 'ndarray:bool' } }, 'unsupported_type', 'ndarray:bool'],
    [{ columns: { a: 'ndarray:int8:0' } }, 'unsupported_type', 'ndarray:int8:0'],
    [{ columns: {} }, 'invalid_schema', 'columns'],
    [{ columns: { a: 7 } }, 'invalid_schema', "'a'"],
    [{ columns: { '': 'int' } }, 'invalid_schema', '""'],
    [{ compression: 'lz4' }, 'invalid_argument', 'lz4'],
    [{ compression: 'zstd:23' }, 'invalid_argument', 'zstd:23'],
    [{ compression: 'snappy:1' }, 'invalid_argument', 'snappy:1'],
    [{ hashes: ['crc32'] }, 'invalid_argument', 'crc32'],
    [{ hashes: ['sha1', 'sha1'] }, 'invalid_argument', 'each once'],
    [{ hashes: 'sha1' }, 'invalid_argument', 'list'],
    [{ sizeLimit: 0 }, 'invalid_size', 'sizeLimit'],
    [{ sizeLimit: 2 ** 32 }, 'invalid_size', 'sizeLimit'],
    [{ sizeLimit: '64 mega' }, 'invalid_size', 'sizeLimit'],
    [{ maxWorkers: 0 }, 'invalid_size', 'maxWorkers'],
    [{ out: '' }, 'invalid_argument', 'out'],
    [{ out: ['a'] }, 'invalid_argument', 'out'],
    [{ out: ['a', 'a'] }, 'invalid_argument', 'twice'],
    [{ existOk: true, resume: true }, 'invalid_argument', 'resume'],
    [{ keepLocal: 1 }, 'invalid_argument', 'keepLocal'],
    [{ sizelimit: 1 }, 'invalid_argument', 'sizeLimit'],
  ])('refuses the options %o', async (options, code, word) => {
    const error = await refusal(() => new MDSWriter({ out: out(), columns: { a: 'int' }, ...options } as never));
    expect(error.code).toBe(code);
    expect(error.message).toContain(word);
  });
});

describe('writers of text', () => {
  it('refuse what cannot be written without quotes', async () => {
    const columns = { s: 'str', t: 'str' };
    for (const text of ['a,b', 'a\nb', ',']) {
      await using writer = new CSVWriter({ out: out(), columns });
      expect((await refusal(writer.write({ s: text, t: '' }))).code).toBe('type_mismatch');
    }
    // Behind which the separator would begin too early.
    await using writer = new XSVWriter({ out: out(), columns, separator: '||' });
    expect((await refusal(writer.write({ s: 'a|', t: '' }))).code).toBe('type_mismatch');
    await writer.write({ s: '|a', t: 'b' });
    for (const options of [{ separator: '' }, { separator: ';', newline: ';;' }, { separator: ';', newline: '' }]) {
      const error = await refusal(() => new XSVWriter({ out: out(), columns, ...options }));
      expect(error.code).toBe('invalid_argument');
    }
    const named = await refusal(() => new CSVWriter({ out: out(), columns: { 'a,b': 'int' } }));
    expect(named.code).toBe('invalid_schema');
  });

  it('refuse other types, and encodings that shards of text lack', async () => {
    const writers = [
      new JSONWriter({ out: out(), columns: { i: 'int', f: 'float' } }),
      new CSVWriter({ out: out(), columns: { i: 'int', f: 'float' } }),
    ];
    for (const writer of writers) {
      for (const sample of [{ i: 1.5, f: 1 }, { i: '1', f: 1 }, { i: 1, f: '1' }, { i: true, f: 1 }, { i: 1 }]) {
        expect((await refusal(writer.write(sample))).message).toContain('sample 0');
      }
      await writer.close();
    }
    expect((await refusal(() => new JSONWriter({ out: out(), columns: { a: 'int8' } }))).code).toBe('unsupported_type');
  });
});

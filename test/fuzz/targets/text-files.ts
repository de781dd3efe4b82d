import { toSchema } from '../../../src/arrow/schema.js';
import { csvFormat } from '../../../src/format/csv-file.js';
import { jsonlFormat } from '../../../src/format/jsonl-file.js';
import type { RowFileFormat } from '../../../src/format/row-file.js';
import { type FuzzTarget, type OpenTarget, textInputs } from '../fuzz-target.js';
import { readFile } from './seed-rows.js';

const csv: readonly string[] = [
  'id,name,score,ok,when\n1,ann,1.5,true,2020-01-02\n2,"b,""o""b",-3e2,FALSE,\n3,,NaN,true,2021-12-31T23:59:59Z\n',
  '\ufeffid,name,score,ok,when\r\n10, padded ,0.1,1,1970-01-01\r\n\r\n-9223372036854775808,"two\nlines",inf,0,"x"\r\n',
  'id,name,score,ok,when\r7,é€😀,7,true,"[1,2,{""a"":null}]"',
];
const jsonl: readonly string[] = [
  '{"id":1,"name":"ann","score":1.5,"list":[1,2,null],"inner":{"a":true,"b":"x"}}\n{"id":2,"name":null,"score":-3e2,"list":[]}\n',
  '{"id":9007199254740993,"name":"\\u00e9\\n\\"","score":0.1,"when":"2020-01-02T03:04:05.678Z","inner":{}}\r\n\n  {"id":-1}',
  '{"id":3,"name":"YWJj","score":NaN,"list":[[1],[2,3]],"nested":{"x":{"y":{"z":[{"q":1}]}}}}\n',
];

/** With `schema`, rows of every type that text becomes; without one, types are inferred. */
const schemas = [
  undefined,
  toSchema({ id: 'int64', name: 'utf8', score: 'float64' }, 'a seed'),
  toSchema(
    {
      id: 'int8',
      name: 'binary',
      score: 'decimal128(12, 3)',
      ok: 'bool',
      when: 'timestamp[us, UTC]',
      list: 'list<int32>',
      inner: 'struct<{a: bool, b: utf8}>',
      nested: 'utf8',
    },
    'a seed',
  ),
  toSchema(
    {
      id: 'dictionary<int8, utf8>',
      name: 'large_utf8',
      score: 'float16',
      when: 'date32',
      list: 'fixed_size_list<float32>[2]',
      ok: 'time64[us]',
    },
    'a seed',
  ),
];

/** The first byte of an input chooses the schema; that each text fits one of them at least is checked. */
function target(name: string, texts: readonly string[], format: RowFileFormat, path: string, long: number): FuzzTarget {
  const open = async (): Promise<OpenTarget> => {
    const parse = (bytes: Uint8Array): Promise<unknown> =>
      readFile(format, { [path]: bytes.subarray(1) }, schemas[(bytes[0] ?? 0) % schemas.length]);
    const made = textInputs(
      texts.flatMap((text) => schemas.map((_, at) => `${at}${text}`)),
      parse,
    );
    const fitting: Uint8Array[] = [];
    for (const [at, text] of texts.entries()) {
      const own = made.seeds.slice(at * schemas.length, (at + 1) * schemas.length);
      const tried = await Promise.all(
        own.map((seed) =>
          parse(seed).then(
            () => [seed],
            () => [],
          ),
        ),
      );
      if (tried.flat().length === 0) throw new Error(`No schema fits ${JSON.stringify(text)}.`);
      fitting.push(...tried.flat());
    }
    return { ...made, seeds: fitting };
  };
  return { name, ci: 80, long, open };
}

const small = { groupRows: 2, groupBytes: 64, chunkBytes: 32 };
const bySemicolons = csv.map((text) => text.replaceAll(',', ';').replace(/^.*?[\r\n]+/, ''));

export const textTargets: readonly FuzzTarget[] = [
  target('csv', csv, csvFormat(), 'data.csv', 80_000),
  target('csv in small groups', csv, csvFormat(small), 'data.csv', 40_000),
  target('csv without header', bySemicolons, csvFormat({ header: false, delimiter: ';' }), 'data.csv', 20_000),
  target(
    'tsv',
    csv.map((text) => text.replaceAll(',', '\t')),
    csvFormat(),
    'data.tsv',
    20_000,
  ),
  target('jsonl', jsonl, jsonlFormat(), 'data.jsonl', 80_000),
  target('jsonl in small groups', jsonl, jsonlFormat(small), 'data.jsonl', 40_000),
];

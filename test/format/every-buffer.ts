import type { RecordBatch, Schema } from 'apache-arrow';
import { toSchema } from '../../src/arrow/schema.js';
import { canonical } from '../arrow/arbitrary.js';
import { batchOf, type Source } from './stored-file.js';

const schema: Schema = toSchema(
  {
    n: 'int32',
    wide: 'int64',
    half: 'float16',
    flag: 'bool',
    text: 'utf8',
    long: 'large_utf8',
    money: 'decimal128(20, 2)',
    code: 'fixed_size_binary[3]',
    word: 'dictionary<int8, utf8>',
    list: 'list<int16>',
    texts: 'list<utf8>',
    pair: 'fixed_size_list<float32>[2]',
    inner: 'struct<{a: bool, b: list<uint8>}>',
    day: 'timestamp[ms, UTC]',
  },
  'the test',
);

/** A row made of `seed`; every third value of a column is null, each column at its own rows. */
function cells(seed: number): unknown[] {
  const sound = [
    seed * 1001,
    BigInt(seed) << 40n,
    seed / 2,
    seed % 2 === 0,
    `text ${'ab'.repeat(seed)}`,
    `long ${seed}`,
    `${seed}.25`,
    Uint8Array.of(seed, 0, 255),
    ['red', 'green', 'blue'][seed % 3],
    Array.from({ length: seed % 4 }, (_, at) => (at === 2 ? null : at - seed)),
    Array.from({ length: seed % 3 }, (_, at) => `${at}`.repeat(seed)),
    Float32Array.of(seed, -seed),
    { a: seed % 2 === 1, b: Uint8Array.of(seed) },
    new Date(seed * 86_400_000),
  ];
  return sound.map((value, column) => ((seed + column) % 3 === 0 ? null : value));
}

/** Two batches with every kind of buffer that a file can have: of every layout, with nulls, in 13 and 9 rows. */
export function everyBuffer(): Source {
  const parts = [Array.from({ length: 13 }, (_, row) => row), Array.from({ length: 9 }, (_, row) => row + 20)];
  const columns = parts.map((seeds) => schema.fields.map((_, at) => seeds.map((seed) => cells(seed)[at])));
  const batches: RecordBatch[] = columns.map((own) => batchOf(schema, own));
  const values = schema.fields.map(({ type }, at) =>
    columns.map((own) => own[at]!.map((value) => canonical(type, value))),
  );
  return { schema, batches, values };
}

import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { rowsToBatch } from '../../src/arrow/build.js';
import { toSchema } from '../../src/arrow/schema.js';
import type { Scan, Spiral } from '../../src/index.js';
import { allMosaicFixtures, mosaicFixtures } from '../format/mosaic-fixtures.js';
import { newTable, refusal, spiralAt } from './spiral-at.js';

const root = await mkdtemp(join(tmpdir(), 'spiral-to-mds-'));
const spirals: Spiral[] = [];
afterAll(async () => {
  for (const spiral of spirals) await spiral.close();
  await rm(root, { recursive: true });
});

function newSpiral(): Spiral {
  const spiral = spiralAt();
  spirals.push(spiral);
  return spiral;
}

/** A scan of a new table with a key `id` and a column `x` of the type `words`. */
async function scanOf(words: string, values: readonly unknown[]): Promise<Scan> {
  const spiral = newSpiral();
  const table = await newTable(spiral);
  const rows = values.map((x, id) => ({ id: BigInt(id), x }));
  await table.write(rowsToBatch(rows, toSchema({ id: 'int64', x: words }, 'a test')));
  return spiral.scan(table);
}

const rowsOf = async (folder: string): Promise<Record<string, unknown>[]> => {
  const spiral = newSpiral();
  return (await spiral.scan(await spiral.files(folder, { format: 'mds' }))).toRows();
};

function columnsOf(folder: string): Record<string, string> {
  const { shards } = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8'));
  const { column_names: names, column_encodings: encodings } = shards[0] as Record<string, string[]>;
  return Object.fromEntries(names!.map((name, at) => [name, encodings![at]!]));
}

const newFolder = (): Promise<string> => mkdtemp(join(root, 'set-'));
const namesOf = async (folder: string): Promise<string[]> =>
  (await readdir(folder)).filter((name) => name !== '.tmp').sort();

describe('toMds', () => {
  it.each<[words: string, encoding: string, value: unknown, read: unknown]>([
    ['int8', 'int8', -1, -1],
    ['uint64', 'uint64', 2n ** 64n - 1n, 2n ** 64n - 1n],
    ['float16', 'float16', 1.5, 1.5],
    ['float64', 'float64', 0.1, 0.1],
    ['bool', 'uint8', true, 1],
    ['utf8', 'str', 'é🙂', 'é🙂'],
    ['binary', 'bytes', Uint8Array.of(1, 0), Uint8Array.of(1, 0)],
    ['fixed_size_binary[2]', 'bytes', Uint8Array.of(1, 0), Uint8Array.of(1, 0)],
    ['decimal128(10, 2)', 'str_decimal', '-1.50', '-1.50'],
    ['date32', 'str', new Date('2024-02-29'), '2024-02-29'],
    ['timestamp[us, UTC]', 'str', -1n, '1969-12-31T23:59:59.999999Z'],
    ['duration[s]', 'int64', 5n, 5n],
    ['dictionary<int8, utf8>', 'str', 'a', 'a'],
    ['list<int32>', 'ndarray:int32', [1, 2, 3], { shape: Uint32Array.of(3), values: Int32Array.of(1, 2, 3) }],
    ['fixed_size_list<float32>[2]', 'ndarray:float32:2', [1, 2.5], Float32Array.of(1, 2.5)],
    [
      'fixed_size_list<fixed_size_list<uint8>[3]>[2]',
      'ndarray:uint8:2,3',
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      [Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5, 6)],
    ],
    ['fixed_size_list<float16>[2]', 'ndarray:float16:2', [1, 2.5], Float32Array.of(1, 2.5)],
    ['list<utf8>', 'json', ['a', null], '["a",null]'],
    ['struct<{a: int64, b: utf8}>', 'json', { a: 1n, b: 'x' }, '{"a":1,"b":"x"}'],
  ])('writes %s as %s, and the values are read', async (words, encoding, value, read) => {
    const out = await newFolder();
    const scan = await scanOf(words, [value, value]);
    expect(await scan.toMds(out)).toMatchObject({ rows: 2, shards: 1 });
    expect(columnsOf(out)).toEqual({ id: 'int64', x: encoding });
    expect(await rowsOf(out)).toEqual([
      { id: 0n, x: read },
      { id: 1n, x: read },
    ]);
  });

  it('takes encodings that are given, and cuts, compresses and hashes as it is told', async () => {
    const out = await newFolder();
    const values = Array.from({ length: 300 }, (_, id) => ({ list: [id], name: 'some text' }));
    const scan = await scanOf('struct<{list: list<int64>, name: utf8}>', values);
    const options = { columns: { id: 'str_int' }, compression: 'zstd', hashes: ['xxh64'], sizeLimit: '4kb' };
    const { shards, bytes } = await scan.toMds(out, options);
    expect(shards).toBeGreaterThan(1);
    expect((await namesOf(out)).filter((name) => name.endsWith('.mds.zstd'))).toHaveLength(shards);
    expect(bytes).toBeLessThan(300 * 40);
    const rows = await rowsOf(out);
    expect(rows.map(({ id }) => Number(id))).toEqual(values.map((_, id) => id));
    expect(rows.map(({ x }) => JSON.parse(x as string))).toEqual(values);
  });

  it('takes text as JSON where it is asked to, and refuses other text', async () => {
    const out = await newFolder();
    await (await scanOf('utf8', ['{"a": [1, NaN]}', '7', null])).toMds(out, { columns: { x: 'json' } });
    expect((await rowsOf(out)).map(({ x }) => x)).toEqual(['{"a": [1, NaN]}', '7', 'null']);
    const scan = await scanOf('utf8', ['{}', 'no json']);
    const error = await refusal(scan.toMds(await newFolder(), { columns: { x: 'json' } }));
    expect(error.code).toBe('type_mismatch');
    expect(error.details).toMatchObject({ column: 'x', sample: 1 });
  });

  it.each(['int32', 'utf8', 'list<int32>', 'fixed_size_list<fixed_size_list<uint8>[1]>[2]', 'date32', 'bool'])(
    'refuses a null of %s by its sample and column, and leaves nothing behind',
    async (words) => {
      const value = words.startsWith('fixed')
        ? [[1], [2]]
        : words.startsWith('list')
          ? [1]
          : words === 'utf8'
            ? 'a'
            : 1;
      const good = words === 'date32' ? new Date(0) : words === 'bool' ? true : value;
      const out = await newFolder();
      const scan = await scanOf(words, [good, good, null]);
      const error = await refusal(scan.toMds(out, { sizeLimit: 1 }));
      expect(error.code).toBe('type_mismatch');
      expect(error.details).toMatchObject({ sample: 2, column: 'x' });
      expect(await namesOf(out)).toEqual([]);
    },
  );

  it('refuses nulls within lists, empty lists, columns that are not there and other options', async () => {
    for (const value of [[1, null], []]) {
      const scan = await scanOf('list<int32>', [value]);
      expect((await refusal(scan.toMds(await newFolder()))).details).toMatchObject({ column: 'x' });
    }
    const inner = await scanOf('fixed_size_list<int32>[2]', [[1, null]]);
    expect((await refusal(inner.toMds(await newFolder()))).details).toMatchObject({ column: 'x' });
    const scan = await scanOf('int32', [1]);
    expect((await refusal(scan.toMds(await newFolder(), { columns: { y: 'int' } }))).code).toBe('unknown_column');
    expect((await refusal(scan.toMds(await newFolder(), { columns: { x: 'pkl' } }))).code).toBe('unsupported_type');
    expect((await refusal(() => scan.toMds('out', { sizelimit: 1 } as never))).code).toBe('invalid_argument');
  });

  it('keeps what is in a folder that is not empty, and replaces a data set where it is asked to', async () => {
    const out = await newFolder();
    await writeFile(join(out, 'notes.txt'), 'mine');
    const scan = await scanOf('int32', [1, 2]);
    expect((await refusal(scan.toMds(out))).code).toBe('already_exists');
    expect(await namesOf(out)).toEqual(['notes.txt']);
    await scan.toMds(out, { existOk: true, sizeLimit: 1 });
    await scan.toMds(out, { existOk: true });
    expect(await namesOf(out)).toEqual(['index.json', 'notes.txt', 'shard.00000.mds']);
  });

  it('writes an empty scan as a data set without shards', async () => {
    const out = await newFolder();
    expect(await (await scanOf('int32', [])).toMds(out)).toMatchObject({ rows: 0, shards: 0, bytes: 0 });
    expect(await rowsOf(out)).toEqual([]);
  });

  it.skipIf(mosaicFixtures === undefined)(
    'copies data sets of MosaicML, images and arrays included (skipped where SPIRAL_FIXTURES is not there)',
    async () => {
      for (const { name, folder, columns } of allMosaicFixtures()) {
        if (!['images', 'ndarray', 'scalars', 'comp_br'].includes(name)) continue;
        const out = await newFolder();
        const spiral = newSpiral();
        const scan = await spiral.scan(await spiral.files(folder, { format: 'mds' }));
        await scan.toMds(out, { columns });
        expect(await rowsOf(out), name).toEqual(await rowsOf(folder));
      }
    },
  );
});

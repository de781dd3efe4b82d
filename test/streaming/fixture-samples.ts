import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RecordBatch } from 'apache-arrow';
import { valueReader } from '../../src/arrow/rows.js';
import { Spiral } from '../../src/index.js';
import type { Sample } from '../../src/streaming/writing/shard-layout.js';
import { allMosaicFixtures, type MosaicFixture, mosaicFixtures } from '../format/mosaic-fixtures.js';

/** A data set of the fixtures, and how MosaicML's writer was called for it. */
export interface WrittenFixture extends MosaicFixture {
  readonly format: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** Its files, with the SHA-1 of each. */
  readonly files: Readonly<Record<string, { readonly bytes: number; readonly sha1: string }>>;
}

const names: Readonly<Record<string, string>> = { size_limit: 'sizeLimit' };

/** Data sets that one call of a writer made, but for those with pickles, which are refused. */
export function writtenFixtures(): WrittenFixture[] {
  return allMosaicFixtures().flatMap((fixture) => {
    if (fixture.name === 'merged' || Object.values(fixture.columns).includes('pkl')) return [];
    const file = fixture.name.replace('splits/', 'splits.').replaceAll('/', '__');
    const { format, writer_kwargs, files } = JSON.parse(
      readFileSync(`${mosaicFixtures}/expected/${file}.json`, 'utf8'),
    );
    const options = Object.fromEntries(
      Object.entries(writer_kwargs as object).map(([name, value]) => [names[name] ?? name, value]),
    );
    return [{ ...fixture, format, options, files }];
  });
}

/** The samples of a fixture as they are given to a writer; what its values do not tell whole is read from its shards. */
export async function samplesOf({ folder, columns, samples }: WrittenFixture): Promise<Sample[]> {
  const isText = !Object.values(columns).some((encoding) => !['str', 'int', 'float'].includes(encoding));
  await using spiral = new Spiral({ overrides: { 'warehouse.uri': join(folder, 'none') } });
  const table = await spiral.files(folder, { format: 'mds', ...(isText ? { mds: { intsAsText: true } } : {}) });
  const read: Record<string, unknown>[] = [];
  for await (const batch of (await spiral.scan(table)).toRecordBatches() as AsyncIterable<RecordBatch>) {
    const readers = batch.schema.fields.map(({ name }, at) => [name, valueReader(batch.data.children[at]!)] as const);
    for (let row = 0; row < batch.numRows; row++) {
      read.push(Object.fromEntries(readers.map(([name, reader]) => [name, reader(row)])));
    }
  }
  return samples.map((sample, at) =>
    Object.fromEntries(
      Object.entries(columns).map(([name, encoding]) => [name, given(encoding, sample[name], read[at]![name])]),
    ),
  );
}

/** A value for a writer: as the fixture tells it, or as it was read. */
function given(encoding: string, told: unknown, read: unknown): unknown {
  if (encoding === 'json') return exact(told);
  if (encoding === 'str_int' || (encoding === 'int' && typeof read === 'string')) return BigInt(read as string);
  if (!encoding.startsWith('ndarray')) return read;
  const { dtype, shape } = (told as { $ndarray: { dtype: string; shape: number[] } }).$ndarray;
  if (ArrayBuffer.isView(read) || Array.isArray(read)) return { shape, data: flat(read) };
  const { data, values } = read as { data?: Uint8Array; values?: ArrayBufferView };
  return { dtype, shape, data: data ?? values };
}

/** The typed array of lists in lists. */
function flat(read: unknown): unknown {
  if (ArrayBuffer.isView(read)) return read;
  const rows = read as Float64Array[];
  const Type = rows[0]!.constructor as unknown as { from(values: Iterable<unknown>): unknown };
  return Type.from(rows.flatMap((row) => [...row]));
}

/** JSON with the integers that the fixtures could not say. */
function exact(told: unknown): unknown {
  if (typeof told !== 'object' || told === null) return told;
  if ('$int' in told) return BigInt(told.$int as string);
  return told;
}

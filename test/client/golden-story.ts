import { columnsToBatch } from '../../src/arrow/build.js';
import { toSchema } from '../../src/arrow/schema.js';
import type { Spiral } from '../../src/client/spiral.js';
import type { Table } from '../../src/client/table.js';

/** What the golden warehouse holds at one version. */
export interface GoldenVersion {
  readonly time: number;
  readonly rows: unknown;
}

const schema = toSchema(
  {
    shelf: 'utf8',
    number: 'int32',
    title: 'utf8',
    price: 'decimal128(10, 2)',
    added: 'timestamp[us, UTC]',
    cover: 'fixed_size_list<uint8>[4]',
    kind: 'dictionary<int8, utf8>',
    size: 'struct<{w: float32, h: float32, paper: struct<{gsm: uint16}>}>',
  },
  'the golden table',
);

const places = (from: number, to: number): { shelf: string; number: number }[] =>
  Array.from({ length: to - from }, (_, at) => ({
    shelf: `shelf ${Math.floor((from + at) / 8)}`,
    number: (from + at) % 8,
  }));

/** Writes the table of the goldens: every feature of the log that there is. Gives what each version holds. */
export async function tellGolden(spiral: Spiral): Promise<GoldenVersion[]> {
  const project = await spiral.createProject('golden', { name: 'Kept for ever' });
  const table = await project.createTable('books.all', { keySchema: { shelf: 'utf8', number: 'int32' } });
  const versions: GoldenVersion[] = [];
  const keep = async (): Promise<void> => {
    versions.push({ time: await table.snapshot().asof(), rows: goldenJson(await rowsOf(spiral, table)) });
  };
  await keep();
  const rows = places(0, 20).map((place, at) => ({
    ...place,
    title: at % 5 === 3 ? null : `Book ${at}`,
    price: `${at}.50`,
    added: BigInt(at) * 1_000_000n,
    cover: Uint8Array.of(at, 1, 2, 3),
    kind: at % 2 === 0 ? 'novel' : 'atlas',
    size: { w: at / 4, h: 2, paper: { gsm: 80 + at } },
  }));
  const columns = Object.fromEntries(
    schema.fields.map(({ name }) => [name, rows.map((row) => row[name as keyof (typeof rows)[number]])]),
  );
  await table.write(columnsToBatch(columns, schema), { batchRows: 8 });
  await keep();
  await table.write(
    places(32, 40).map((place) => ({ ...place, title: 'Late' })),
    { compression: 'zstd' },
  );
  await keep();
  // Column by column over the same keys, a null that overwrites, and a new column.
  await table.write(
    places(0, 20).map((place, at) => ({ ...place, title: at === 0 ? null : `New ${at}`, lent: at % 3 === 0 })),
    { compression: 'lz4' },
  );
  await keep();
  await table.dropColumns(['price', 'size.paper.gsm']);
  await keep();
  await table.write(places(24, 28).map((place) => ({ ...place, price: 7.25 })));
  await keep();
  return versions;
}

/** All rows at `asof`, or now. */
export async function rowsOf(spiral: Spiral, table: Table, asof?: number): Promise<Record<string, unknown>[]> {
  return (await spiral.scan(table, asof === undefined ? {} : { asof })).toRows();
}

/** Values as JSON has them: bigint, bytes and dates each under a name of their own. */
export function goldenJson(value: unknown): unknown {
  if (typeof value === 'bigint') return { bigint: String(value) };
  if (value instanceof Date) return { date: value.toISOString() };
  if (ArrayBuffer.isView(value)) return { [value.constructor.name]: Array.from(value as Uint8Array) };
  if (Array.isArray(value)) return value.map(goldenJson);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, goldenJson(inner)]));
}

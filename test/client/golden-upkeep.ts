import type { Table } from '../../src/client/table.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { vacuumTable } from '../../src/table/vacuum.js';
import { type GoldenVersion, goldenJson } from './golden-story.js';
import { compactTo, rowsAt, UpkeepWarehouse } from './upkeep-story.js';

/** What a golden table that was kept up holds. */
export interface GoldenUpkeep {
  /** Every version from the first on; null for one that was vacuumed. */
  readonly versions: readonly (GoldenVersion | null)[];
  readonly tags: readonly { readonly name: string; readonly version: number; readonly time: number }[];
}

/** The table of the goldens that was kept up, in the project that `tellGolden` makes. */
export const keptTable = 'books.kept';

const books = (from: number, to: number, more: (number: number) => object): object[] =>
  Array.from({ length: to - from }, (_, at) => ({ number: from + at, ...more(from + at) }));

/**
 * Writes a table with all that upkeep leaves: deletions, compactions, checkpoints, tags, a version that only its tag kept
 * from vacuum, a floor, and commits behind it. Gives what it holds.
 */
export async function tellGoldenUpkeep(store: ObjectStore): Promise<GoldenUpkeep> {
  const warehouse = new UpkeepWarehouse(store);
  const table = await warehouse.project('golden').createTable(keptTable, { keySchema: { number: 'int64' } });
  const opened = await warehouse.openTable(table.id);
  const versions: (GoldenVersion | null)[] = [];
  const keep = async (): Promise<void> => {
    const { version, time } = await opened.latest();
    versions.push({ time, rows: goldenJson(await rowsAt(warehouse, table, version)) });
  };
  await keep();
  await table.write(books(0, 9, (at) => ({ title: at === 4 ? null : `Book ${at}`, size: { w: at / 4, pages: at } })));
  await keep();
  await table.deleteKeys({ number: [1n, 3n, 77n] });
  await keep();
  await table.tag('deleted');
  await table.write(books(3, 12, (at) => ({ title: `New ${at}`, lent: at % 2 === 0 })));
  await keep();
  await compactTo(opened, 2 ** 27);
  await keep();
  await table.write(
    books(0, 3, () => ({ size: { w: null, pages: 100 } })),
    { compression: 'lz4' },
  );
  await keep();
  const { floor } = await vacuumTable(opened, { retainMs: 0, graceMs: -1000 });
  for (let version = 1; version < floor; version++) if (version !== 3) versions[version - 1] = null;
  await table.deleteKeys(books(8, 10, () => ({})));
  await keep();
  await table.dropColumns(['title', 'size.w']);
  await keep();
  await table.write(
    books(2, 5, (at) => ({ title: at })),
    { compression: 'zstd' },
  );
  await keep();
  await table.transaction(async (txn) => {
    await txn.write(books(20, 22, () => ({ lent: null })));
    await txn.deleteKeys({ number: [20n] });
    await txn.write(books(4, 6, () => ({ size: { w: 0.5 } })));
  });
  await keep();
  await table.tag('last');
  return { versions, tags: await tagsOf(table) };
}

/** What `tellGoldenUpkeep` gave, read from `store`. */
export async function readGoldenUpkeep(store: ObjectStore): Promise<GoldenUpkeep> {
  const warehouse = new UpkeepWarehouse(store);
  const table = await warehouse.project('golden').table(keptTable);
  const opened = await warehouse.openTable(table.id);
  const { version: newest } = await opened.latest();
  const versions: (GoldenVersion | null)[] = [];
  for (let version = 1; version <= newest; version++) {
    const { time } = await opened.at(version).catch(nothingVacuumed);
    versions.push(time === 0 ? null : { time, rows: goldenJson(await rowsAt(warehouse, table, version)) });
  }
  return { versions, tags: await tagsOf(table) };
}

/** A version of no time for one that was vacuumed. */
function nothingVacuumed(error: unknown): { time: number } {
  if ((error as { code?: unknown }).code === 'version_vacuumed') return { time: 0 };
  throw error;
}

async function tagsOf(table: Table): Promise<GoldenUpkeep['tags']> {
  return (await table.tags()).map(({ name, version, time }) => ({ name, version, time }));
}

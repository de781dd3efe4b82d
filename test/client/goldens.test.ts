import { existsSync } from 'node:fs';
import { cp, readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { fileStore } from '../../src/storage/file-store.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { type GoldenVersion, goldenJson, rowsOf, tellGolden } from './golden-story.js';
import { type GoldenUpkeep, keptTable, readGoldenUpkeep, tellGoldenUpkeep } from './golden-upkeep.js';
import { spiralAt } from './spiral-at.js';
import { compactTo, UpkeepWarehouse } from './upkeep-story.js';
import { withProject } from './warehouse-over.js';

/**
 * A case is files and no code: a warehouse as a release left it, what its table holds at each version, and, from the second
 * on, what a table holds that was kept up.
 */
const goldens = fileURLToPath(new URL('../goldens/table', import.meta.url));
const cases = (await readdir(goldens)).filter((name) => !name.endsWith('.json'));

const expected = async (name: string): Promise<GoldenVersion[]> =>
  JSON.parse(await readFile(`${goldens}/${name}.json`, 'utf8')) as GoldenVersion[];

const expectedKept = async (name: string): Promise<GoldenUpkeep> =>
  JSON.parse(await readFile(`${goldens}/${name}.kept.json`, 'utf8')) as GoldenUpkeep;

describe.each(cases)('the warehouse %s', (name) => {
  it('reads as ever, at every version', async () => {
    await using spiral = spiralAt(`${goldens}/${name}`);
    const table = await spiral.project('golden').table('books.all');
    for (const { time, rows } of await expected(name)) {
      expect(goldenJson(await rowsOf(spiral, table, time))).toEqual(rows);
    }
  });

  it.runIf(existsSync(`${goldens}/${name}.kept.json`))(
    'reads as ever where it was compacted, tagged and vacuumed, and goes on so',
    async () => {
      await using folder = await temporaryFolder();
      await cp(`${goldens}/${name}`, folder.path, { recursive: true });
      const store = fileStore(folder.path);
      const golden = await expectedKept(name);
      expect(await readGoldenUpkeep(store)).toEqual(golden);
      const warehouse = new UpkeepWarehouse(store);
      const table = await warehouse.project('golden').table(keptTable);
      await compactTo(await warehouse.openTable(table.id), 2 ** 27);
      const { floor } = await table.vacuum({ retainMs: 0, graceMs: 0 });
      const after = await readGoldenUpkeep(store);
      expect(after.tags).toEqual(golden.tags);
      expect(after.versions[floor - 1]!.rows).toEqual(golden.versions.at(-1)!.rows);
      for (const { version } of golden.tags) expect(after.versions[version - 1]).toEqual(golden.versions[version - 1]);
      await store.close();
    },
  );

  it('can be written to', async () => {
    await using folder = await temporaryFolder();
    await cp(`${goldens}/${name}`, folder.path, { recursive: true });
    await using spiral = spiralAt(folder.path);
    const [project] = await spiral.listProjects();
    const table = await project!.table('books.all');
    const before = await rowsOf(spiral, table);
    await table.write([{ shelf: 'z', number: 1, title: 'Last' }]);
    const after = await rowsOf(spiral, table);
    expect(after.slice(0, -1)).toEqual(before);
    expect(after.at(-1)).toMatchObject({ shelf: 'z', number: 1, title: 'Last', price: null });
  });
});

it('the story of the goldens comes out the same today', async () => {
  await using spiral = spiralAt();
  const versions = await tellGolden(spiral);
  expect(cases.length).toBeGreaterThan(0);
  expect(versions.map(({ rows }) => rows)).toEqual((await expected(cases.at(-1)!)).map(({ rows }) => rows));
});

it('the story of the goldens that are kept up comes out the same today', async () => {
  const store = await withProject(memoryStore(), 'golden');
  const { versions, tags } = await tellGoldenUpkeep(store);
  const golden = await expectedKept(cases.at(-1)!);
  expect(versions.map((version) => version?.rows)).toEqual(golden.versions.map((version) => version?.rows));
  expect(tags.map(({ name, version }) => [name, version])).toEqual(
    golden.tags.map(({ name, version }) => [name, version]),
  );
});

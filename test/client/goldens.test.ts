import { cp, readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { type GoldenVersion, goldenJson, rowsOf, tellGolden } from './golden-story.js';
import { spiralAt } from './spiral-at.js';

/** A case is two files and no code: a warehouse as a release left it, and what its table holds at each version. */
const goldens = fileURLToPath(new URL('../goldens/table', import.meta.url));
const cases = (await readdir(goldens)).filter((name) => !name.endsWith('.json'));

const expected = async (name: string): Promise<GoldenVersion[]> =>
  JSON.parse(await readFile(`${goldens}/${name}.json`, 'utf8')) as GoldenVersion[];

describe.each(cases)('the warehouse %s', (name) => {
  it('reads as ever, at every version', async () => {
    await using spiral = spiralAt(`${goldens}/${name}`);
    const table = await spiral.project('golden').table('books.all');
    for (const { time, rows } of await expected(name)) {
      expect(goldenJson(await rowsOf(spiral, table, time))).toEqual(rows);
    }
  });

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

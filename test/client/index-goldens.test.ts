import { cp, readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { type GoldenIndexes, goldenIndexNames, readGoldenIndexes, tellGoldenIndexes } from './golden-index.js';
import { spiralAt } from './spiral-at.js';

/** A case is files and no code: a warehouse with indexes as a release left it, and what they give. */
const goldens = fileURLToPath(new URL('../goldens/index', import.meta.url));
const cases = (await readdir(goldens)).filter((name) => !name.endsWith('.json'));

const expected = async (name: string): Promise<GoldenIndexes> =>
  JSON.parse(await readFile(`${goldens}/${name}.json`, 'utf8')) as GoldenIndexes;

const rangesOf = (indexes: GoldenIndexes): unknown => goldenIndexNames.map((name) => indexes[name]!.ranges);

describe.each(cases)('the indexes of %s', (name) => {
  it('read as ever, and are synced again to the same', async () => {
    await using folder = await temporaryFolder();
    await cp(`${goldens}/${name}`, folder.path, { recursive: true });
    await using spiral = spiralAt(folder.path);
    const project = spiral.project('golden');
    const golden = await expected(name);
    expect(await readGoldenIndexes(project)).toEqual(golden);
    const table = await project.table('trees');
    for (const index of goldenIndexNames) {
      await (await project.keySpaceIndex(index)).sync(table.snapshot(golden[index]!.asof));
    }
    expect(await readGoldenIndexes(project)).toEqual(golden);
    await (await project.keySpaceIndex('tall')).sync();
    expect((await project.keySpaceIndex('tall')).asof).toBe(golden['all']!.asof);
  });
});

it('the story of the indexes comes out the same today', async () => {
  await using spiral = spiralAt();
  const indexes = await tellGoldenIndexes(spiral);
  expect(cases.length).toBeGreaterThan(0);
  expect(rangesOf(indexes)).toEqual(rangesOf(await expected(cases.at(-1)!)));
});

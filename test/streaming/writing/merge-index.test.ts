import { cp, mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { uniqueId } from '../../../src/core/random.js';
import { Spiral } from '../../../src/index.js';
import { checkpointName } from '../../../src/streaming/writing/begin-writing.js';
import { JSONWriter } from '../../../src/streaming/writing/json-writer.js';
import { MDSWriter } from '../../../src/streaming/writing/mds-writer.js';
import { mergeIndex } from '../../../src/streaming/writing/merge-index.js';
import { refusal } from '../../client/spiral-at.js';
import { mosaicFixtures } from '../../format/mosaic-fixtures.js';

const root = await mkdtemp(join(tmpdir(), 'spiral-merge-'));
afterAll(() => rm(root, { recursive: true }));
const newFolder = (): Promise<string> => mkdtemp(join(root, 'set-'));

async function part(
  out: string,
  from: number,
  to: number,
  columns: Record<string, string> = { id: 'int' },
): Promise<void> {
  await using writer = new MDSWriter({ out, columns, sizeLimit: 250, compression: 'zstd' });
  for (let id = from; id < to; id++) await writer.write({ id });
  await writer.finish();
}

async function idsOf(uri: string): Promise<number[]> {
  await using spiral = new Spiral({ config: { 'warehouse.uri': `memory://${uniqueId('w-')}` } });
  const rows = await (await spiral.scan(await spiral.files(uri, { format: 'mds' }))).toRows();
  return rows.map(({ id }) => Number(id));
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, at) => from + at);

describe('mergeIndex', () => {
  it('makes one data set of all below a folder, also deep ones of one name, in files and in memory', async () => {
    for (const out of [await newFolder(), `memory://${uniqueId('merge-')}`]) {
      await part(`${out}/x/0`, 0, 30);
      await part(`${out}/y/0`, 30, 60);
      await part(`${out}/z`, 60, 70);
      const merged = await mergeIndex(out);
      expect(merged).toMatchObject({ samples: 70, indexes: ['x/0/index.json', 'y/0/index.json', 'z/index.json'] });
      expect(await idsOf(out)).toEqual(range(0, 70));
      expect(await mergeIndex(out)).toEqual(merged);
    }
  });

  it('takes a merged index for all below it, and no other JSON for an index', async () => {
    const out = await newFolder();
    await part(join(out, 'a/0'), 0, 10);
    await part(join(out, 'a/1'), 10, 20);
    await part(join(out, 'b'), 20, 30);
    await mergeIndex(join(out, 'a'));
    await writeFile(join(out, 'a/0/stats.json'), '{"no": "index"}');
    expect((await mergeIndex(out)).indexes).toEqual(['a/index.json', 'b/index.json']);
    expect(await idsOf(out)).toEqual(range(0, 30));
  });

  it('merges those of a list, in its order', async () => {
    const out = await newFolder();
    await part(join(out, 'a b'), 0, 10);
    await part(join(out, 'c'), 10, 20);
    await part(join(out, 'd'), 20, 30);
    await mergeIndex([join(out, 'c'), join(out, 'a b', 'index.json')], { out });
    expect(await idsOf(out)).toEqual([...range(10, 20), ...range(0, 10)]);
    expect((await refusal(mergeIndex([root], { out }))).code).toBe('path_outside_root');
    expect((await refusal(mergeIndex([join(out, 'c'), join(out, 'c')], { out }))).code).toBe('corrupt_file');
    expect((await refusal(mergeIndex([join(out, 'none')], { out }))).code).toBe('not_found');
    expect((await refusal(mergeIndex(out, { out }))).code).toBe('invalid_argument');
  });

  it('writes the index of a pair to the remote place, and to the local one too', async () => {
    const [local, remote] = [await newFolder(), await newFolder()];
    await part(join(remote, 'a'), 0, 10);
    await mergeIndex([local, remote], { keepLocal: false });
    await expect(readFile(join(local, 'index.json'))).rejects.toThrow('ENOENT');
    await mergeIndex([local, remote]);
    expect(await readFile(join(local, 'index.json'))).toEqual(await readFile(join(remote, 'index.json')));
  });

  it('refuses parts that do not go together, are not whole or not finished, and keeps the index that was there', async () => {
    const out = await newFolder();
    expect((await refusal(mergeIndex(out))).code).toBe('not_found');
    await part(join(out, 'a'), 0, 30);
    await mergeIndex(out);
    const before = await readFile(join(out, 'index.json'));

    await part(join(out, 'b'), 0, 10, { id: 'int32' });
    expect((await refusal(mergeIndex(out))).code).toBe('state_mismatch');
    await rm(join(out, 'b'), { recursive: true });

    await using json = new JSONWriter({ out: join(out, 'b'), columns: { id: 'int' }, sizeLimit: 20 });
    for (let id = 0; id < 10; id++) await json.write({ id });
    // Closed before its first shard is stored it would leave nothing.
    const stored = async (): Promise<unknown[]> =>
      (JSON.parse(await readFile(join(out, 'b', checkpointName), 'utf8')) as { shards: unknown[] }).shards;
    await vi.waitFor(async () => expect(await stored()).not.toEqual([]), { timeout: 60_000 });
    await json.close();
    const unfinished = await refusal(mergeIndex(out));
    expect(unfinished.code).toBe('not_found');
    expect(unfinished.message).toContain('resume: true');
    await rm(join(out, 'b'), { recursive: true });

    await cp(join(out, 'a'), join(out, 'c'), { recursive: true });
    await truncate(join(out, 'c/shard.00000.mds.zstd'), 10);
    expect((await refusal(mergeIndex(out))).code).toBe('corrupt_file');
    await rm(join(out, 'c/shard.00000.mds.zstd'));
    expect((await refusal(mergeIndex(out))).code).toBe('not_found');
    expect(await readFile(join(out, 'index.json'))).toEqual(before);
  });

  it('does not overwrite the index of a data set in the folder itself', async () => {
    const out = await newFolder();
    await part(out, 0, 10);
    await mkdir(join(out, 'more'));
    await part(join(out, 'more'), 10, 20);
    expect((await refusal(mergeIndex(out))).code).toBe('already_exists');
    expect(await idsOf(out)).toEqual(range(0, 10));
  });

  it.skipIf(mosaicFixtures === undefined)(
    'makes the bytes that MosaicML makes (skipped without SPIRAL_FIXTURES)',
    async () => {
      for (const name of ['merged', 'ids_uneven']) {
        const out = await newFolder();
        await cp(join(mosaicFixtures!, 'mds', name), out, { recursive: true });
        await rm(join(out, 'index.json'));
        await mergeIndex(out);
        expect(await readFile(join(out, 'index.json'), 'utf8')).toBe(
          await readFile(join(mosaicFixtures!, 'mds', name, 'index.json'), 'utf8'),
        );
      }
    },
  );
});

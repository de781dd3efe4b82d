import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Scan } from '../../src/client/scan.js';
import { fileServer } from '../storage/file-server.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { refusal, spiralAt } from './spiral-at.js';

const folder = await temporaryFolder();
afterAll(() => folder[Symbol.asyncDispose]());
// What a cache has of a file is read on when the file is replaced: `cached-stores.test.ts`.
const spiral = spiralAt(undefined, { 'fragments_cache.enabled': false });
afterAll(() => spiral.close());
const at = (...path: string[]): string => join(folder.path, ...path);

const rows = Array.from({ length: 5000 }, (_, id) => ({ id: BigInt(id), t: `text ${id}` }));
const ids = rows.map(({ id }) => Number(id));
await mkdir(at('d'));
await writeFile(at('d', 'a.jsonl'), rows.map(({ id, t }) => `{"id":${id},"t":"${t}"}\n`).join(''));
await writeFile(at('d', 'a.csv'), `id,t\n${rows.map(({ id, t }) => `${id},${t}\n`).join('')}`);
{
  const scan = await spiral.scan(await spiral.files(at('d', 'a.jsonl')));
  await scan.toParquet(at('d', 'a.parquet'));
  await scan.toArrowFile(at('d', 'a.arrow'));
}

/** 100 samples of an `int` column, as MosaicML's writer lays them out. */
async function writeMds(path: string): Promise<void> {
  const count = 100;
  const shard = Buffer.alloc(4 + 4 * (count + 1) + 8 * count);
  shard.writeUInt32LE(count, 0);
  for (let sample = 0; sample <= count; sample++) {
    const begin = 4 + 4 * (count + 1) + 8 * sample;
    shard.writeUInt32LE(begin, 4 + 4 * sample);
    if (sample < count) shard.writeBigInt64LE(BigInt(sample), begin);
  }
  const index = {
    version: 2,
    shards: [
      {
        format: 'mds',
        version: 2,
        column_names: ['id'],
        column_encodings: ['int'],
        column_sizes: [8],
        compression: null,
        hashes: [],
        raw_data: { basename: 'shard.00000.mds', bytes: shard.length, hashes: {} },
        samples: count,
        size_limit: 1 << 26,
        zip_data: null,
      },
    ],
  };
  await mkdir(path);
  await writeFile(join(path, 'shard.00000.mds'), shard);
  await writeFile(join(path, 'index.json'), JSON.stringify(index));
}
await writeMds(at('mds'));

const idsOf = async (scan: Scan): Promise<number[]> => (await scan.toRows()).map(({ id }) => Number(id));

/** What `scan` gives through a feeder's thread, in the order of the files. */
async function fed(scan: Scan): Promise<number[]> {
  await using loader = scan.toDataLoader({ feeder: true, batchSize: 64, shuffleShards: false });
  const found: number[] = [];
  for await (const batch of loader) for (const id of batch.getChild('id')!) found.push(Number(id));
  return found;
}

describe('files of a web server', () => {
  it.each(['parquet', 'arrow', 'jsonl', 'csv'])('are read by scans and by feeders: %s', async (format) => {
    await using server = await fileServer(folder.path);
    const files = await spiral.files(`${server.url}/d/a.${format}`);
    expect(files).toMatchObject({ root: `${server.url}/d`, files: [`a.${format}`], rows: 5000, format });
    const scan = await spiral.scan(files.select('id', 't'), { where: files.col('id').gte(4000n) });
    expect(await idsOf(scan)).toEqual(ids.slice(4000));
    expect(await fed(await spiral.scan(files))).toEqual(ids);
  });

  it('are read where the server knows neither ranges nor strong ETags', async () => {
    await using server = await fileServer(folder.path, { ranges: false, etags: 'weak' });
    for (const format of ['parquet', 'jsonl']) {
      expect(await idsOf(await spiral.scan(await spiral.files(`${server.url}/d/a.${format}`)))).toEqual(ids);
    }
  });

  it('may be an MDS data set, named by its folder or its index', async () => {
    await using server = await fileServer(folder.path);
    for (const uri of [`${server.url}/mds`, `${server.url}/mds/`, `${server.url}/mds/index.json`]) {
      const files = await spiral.files(uri, { format: 'mds' });
      expect(await fed(await spiral.scan(files)), uri).toEqual(ids.slice(0, 100));
    }
  });

  it('are one table where several are named, below the folder that they share', async () => {
    await using server = await fileServer(folder.path);
    await mkdir(at('d', 'b c'));
    await writeFile(at('d', 'b c', 'é.csv'), 'id,t\n7,seven\n');
    const files = await spiral.files([`${server.url}/d/b%20c/é.csv`, `${server.url}/d/a.csv`]);
    expect(files.files).toEqual(['a.csv', 'b c/é.csv']);
    expect(await idsOf(await spiral.scan(files))).toEqual([...ids, 7]);
  });

  it('behind a password are read by threads and by resumed scans, and nothing that is kept tells it', async () => {
    const secret = `Basic ${Buffer.from('ann:pw9').toString('base64')}`;
    await using server = await fileServer(folder.path, {
      instead: ({ headers }, response) => {
        if (headers.authorization === secret) return false;
        response.writeHead(401, { 'content-length': 0 }).end();
        return true;
      },
    });
    const refused = await refusal(spiral.files(`${server.url}/d/a.parquet`));
    expect(refused.code).toBe('permission_denied');
    const uri = `${server.url.replace('//', '//ann:pw9@')}/d/a.parquet`;
    const files = await spiral.files(uri);
    const scan = await spiral.scan(files);
    expect(await fed(scan)).toEqual(ids);
    const loader = scan.toDataLoader({ batchSize: 100, shuffleShards: false });
    for await (const _ of loader) break;
    const kept = `${files.root} ${files} ${scan.stateJson()} ${JSON.stringify(loader.stateDict())} ${await scan.explain()}`;
    await loader.close();
    expect(kept).not.toMatch(/pw9|ann:/);
    await using other = spiralAt();
    expect(await idsOf(await other.resumeScan(scan.stateJson()))).toEqual(ids);
    const error = await refusal(spiral.files(uri.replace('a.parquet', 'none.parquet')));
    expect(`${error.message} ${JSON.stringify(error.details)}`).not.toMatch(/pw9|ann:/);
  });

  it('that are not there are not found, and folders and patterns are refused, saying what to do', async () => {
    await using server = await fileServer(folder.path);
    for (const name of ['d/none.parquet', 'd', '', 'd/*.parquet']) {
      const error = await refusal(spiral.files(`${server.url}/${name}`));
      expect(error, name).toMatchObject({ code: 'not_found', message: expect.stringContaining('name each file') });
    }
    expect(await refusal(spiral.files(`${server.url}/d`, { format: 'mds' }))).toMatchObject({ code: 'not_found' });
    expect(await refusal(spiral.files(`${server.url}/d/a.parquet?x=1`))).toMatchObject({ code: 'invalid_argument' });
  });

  it('that are replaced while a scan is open are refused', async () => {
    await using server = await fileServer(folder.path);
    await writeFile(at('d', 'changing.parquet'), await readFile(at('d', 'a.parquet')));
    const scan = await spiral.scan(await spiral.files(`${server.url}/d/changing.parquet`));
    await writeFile(at('next'), await readFile(at('d', 'a.parquet')));
    await rename(at('next'), at('d', 'changing.parquet'));
    expect(await refusal(scan.toRows())).toMatchObject({ code: 'file_changed' });
  });

  it('cannot be a warehouse to write to', async () => {
    await using server = await fileServer(folder.path);
    await using web = spiralAt(server.url);
    expect(await refusal(web.createProject('p'))).toMatchObject({ code: 'unsupported' });
  });
});

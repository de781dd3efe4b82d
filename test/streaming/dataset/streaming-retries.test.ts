import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { StreamingDataset } from '../../../src/streaming/dataset/streaming-dataset.js';
import { fileServer } from '../../storage/file-server.js';
import { temporaryFolder } from '../../storage/temporary-folder.js';
import { writeSet } from '../written-set.js';

const world = { rank: 0, worldSize: 1 };

describe('a server that fails', () => {
  it.each([
    { downloadRetry: 0, cached: true, tries: 1 },
    { downloadRetry: 2, cached: true, tries: 3 },
    { downloadRetry: 0, cached: false, tries: 1 },
    { downloadRetry: 1, cached: false, tries: 2 },
  ])(
    'is asked $tries times where downloadRetry is $downloadRetry (cache: $cached)',
    async ({ downloadRetry, cached, tries }) => {
      await using folder = await temporaryFolder();
      await using cache = await temporaryFolder();
      await writeSet(folder.path, 10);
      let shardRequests = 0;
      await using server = await fileServer(folder.path, {
        instead: (request, response) => {
          if (!request.url!.includes('shard.')) return false;
          shardRequests++;
          response.writeHead(503).end();
          return true;
        },
      });
      const local = cached ? { local: cache.path } : {};
      await using dataset = new StreamingDataset({
        remote: server.url,
        ...local,
        downloadRetry,
        world,
        predownload: 0,
      });
      await expect(dataset.get(0)).rejects.toMatchObject({ code: 'unavailable' });
      expect(shardRequests).toBe(tries);
    },
  );
});

describe('a data set without samples', () => {
  it.each(['native', 'mosaic'] as const)('is refused with its place, in order %s', async (order) => {
    await using folder = await temporaryFolder();
    await writeFile(`${folder.path}/index.json`, '{"version":2,"shards":[]}');
    const refusal = {
      code: 'no_rows',
      message: `Expected samples in ${folder.path}, found none. Check the place and the split, or write samples first.`,
    };
    await using dataset = new StreamingDataset({ local: folder.path, order, batchSize: 4, world });
    await dataset.open();
    expect(dataset.size).toBe(0);
    expect(await dataset.slice()).toEqual([]);
    expect(await dataset.get([])).toEqual([]);
    await expect(dataset.get(0)).rejects.toMatchObject(refusal);
    await expect(dataset.batches().next()).rejects.toMatchObject(refusal);
    await expect(dataset[Symbol.asyncIterator]().next()).rejects.toMatchObject(refusal);
    await using loader = dataset.toDataLoader({ feeder: false });
    await expect(loader[Symbol.asyncIterator]().next()).rejects.toMatchObject(refusal);
  });
});

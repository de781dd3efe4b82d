import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { RecordBatch } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { transformModule } from '../../../src/loader/transform-module.js';
import { memoryStore } from '../../../src/storage/memory-store.js';
import { StreamingDataset } from '../../../src/streaming/dataset/streaming-dataset.js';
import type { StreamingOptions } from '../../../src/streaming/dataset/streaming-options.js';
import { builtTransforms } from '../../loader/built-transforms.js';
import { temporaryFolder } from '../../storage/temporary-folder.js';
import { writeSet } from '../written-set.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
  await writeSet(`${folder.path}/train`, 400, { compression: 'zstd' });
});
afterAll(() => folder[Symbol.asyncDispose]());

const alone = { world: { rank: 0, worldSize: 1 }, shuffle: true, shuffleBlockSize: 64, batchSize: 32 };
const idsOf = (batch: RecordBatch): number[] => Array.from(batch.getChild('id')!, Number);

async function epochOf(options: StreamingOptions, feeder = false): Promise<number[][]> {
  await using dataset = new StreamingDataset({ ...alone, ...options });
  const batches: number[][] = [];
  for await (const batch of dataset.batches({ feeder })) batches.push(idsOf(batch));
  return batches;
}

describe('a stream', () => {
  it('is the same where it is, by way of a cache, and by way of one that holds a part of it', async () => {
    const split = 'train';
    const expected = await epochOf({ local: folder.path, split });
    expect(expected.flat()).toHaveLength(400);
    expect(await epochOf({ remote: `file://${folder.path}`, split })).toEqual(expected);
    for (const cacheLimit of [undefined, '20kb']) {
      await using cache = await temporaryFolder();
      const options = {
        remote: folder.path,
        local: cache.path,
        split,
        ...(cacheLimit === undefined ? {} : { cacheLimit }),
      };
      expect(await epochOf(options)).toEqual(expected);
      expect(await epochOf(options, true)).toEqual(expected);
    }
    // What is read where it is is never deleted.
    expect((await readdir(`${folder.path}/train`)).length).toBeGreaterThan(8);
  }, 60_000);

  it('is served to the feeder and map workers where only this thread has it', async () => {
    const store = memoryStore('streaming-places');
    for (const entry of await readdir(`${folder.path}/train`, { withFileTypes: true })) {
      if (!entry.isFile()) continue;
      await store.put(`set/${entry.name}`, await readFile(`${folder.path}/train/${entry.name}`));
    }
    const remote = 'memory://streaming-places/set';
    const expected = await epochOf({ local: `${folder.path}/train` });
    expect(await epochOf({ remote }, true)).toEqual(expected);
    await using dataset = new StreamingDataset({ ...alone, remote });
    await using loader = dataset.toDataLoader<number>({
      mapWorkers: 1,
      transformFn: transformModule(builtTransforms('row-counts'), 'rowCount'),
    });
    let rows = 0;
    for await (const count of loader) rows += count;
    expect(rows).toBe(400);
  }, 60_000);

  it('that is not there, or was damaged, is an error that names it; and so is a state of what it was', async () => {
    await using dataset = new StreamingDataset({ ...alone, local: `${folder.path}/none` });
    await expect(dataset.open()).rejects.toMatchObject({ code: 'not_found' });
    await using copy = await temporaryFolder();
    await writeSet(copy.path, 200);
    const [shard] = (await readdir(copy.path)).filter((name) => name.endsWith('.mds'));
    await using before = await new StreamingDataset({ ...alone, local: copy.path }).open();
    const state = before.stateDict(32);
    const bytes = await readFile(`${copy.path}/${shard}`);
    await writeFile(`${copy.path}/${shard}`, bytes.subarray(0, bytes.length - 9));
    await expect(epochOf({ local: copy.path })).rejects.toMatchObject({ code: 'corrupt_file' });
    await expect(epochOf({ local: copy.path }, true)).rejects.toMatchObject({ code: 'corrupt_file' });
    await rm(copy.path, { recursive: true });
    await writeSet(copy.path, 201);
    await using after = new StreamingDataset({ ...alone, local: copy.path });
    after.loadStateDict(state);
    await expect(after.batches().next()).rejects.toMatchObject({ code: 'state_mismatch', message: /data/ });
  }, 60_000);
});

describe('options of a streaming data set', () => {
  const wrong: readonly [string, object, RegExp][] = [
    ['a place', {}, /`remote` or `local`/],
    ['one way to say where', { remote: 'a', streams: [{ remote: 'b' }] }, /`streams`, or one stream/],
    ['streams', { streams: [] }, /at least one/],
    ['known names', { local: 'a', shufle: true }, /Did you mean 'shuffle'/],
    ['known names in streams', { streams: [{ local: 'a', weight: 1 }] }, /no option `weight`/],
    ['no pickles', { local: 'a', allowUnsafeTypes: true }, /never read/],
    ["MosaicML's alone with its order", { local: 'a', shuffleAlgo: 'py1e' }, /say `order: 'mosaic'`/],
    ['a folder as split', { local: 'a', split: '../b' }, /`split`/],
    ['a folder for the cache', { remote: 'a', cacheLimit: 5 }, /`local`, the folder of the cache/],
    ['bytes', { local: 'a', cacheLimit: '5 apples' }, /'50gb'/],
    ['a hash', { local: 'a', validateHash: 'crc' }, /`validateHash`/],
    ['a flag', { local: 'a', shuffle: 'yes' }, /`shuffle`/],
    ['a size', { local: 'a', batchSize: 0 }, /`batchSize`/],
    ['a world', { local: 'a', world: { rank: 2, worldSize: 2 } }, /`rank`/],
  ];
  it.each(wrong)('want %s', (_, options, message) => {
    expect(() => new StreamingDataset(options as StreamingOptions)).toThrow(message);
  });

  it('touch nothing', () => {
    expect(() => new StreamingDataset({ remote: 'https://nowhere.invalid/x', local: '/nowhere' })).not.toThrow();
  });

  it('end with the data set', async () => {
    const dataset = new StreamingDataset({ ...alone, local: `${folder.path}/train` });
    const batches = dataset.batches({ feeder: false });
    await batches.next();
    await dataset.close();
    await expect(batches.next()).rejects.toMatchObject({ code: 'closed' });
    await expect(dataset.get(0)).rejects.toMatchObject({ code: 'closed' });
    await dataset.close();
  });
});

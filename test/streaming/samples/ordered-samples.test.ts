import { readdirSync, statSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { blockSources, gatherBatch } from '../../../src/arrow/gather.js';
import { isReadable } from '../../../src/loader/placed-block.js';
import { World } from '../../../src/sharding/world.js';
import { fileStore } from '../../../src/storage/file-store.js';
import { openMdsSamples } from '../../../src/streaming/mds/mds-samples.js';
import { NativeOrder } from '../../../src/streaming/native/native-order.js';
import { OrderedSamples } from '../../../src/streaming/samples/ordered-samples.js';
import { SampleReader } from '../../../src/streaming/samples/sample-reader.js';
import { MDSWriter } from '../../../src/streaming/writing/mds-writer.js';
import { lawRuns } from '../../laws.js';
import { temporaryFolder } from '../../storage/temporary-folder.js';

const [count, shardSamples] = [3000, 150];
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let [indexBytes, shardBytesMax] = [0, 0];

beforeAll(async () => {
  folder = await temporaryFolder();
  // Too large to be read with their neighbours: some are wanted alone, others with their whole block.
  const columns = { id: 'int', body: 'bytes' };
  await using writer = new MDSWriter({ out: folder.path, columns, sizeLimit: shardSamples * 3020, existOk: true });
  const body = new Uint8Array(3000);
  for (let id = 0; id < count; id++) await writer.write({ id, body });
  await writer.finish();
  for (const name of readdirSync(folder.path)) {
    const { size } = statSync(`${folder.path}/${name}`);
    if (name === 'index.json') indexBytes = size;
    else shardBytesMax = Math.max(shardBytesMax, size);
  }
});
afterAll(() => folder[Symbol.asyncDispose]());

it('fetches each shard once where the cache has room for those that are mixed, in whatever memory (law 27)', async () => {
  const law = fc.asyncProperty(
    fc.record({
      partitions: fc.integer({ min: 1, max: 4 }),
      window: fc.integer({ min: 1, max: 150 }),
      step: fc.integer({ min: 40, max: 300 }),
      bytesMax: fc.constantFrom(5e5, 2e6, 5e6, 1e9),
      epoch: fc.nat(9),
      ahead: fc.option(fc.nat(400), { nil: undefined }),
    }),
    async ({ partitions, window, step, bytesMax, epoch, ahead }) => {
      await using cache = await temporaryFolder();
      // Of each part two shards and one ahead, and what two reads may want at once.
      const room = 3 * partitions + 2 * Math.ceil(step / shardSamples) + 2;
      const cacheLimitBytes = indexBytes + room * shardBytesMax;
      const opening = { remote: fileStore(folder.path), local: cache.path, cacheLimitBytes };
      const samples = await openMdsSamples({ ...opening, predownload: ahead });
      const { shardSizes, schema } = samples;
      const order = new NativeOrder({
        streams: [{ shardSizes }],
        shuffle: true,
        shuffleBlockSize: window * partitions,
        partitions,
      }).epoch({ epoch, world: new World({ rank: 0, worldSize: 1 }) });
      const epochRead = new OrderedSamples(new SampleReader(samples), { orderOf: () => order, repeatsOf: () => 0 });
      const ids: number[] = [];
      const signal = new AbortController().signal;
      // The next places are read while those before are still on their way, as a loader does.
      let before: Promise<void> = Promise.resolve();
      for (let from = 0; from < count; from += step) {
        const read = epochRead.read(0, from, Math.min(count, from + step), { signal, bytesMax, skipDamaged: false });
        await before;
        before = read.then(({ blocks, ranges, release }) => {
          const sources = blockSources(
            schema,
            blocks.filter(isReadable).map(({ columns }) => columns),
          );
          for (const id of gatherBatch(schema, sources, ranges).getChild('id')!) ids.push(Number(id));
          release();
        });
      }
      await before;
      const expected = new Float64Array(count);
      order.samples(0, count, expected);
      expect(ids).toEqual([...expected]);
      expect(samples.stats().cache).toMatchObject({ downloads: shardSizes.length, redownloads: 0 });
      await samples.close();
    },
  );
  // A span looked ahead into the next read, in less memory than that took.
  const found = { partitions: 2, window: 85, step: 114, bytesMax: 2e6 as const, epoch: 5, ahead: undefined };
  await fc.assert(law, { numRuns: lawRuns(6, 200), endOnFailure: true, examples: [[found]] });
});

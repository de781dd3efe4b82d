import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { blockSources, gatherBatch } from '../../../src/arrow/gather.js';
import { isReadable } from '../../../src/loader/placed-block.js';
import { StreamingDataset } from '../../../src/streaming/dataset/streaming-dataset.js';
import { openMdsSamples } from '../../../src/streaming/mds/mds-samples.js';
import { type ReadSamples, SampleReader } from '../../../src/streaming/samples/sample-reader.js';
import type { SampleShards } from '../../../src/streaming/samples/sample-shards.js';
import { MDSWriter } from '../../../src/streaming/writing/mds-writer.js';
import { lawRuns } from '../../laws.js';
import { temporaryFolder } from '../../storage/temporary-folder.js';
import { writeSet } from '../written-set.js';

const count = 500;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let shards: SampleShards;

beforeAll(async () => {
  folder = await temporaryFolder();
  await writeSet(folder.path, count);
  shards = await openMdsSamples({ local: folder.path });
});
afterAll(async () => {
  await shards.close();
  await folder[Symbol.asyncDispose]();
});

/** The ids of what was read, and their names as shard and row, by which they stand in the data set. */
function idsOf(reader: SampleReader, { blocks, ranges, release }: ReadSamples): { ids: number[]; names: number[] } {
  const sources = blockSources(
    shards.schema,
    blocks.filter(isReadable).map(({ columns }) => columns),
  );
  const ids = Array.from(gatherBatch(shards.schema, sources, ranges).getChild('id')!, Number);
  const names: number[] = [];
  for (let at = 0; at < ranges.count; at++) {
    const { shard, from, rows } = blocks[ranges.source[at]!]!.place;
    const length = typeof ranges.lengths === 'number' ? ranges.lengths : ranges.lengths[at]!;
    for (let row = ranges.start[at]!; row < ranges.start[at]! + length; row++) {
      names.push(reader.places.shardStarts[shard]! + from + (rows === undefined ? row : rows[row]!));
    }
  }
  release();
  return { ids, names };
}

it('gives the samples that are asked for, in that order, whole blocks or alone, kept or picked, and names them', async () => {
  const reader = new SampleReader(shards);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(count - 1), { maxLength: 120 }),
      fc.constantFrom(0, 1, 30, 10_000),
      fc.boolean(),
      async (ids, wanted, picks) => {
        const [block, row] = [new Int32Array(ids.length), new Int32Array(ids.length)];
        reader.places.locate(Float64Array.from(ids), block, row);
        const read = picks ? reader.gather(block, row) : reader.read(block, row, () => wanted);
        expect(idsOf(reader, await read)).toEqual({ ids, names: ids });
      },
    ),
    { numRuns: lawRuns(60, 3000) },
  );
});

it('gives the same in little memory, where the samples of a shuffle lie in more blocks than may be kept', async () => {
  const epochs: number[][][] = [];
  for (const memoryBytesMax of [undefined, 60_000]) {
    await using dataset = new StreamingDataset({ local: folder.path, shuffle: true, batchSize: 20, uneven: 'keep' });
    await using loader = dataset.toDataLoader({
      feeder: false,
      ...(memoryBytesMax === undefined ? {} : { memoryBytesMax }),
    });
    const batches: number[][] = [];
    for await (const batch of loader) batches.push(Array.from(batch.getChild('id')!, Number));
    epochs.push(batches);
  }
  expect(epochs[1]).toEqual(epochs[0]);
  expect(new Set(epochs[0]!.flat()).size).toBe(count);
});

it('forgets a read that failed: the next one tries again', async () => {
  let fails = true;
  const failing: SampleShards = {
    ...shards,
    schema: shards.schema,
    shardSizes: shards.shardSizes,
    pin: async (shard, signal) => {
      if (fails) throw new Error('not now');
      return shards.pin(shard, signal);
    },
  };
  const reader = new SampleReader(failing);
  const [block, row] = [new Int32Array(5), Int32Array.of(0, 1, 2, 3, 4)];
  await expect(reader.read(block, row, () => 1000)).rejects.toThrow('not now');
  await expect(reader.gather(block, row)).rejects.toThrow('not now');
  fails = false;
  expect(idsOf(reader, await reader.read(block, row, () => 1000)).ids).toEqual([0, 1, 2, 3, 4]);
});

it.each([undefined, 'zstd'])(
  'gives long values, which stay where they are stored, as they were written (compression: %s)',
  async (compression) => {
    await using own = await temporaryFolder();
    const long = (id: number) => ({
      id: BigInt(id),
      blob: new Uint8Array((id * 53) % 300).fill(id),
      text: `${id}:${'ä'.repeat((id * 97) % 1400)}`,
      tokens: Uint16Array.from({ length: 40 }, (_, at) => id * 40 + at),
    });
    await using writer = new MDSWriter({
      out: own.path,
      columns: { id: 'int', blob: 'bytes', text: 'str', tokens: 'ndarray:uint16:40' },
      sizeLimit: 40_000,
      ...(compression === undefined ? {} : { compression }),
    });
    for (let id = 0; id < 300; id++) await writer.write(long(id));
    await writer.finish();
    for (const memoryBytesMax of [undefined, 600_000]) {
      await using dataset = new StreamingDataset({ local: own.path, shuffle: true, batchSize: 17, uneven: 'keep' });
      await using loader = dataset.toDataLoader({
        feeder: false,
        ...(memoryBytesMax === undefined ? {} : { memoryBytesMax }),
      });
      const seen = new Set<number>();
      for await (const batch of loader) {
        for (const row of batch) {
          const id = Number(row['id']);
          seen.add(id);
          const { blob, text, tokens } = long(id);
          expect(row['text']).toBe(text);
          expect([...row['blob']]).toEqual([...blob]);
          expect([...row['tokens']]).toEqual([...tokens]);
        }
      }
      expect(seen.size).toBe(300);
    }
  },
);

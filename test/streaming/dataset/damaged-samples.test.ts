import { cp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecordBatch } from 'apache-arrow';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blockSources, gatherBatch } from '../../../src/arrow/gather.js';
import type { SpiralDataLoader } from '../../../src/loader/data-loader.js';
import { isReadable } from '../../../src/loader/placed-block.js';
import { fileStore } from '../../../src/storage/file-store.js';
import { StreamingDataset } from '../../../src/streaming/dataset/streaming-dataset.js';
import type { StreamingOptions } from '../../../src/streaming/dataset/streaming-options.js';
import { openMdsSamples } from '../../../src/streaming/mds/mds-samples.js';
import { type ReadSamples, SampleReader } from '../../../src/streaming/samples/sample-reader.js';
import { JSONWriter } from '../../../src/streaming/writing/json-writer.js';
import { MDSWriter } from '../../../src/streaming/writing/mds-writer.js';
import { lawRuns } from '../../laws.js';
import { throughJson } from '../../loader/loader-cases.js';
import { temporaryFolder } from '../../storage/temporary-folder.js';

const count = 240;
const kinds = ['short', 'long', 'json'] as const;
type Kind = (typeof kinds)[number];

/** A data set, whole and damaged, and which of its samples are lost by what. */
interface Damaged {
  readonly whole: string;
  readonly damaged: string;
  readonly starts: readonly number[];
  /** By their ids: the column that is named, and a part of the cause. */
  readonly lost: ReadonlyMap<number, { readonly column: string | undefined; readonly cause: string }>;
}

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const sets = new Map<Kind, Damaged>();

beforeAll(async () => {
  folder = await temporaryFolder();
  for (const kind of kinds) sets.set(kind, await damagedSet(kind));
});
afterAll(() => folder[Symbol.asyncDispose]());

/** Long texts stay where they are stored, short ones are copied out. */
const textOf = (id: number, kind: Kind): string => `${id}:${'é'.repeat(kind === 'long' ? 300 + (id % 9) : 5)}`;
const tokensOf = (id: number): Uint16Array => Uint16Array.from({ length: 40 }, (_, at) => id + at);

async function write(out: string, kind: Kind): Promise<void> {
  const plain = { id: 'int', text: 'str' };
  await using writer =
    kind === 'json'
      ? new JSONWriter({ out, columns: plain, sizeLimit: 1700 })
      : new MDSWriter({
          out,
          columns: { ...plain, tokens: 'ndarray:uint16:40' },
          sizeLimit: kind === 'long' ? 40_000 : 5500,
        });
  for (let id = 0; id < count; id++) {
    const sample = { id: BigInt(id), text: textOf(id, kind) };
    await writer.write(kind === 'json' ? sample : { ...sample, tokens: tokensOf(id) });
  }
  await writer.finish();
}

interface Shard {
  readonly samples: number;
  readonly raw_data: { readonly basename: string };
}

async function damagedSet(kind: Kind): Promise<Damaged> {
  const [whole, damaged] = [join(folder.path, kind), join(folder.path, `${kind}-damaged`)];
  await write(whole, kind);
  await cp(whole, damaged, { recursive: true });
  const { shards } = JSON.parse(await readFile(join(whole, 'index.json'), 'utf8')) as { shards: Shard[] };
  const starts = [0];
  for (const { samples } of shards) starts.push(starts.at(-1)! + samples);
  expect(shards.length).toBeGreaterThan(4);
  const lost = new Map<number, { column: string | undefined; cause: string }>();
  const path = (shard: number): string => join(damaged, shards[shard]!.raw_data.basename);
  /** Changes bytes of a shard, at a place that follows from where its samples begin. */
  const change = async (shard: number, at: (offset: (sample: number) => number) => number, bytes: Buffer) => {
    const [file, data] = [path(shard), await readFile(path(shard))];
    const table = kind === 'json' ? await readFile(`${file}.meta`) : data;
    bytes.copy(
      data,
      at((sample) => table.readUInt32LE(4 * (1 + sample))),
    );
    await writeFile(file, data);
  };
  const lose = (shard: number, sample: number, cause: string, column?: string): void => {
    lost.set(starts[shard]! + sample, { column, cause });
  };
  const bad = Buffer.of(0xff);
  if (kind === 'json') {
    await change(0, (offset) => offset(3), Buffer.from('x'));
    lose(0, 3, 'at row 3 ');
    await change(1, (offset) => offset(2) + 7, Buffer.from('""'));
    lose(1, 2, `at row ${starts[1]! + 2} `, 'id');
    await change(1, (offset) => offset(4) - 8, bad);
    lose(1, 3, 'UTF-8');
  } else {
    await change(0, (offset) => offset(3) + 12, bad);
    lose(0, 3, 'Expected UTF-8', 'text');
    await change(0, (offset) => offset(0) + 13, bad);
    lose(0, 0, 'Expected UTF-8', 'text');
    await change(1, (offset) => offset(5), Buffer.of(0xff, 0xff, 0, 0));
    lose(1, 5, 'a sample of just its values');
    await change(3, () => 4 * (1 + 9), Buffer.alloc(4));
    lose(3, 8, 'rising offsets');
    lose(3, 9, 'rising offsets');
  }
  await truncate(path(2), 100);
  for (let sample = 0; sample < shards[2]!.samples; sample++) lose(2, sample, path(2));
  return { whole, damaged, starts, lost };
}

const idsOf = (batch: RecordBatch, kind: Kind): number[] => {
  const ids = Array.from(batch.getChild('id')!, Number);
  expect([...batch.getChild('text')!]).toEqual(ids.map((id) => textOf(id, kind)));
  for (const [at, tokens] of [...(batch.getChild('tokens') ?? [])].entries()) {
    expect([...tokens]).toEqual([...tokensOf(ids[at]!)]);
  }
  return ids;
};

async function take(loader: SpiralDataLoader, kind: Kind, most = Number.POSITIVE_INFINITY): Promise<number[][]> {
  const batches: number[][] = [];
  if (most === 0) return batches;
  for await (const batch of loader) if (batches.push(idsOf(batch, kind)) === most) break;
  return batches;
}

const make = (local: string, options: StreamingOptions): StreamingDataset =>
  new StreamingDataset({ local, world: { rank: 0, worldSize: 1 }, ...options });

describe('damaged samples of a stream', () => {
  const arbOptions: fc.Arbitrary<StreamingOptions> = fc.oneof(
    fc.record({
      shuffle: fc.boolean(),
      shuffleBlockSize: fc.constantFrom(20, 100, 1000),
      batchSize: fc.integer({ min: 1, max: 60 }),
    }),
    fc.record({
      order: fc.constant('mosaic' as const),
      shuffle: fc.boolean(),
      batchSize: fc.integer({ min: 1, max: 60 }),
      numCanonicalNodes: fc.constantFrom(1, 2),
    }),
  );

  it('are skipped with `rowErrors`, from any batch on; the report names them, and what is left is in its order', async () => {
    const law = fc.asyncProperty(
      fc.constantFrom(...kinds),
      arbOptions,
      fc.constantFrom('first', 'resumed', 'none', 'none'),
      fc.nat(),
      async (kind, options, threads, pick) => {
        const { whole, damaged, starts, lost } = sets.get(kind)!;
        await using healthy = make(whole, options);
        await using sound = healthy.toDataLoader({ feeder: false });
        const all = await take(sound, kind);
        const given = all.map((ids) => ids.filter((id) => !lost.has(id))).filter((ids) => ids.length > 0);
        const report = join(folder.path, 'bad.jsonl');
        await rm(report, { force: true });
        const rowErrors = { max: count, report };
        await using dataset = make(damaged, options);
        const first = dataset.toDataLoader({ rowErrors, feeder: threads === 'first' });
        const cut = pick % (given.length + 1);
        expect(await take(first, kind, cut)).toEqual(given.slice(0, cut));
        const state = throughJson(first.stateDict());
        await first.close();
        await using resumed = dataset.resumeDataLoader(state, { rowErrors, feeder: threads === 'resumed' });
        // A loader that ended its epoch goes on with the next.
        if (state.epoch === 0) expect(await take(resumed, kind)).toEqual(given.slice(cut));
        const bad = all.flatMap((ids, step) => ids.filter((id) => lost.has(id)).map((id) => ({ step, id })));
        expect(resumed.stateDict().rowErrors).toMatchObject({ skipped: bad.length });
        const lines = (await readFile(report, 'utf8')).split('\n').filter((line) => line !== '');
        expect(lines.map((line) => JSON.parse(line))).toEqual(
          bad.map(({ step, id }) => {
            const shard = starts.findLastIndex((start) => start <= id);
            const { column, cause } = lost.get(id)!;
            const named = column === undefined ? {} : { column };
            const row = id - starts[shard]!;
            return {
              epoch: 0,
              step,
              shard,
              row,
              ...named,
              code: 'corrupt_file',
              cause: expect.stringContaining(cause),
            };
          }),
        );
      },
    );
    await fc.assert(law, { numRuns: lawRuns(14, 600) });
  });

  it('are told apart however samples are read: block by block, alone, or picked out of blocks', async () => {
    for (const kind of kinds) {
      const { damaged, lost } = sets.get(kind)!;
      const shards = await openMdsSamples({ local: damaged });
      const reader = new SampleReader(shards);
      const law = fc.asyncProperty(
        fc.array(fc.nat(count - 1), { maxLength: 80 }),
        fc.constantFrom(0, 1, 10_000),
        fc.boolean(),
        async (ids, wanted, picks) => {
          const [block, row] = [new Int32Array(ids.length), new Int32Array(ids.length)];
          reader.places.locate(Float64Array.from(ids), block, row);
          const reading = { skipDamaged: true };
          const read = await (picks
            ? reader.gather(block, row, reading)
            : reader.read(block, row, () => wanted, reading));
          const { blocks, ranges, release } = read;
          const good = ids.filter((id) => !lost.has(id));
          const given: number[] = [];
          let at = 0;
          for (let range = 0; range < ranges.count; range++) {
            const placed = blocks[ranges.source[range]!]!;
            const rows = typeof ranges.lengths === 'number' ? ranges.lengths : ranges.lengths[range]!;
            for (let end = at + rows, from = ranges.start[range]!; at < end; at++, from++) {
              expect(isReadable(placed)).toBe(!lost.has(ids[at]!));
              if (!isReadable(placed)) {
                expect(reader.places.shardStarts[placed.place.shard]! + placed.place.from + from).toBe(ids[at]!);
                continue;
              }
              const one = { count: 1, source: new Int32Array(1), start: Int32Array.of(from), lengths: 1, total: 1 };
              given.push(
                ...idsOf(gatherBatch(shards.schema, blockSources(shards.schema, [placed.columns]), one), kind),
              );
            }
          }
          expect(given).toEqual(good);
          release();
          if (good.length < ids.length) {
            const refused = picks ? reader.gather(block, row) : reader.read(block, row, () => wanted);
            await expect(refused).rejects.toMatchObject({ code: 'corrupt_file' });
          }
        },
      );
      await fc.assert(law, { numRuns: lawRuns(25, 1000) });
      await shards.close();
    }
  });

  it('end the loader without `rowErrors`, and where there are too many', async () => {
    const { damaged, lost } = sets.get('short')!;
    const options = { shuffle: true, batchSize: 40 };
    await using dataset = make(damaged, options);
    await using plain = dataset.toDataLoader();
    await expect(take(plain, 'short')).rejects.toMatchObject({ code: 'corrupt_file' });
    await using few = dataset.toDataLoader({ rowErrors: { max: lost.size - 1 } });
    await expect(take(few, 'short')).rejects.toMatchObject({
      code: 'too_many_row_errors',
      details: { skipped: lost.size, allowed: lost.size - 1 },
    });
    await using share = dataset.toDataLoader({ rowErrors: { max: '0.1%' } });
    await expect(take(share, 'short')).rejects.toMatchObject({ code: 'too_many_row_errors' });
    await using enough = dataset.toDataLoader({ rowErrors: { max: lost.size } });
    expect((await take(enough, 'short')).flat().length).toBe(count - lost.size);
    expect(enough.stats().rowsSkipped).toBe(lost.size);
  });

  it('are those of a shard whose download is damaged, which is not fetched again for each of them', async () => {
    const remote = join(folder.path, 'remote');
    await using writer = new MDSWriter({
      out: remote,
      columns: { id: 'int', text: 'str' },
      sizeLimit: 4000,
      compression: 'gz',
      hashes: ['sha1'],
    });
    for (let id = 0; id < 60; id++) await writer.write({ id: BigInt(id), text: textOf(id, 'short') });
    await writer.finish();
    const { shards } = JSON.parse(await readFile(join(remote, 'index.json'), 'utf8'));
    const path = join(remote, shards[0].zip_data.basename);
    const bytes = await readFile(path);
    bytes[bytes.length >> 1]! ^= 0xff;
    await writeFile(path, bytes);
    for (const cached of [true, false]) {
      await using dataset = new StreamingDataset({
        remote,
        ...(cached ? { local: join(folder.path, 'cache') } : {}),
        shuffle: true,
        batchSize: 5,
        world: { rank: 0, worldSize: 1 },
        downloadRetry: 0,
      });
      await using loader = dataset.toDataLoader({ rowErrors: { max: '100%' }, feeder: false });
      const ids = (await take(loader, 'short')).flat().sort((a, b) => a - b);
      const first: number = shards[0].samples;
      expect(ids).toEqual(Array.from({ length: 60 - first }, (_, at) => first + at));
      expect(loader.stats().rowsSkipped).toBe(first);
    }
    const samples = await openMdsSamples({
      remote: fileStore(remote),
      local: join(folder.path, 'other'),
      downloadRetry: 0,
    });
    const reader = new SampleReader(samples);
    const lone = (row: number): Promise<ReadSamples> =>
      reader.read(new Int32Array(1), Int32Array.of(row), () => 0, { skipDamaged: true });
    for (const row of [0, 5, 9]) {
      const { blocks } = await lone(row);
      expect(blocks.map(isReadable)).toEqual([false]);
      expect(samples.stats().remote.requests).toBe(1);
    }
    await samples.close();
  });

  it('are not those of a shard that is gone', async () => {
    const gone = join(folder.path, 'gone');
    await cp(sets.get('short')!.whole, gone, { recursive: true });
    await rm(join(gone, 'shard.00001.mds'));
    await using dataset = make(gone, { batchSize: 10 });
    await using loader = dataset.toDataLoader({ rowErrors: { max: '100%' } });
    await expect(take(loader, 'short')).rejects.toMatchObject({ code: 'not_found' });
  });
});

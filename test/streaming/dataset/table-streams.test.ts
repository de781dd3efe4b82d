import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecordBatch } from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import type { KeySpaceIndex } from '../../../src/client/key-space-index.js';
import type { Spiral } from '../../../src/client/spiral.js';
import type { Table } from '../../../src/client/table.js';
import { StreamingDataset } from '../../../src/streaming/dataset/streaming-dataset.js';
import type { StreamingOptions } from '../../../src/streaming/dataset/streaming-options.js';
import { newTable, refusal, spiralAt } from '../../client/spiral-at.js';
import { temporaryFolder } from '../../storage/temporary-folder.js';
import { writeSet } from '../written-set.js';

const count = 500;
const numbers = (length: number): number[] => Array.from({ length }, (_, at) => at);
const idsOf = (batch: RecordBatch): number[] => Array.from(batch.getChild('id')!, Number);
const one = { rank: 0, worldSize: 1 };

/** Every id below 500 that 5 does not divide, indexed; the table has more by now. */
async function filled(spiral: Spiral): Promise<{ table: Table; index: KeySpaceIndex; expected: number[] }> {
  const table = await newTable(spiral);
  const rows = (from: number, to: number): object[] =>
    numbers(to - from).map((at) => ({ id: BigInt(from + at), text: `row ${from + at}`, skip: (from + at) % 5 === 0 }));
  for (const from of [0, 150, 300]) await table.write(rows(from, Math.min(count, from + 200)), { batchRows: 32 });
  const where = table.col('skip').eq(false);
  const index = await spiral.project('p').createKeySpaceIndex('i', 40, table.select('id', 'text'), { where });
  await index.sync();
  await table.write(rows(count, 600));
  return { table, index, expected: numbers(count).filter((id) => id % 5 !== 0) };
}

async function epochOf(dataset: StreamingDataset, feeder = false): Promise<number[]> {
  const ids: number[] = [];
  for await (const batch of dataset.batches({ batchSize: 32, feeder })) ids.push(...idsOf(batch));
  return ids;
}

describe('a stream of a table in a StreamingDataset', () => {
  it('gives every row once an epoch, in the order of any other data, also of a feeder and where it was stopped', async () => {
    await using spiral = spiralAt();
    const { table, index, expected } = await filled(spiral);
    await using stream = await table.toStreaming(index);
    const options: StreamingOptions = { streams: [stream], shuffle: true, shuffleBlockSize: 64, world: one };
    await using dataset = new StreamingDataset(options);
    const first = await epochOf(dataset);
    expect(first).not.toEqual(expected);
    expect([...first].sort((a, b) => a - b)).toEqual(expected);
    await using fed = new StreamingDataset(options);
    expect(await epochOf(fed, true)).toEqual(first);
    await using resumed = new StreamingDataset(options);
    await dataset.open();
    resumed.loadStateDict({ ...dataset.stateDict(0), epoch: 0, sample_in_epoch: 100 } as never);
    expect(await epochOf(resumed)).toEqual(first.slice(100));
    await dataset.close();
    // Whoever made the stream closes it.
    expect(await stream.get(0)).toMatchObject({ id: 1n, text: 'row 1' });
  });

  it('is weighted against others, and gives the same samples by their places', async () => {
    await using spiral = spiralAt();
    await using folder = await temporaryFolder();
    const { table, index, expected } = await filled(spiral);
    await using stream = await table.toStreaming(index);
    await using twice = new StreamingDataset({ streams: [{ stream, repeat: 2 }], world: one });
    const ids = await epochOf(twice);
    expect(ids.sort((a, b) => a - b)).toEqual(expected.flatMap((id) => [id, id]));
    expect(await twice.get(-1)).toEqual(await stream.get(-1));
    await writeSet(folder.path, 20);
    await using mixed = new StreamingDataset({ streams: [stream, { local: folder.path }], world: one });
    expect((await epochOf(mixed)).sort((a, b) => a - b)).toEqual([...expected, ...numbers(20)].sort((a, b) => a - b));
    const projection = table.select('id');
    await using narrow = await table.toStreaming(index, { projection });
    await using unlike = new StreamingDataset({ streams: [narrow, { local: folder.path }], world: one });
    expect(await refusal(unlike.open())).toMatchObject({ code: 'type_mismatch' });
    await using both = new StreamingDataset({ streams: [narrow, narrow], world: one });
    expect((await epochOf(both)).sort((a, b) => a - b)).toEqual(expected.flatMap((id) => [id, id]));
  });

  it('stands alone or with weights: places, downloads and a limit of the cache are refused beside it', async () => {
    await using spiral = spiralAt();
    const { table, index } = await filled(spiral);
    await using stream = await table.toStreaming(index);
    const codeOf = async (options: object): Promise<string> =>
      (await refusal(() => new StreamingDataset({ world: one, ...options } as StreamingOptions))).code;
    for (const wrong of [{ remote: '/x' }, { local: '/x' }, { split: 'train' }, { keepZip: true }, { other: 1 }]) {
      expect(await codeOf({ streams: [{ stream, ...wrong }] })).toBe('invalid_argument');
    }
    expect(await codeOf({ streams: [stream], cacheLimit: '1gb' })).toBe('invalid_argument');
    expect(await codeOf({ streams: [{ stream: 'x' }] })).toBe('invalid_argument');
    expect(await codeOf({ streams: [stream], local: '/x' })).toBe('invalid_argument');
  });

  it('skips with `rowErrors` the shards that need what is damaged in the table, and gives all others', async () => {
    await using folder = await temporaryFolder();
    await using spiral = spiralAt(folder.path);
    const { table, index, expected } = await filled(spiral);
    await using sound = await table.toStreaming(index);
    const whole = sound.shardSizes;
    const files = (await readdir(folder.path, { recursive: true })).filter((path) => path.includes('/data/'));
    let damaged = 0;
    for (const path of files) {
      const bytes = await readFile(join(folder.path, path));
      const at = bytes.indexOf('row 100');
      if (at < 0) continue;
      bytes[at] = 0x2e;
      await writeFile(join(folder.path, path), bytes);
      damaged++;
    }
    expect(damaged).toBeGreaterThan(0);
    // Opened anew: what was checked once is not checked again.
    await using later = spiralAt(folder.path);
    const again = await later.project('p').table('t');
    await using stream = await again.toStreaming(await later.project('p').keySpaceIndex('i'));
    await using dataset = new StreamingDataset({ streams: [stream], world: one });
    const report = join(folder.path, 'bad.jsonl');
    await using loader = dataset.toDataLoader({ feeder: false, rowErrors: { max: '100%', report } });
    const ids: number[] = [];
    for await (const batch of loader) ids.push(...idsOf(batch));
    const lines = (await readFile(report, 'utf8')).trim().split('\n');
    const bad = lines.map((line) => JSON.parse(line) as { shard: number; code: string });
    const starts = whole.map((_, at) => whole.slice(0, at).reduce((a, b) => a + b, 0));
    const lost = new Set(bad.map(({ shard }) => shard));
    expect(lost.size).toBeGreaterThan(0);
    expect(lost.size).toBeLessThan(whole.length);
    const kept = expected.filter((_, at) => !lost.has(starts.findLastIndex((start) => start <= at)));
    expect(ids.sort((a, b) => a - b)).toEqual(kept);
    expect(bad.every(({ code }) => code === 'corrupt_file')).toBe(true);
    expect(loader.stats().rowsSkipped).toBe(expected.length - kept.length);
  });
});

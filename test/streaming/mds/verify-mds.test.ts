import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  inspectMds,
  JSONWriter,
  MDSWriter,
  type MdsProblem,
  type MdsVerification,
  measureMds,
  verifyMds,
} from '../../../src/index.js';
import { allMosaicFixtures, mosaicFixtures } from '../../format/mosaic-fixtures.js';

const root = mkdtempSync(join(tmpdir(), 'spiral-verify-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const samples = Array.from({ length: 500 }, (_, id) => ({
  id,
  text: `sample ${id}`,
  score: id / 4,
  blob: Buffer.alloc(id % 7, id),
}));
const columns = { id: 'int', text: 'str', score: 'float64', blob: 'bytes' };
const plain = join(root, 'plain');
const packed = join(root, 'packed');
const lines = join(root, 'lines');

beforeAll(async () => {
  const hashes = ['sha1', 'xxh64', 'md5'];
  for (const [out, compression] of [
    [plain, null],
    [packed, 'zstd:3'],
  ] as const) {
    await using writer = new MDSWriter({ out, columns, compression, hashes, sizeLimit: 8192 });
    for (const sample of samples) await writer.write(sample);
    await writer.finish();
  }
  await using writer = new JSONWriter({ out: lines, columns: { id: 'int', text: 'str' }, hashes, sizeLimit: 4096 });
  for (const { id, text } of samples) await writer.write({ id, text });
  await writer.finish();
});

async function verified(uri: string): Promise<{ result: MdsVerification; problems: MdsProblem[] }> {
  const problems: MdsProblem[] = [];
  const result = await verifyMds(uri, { onProblem: (problem) => problems.push(problem) });
  return { result, problems };
}

let copies = 0;
/** A copy of a data set, its file number `file` (by name, without the index) changed. */
function damaged(from: string, file: number, change: (path: string) => void): string {
  const folder = join(root, `copy-${copies++}`);
  cpSync(from, folder, { recursive: true });
  const names = readdirSync(folder).filter((name) => name.startsWith('shard.'));
  change(join(folder, names.sort()[file]!));
  return folder;
}

function flip(at: number): (path: string) => void {
  return (path) => {
    const bytes = readFileSync(path);
    const place = at < 0 ? bytes.length + at : at;
    bytes[place] = bytes[place]! ^ 1;
    writeFileSync(path, bytes);
  };
}

describe('verifyMds', () => {
  it.each([
    ['plain', () => plain, 1],
    ['compressed', () => packed, 2],
    ['JSON lines', () => lines, 1],
  ])('finds nothing wrong with a data set of %s', async (_, folder, digestsAFile) => {
    const { result, problems } = await verified(folder());
    expect(problems).toEqual([]);
    expect(result).toMatchObject({ samplesDecoded: 500, problems: 0, hashesUnknown: [] });
    expect(result.shards).toBeGreaterThan(2);
    expect(result.hashes).toBe(result.files * 3 * digestsAFile);
    expect(await verified(join(folder(), 'index.json'))).toEqual({ result, problems });
  });

  it('names the file whose hash is wrong, and still decodes a plain shard', async () => {
    const { result, problems } = await verified(damaged(plain, 1, flip(-1)));
    expect(problems).toMatchObject([{ shard: 1, file: 'shard.00001.mds', code: 'corrupt_file' }]);
    expect(problems[0]!.message).toMatch(/the md5, sha1, xxh64 hash/);
    expect(result).toMatchObject({ problems: 1, samplesDecoded: 500 });
  });

  it('names the sample that cannot be decoded, and decodes those behind it', async () => {
    // The second sample's place is said to be at the end of the file: it and the first one cannot be read.
    const folder = damaged(plain, 0, (path) => {
      const bytes = readFileSync(path);
      const start = bytes.readUInt32LE(4);
      bytes.writeUInt32LE(0xffff, start);
      writeFileSync(path, bytes);
    });
    const { result, problems } = await verified(folder);
    expect(problems.map(({ shard, samples: which }) => [shard, which])).toEqual([
      [0, [0, expect.any(Number)]],
      [0, [0, 0]],
    ]);
    expect(result.samplesDecoded).toBe(499);
  });

  it.each([
    ['cut short', (path: string) => truncateSync(path, 100), 'corrupt_file'],
    ['missing', (path: string) => rmSync(path), 'not_found'],
  ])('goes on behind a file that is %s', async (_, change, code) => {
    for (const folder of [damaged(plain, 2, change), damaged(packed, 2, change)]) {
      const { result, problems } = await verified(folder);
      const { shards } = await inspectMds(folder);
      expect(problems).toMatchObject([{ shard: 2, code }]);
      const before = shards[0]!.samples + shards[1]!.samples;
      expect(problems[0]!.samples).toEqual([before, before + shards[2]!.samples - 1]);
      expect(result.samplesDecoded).toBe(500 - shards[2]!.samples);
    }
  });

  it('finds every flipped byte of a compressed shard', async () => {
    for (const at of [0, 20, -1]) {
      const { problems } = await verified(damaged(packed, 0, flip(at)));
      expect(problems).toMatchObject([{ shard: 0, file: 'shard.00000.mds.zstd' }]);
    }
  });

  it('tells of 100 problems of a shard at most', async () => {
    const folder = damaged(lines, 0, (path) =>
      writeFileSync(path, readFileSync(path, 'utf8').replaceAll('"text"', '"txet"')),
    );
    const { problems, result } = await verified(folder);
    expect(problems.filter(({ shard }) => shard === 0).length).toBeLessThanOrEqual(101);
    expect(result.problems).toBeGreaterThan(0);
  });

  it('refuses what is no data set', async () => {
    await expect(verifyMds(join(root, 'nowhere'))).rejects.toMatchObject({ code: 'not_found' });
    writeFileSync(join(root, 'index.json'), '{"version": 3}');
    await expect(verifyMds(root)).rejects.toMatchObject({ code: 'unsupported' });
    await expect(verifyMds('')).rejects.toMatchObject({ code: 'invalid_argument' });
    await expect(verifyMds(plain, { onProblems: () => {} } as object)).rejects.toMatchObject({
      code: 'invalid_argument',
    });
  });

  it('ends with its signal', async () => {
    const abort = new AbortController();
    const work = verifyMds(plain, { signal: abort.signal, onShard: (at) => at === 1 && abort.abort() });
    await expect(work).rejects.toMatchObject({ code: 'cancelled' });
  });

  it.skipIf(mosaicFixtures === undefined)(
    "finds nothing wrong with MosaicML's own (skipped without fixtures)",
    async () => {
      for (const { name, folder } of allMosaicFixtures()) {
        const { problems } = await verified(folder);
        expect([name, problems.map(({ code }) => code)]).toEqual([name, name === 'pkl' ? ['unsupported_type'] : []]);
      }
    },
  );
});

describe('inspectMds', () => {
  it('tells what the index has', async () => {
    const facts = await inspectMds(packed);
    expect(facts).toMatchObject({
      samples: 500,
      formats: ['mds'],
      compressions: ['zstd'],
      hashes: ['md5', 'sha1', 'xxh64'],
    });
    expect(facts.columns).toEqual([
      { name: 'blob', encoding: 'bytes', type: 'binary' },
      { name: 'id', encoding: 'int', type: 'int64' },
      { name: 'score', encoding: 'float64', type: 'float64' },
      { name: 'text', encoding: 'str', type: 'utf8' },
    ]);
    const stored = facts.shards
      .flatMap(({ files }) => files)
      .map(({ path }) => readFileSync(join(packed, path)).length);
    expect(facts.storedBytes).toBe(stored.reduce((sum, bytes) => sum + bytes, 0));
    expect(facts.rawBytes).toBeGreaterThan(facts.storedBytes);
  });
});

describe('measureMds', () => {
  it('gives the ranges of numbers, and the sizes of text and bytes', async () => {
    let told = 0;
    const stats = await measureMds(plain, { onSamples: (done) => (told = done) });
    expect(told).toBe(500);
    expect(stats.columns).toMatchObject([
      { name: 'blob', measure: 'bytes', least: 0, most: 6 },
      { name: 'id', measure: 'value', least: 0, mean: 249.5, most: 499, nulls: 0, nans: 0 },
      { name: 'score', measure: 'value', least: 0, mean: 62.375, most: 124.75 },
      { name: 'text', measure: 'bytes', least: 8, most: 10 },
    ]);
    expect(stats).toMatchObject({ samples: 500, samplesPerShard: { mean: 500 / stats.shards } });
  });

  it('ends at the first sample that is damaged', async () => {
    const folder = damaged(plain, 1, (path) => truncateSync(path, 64));
    await expect(measureMds(folder)).rejects.toMatchObject({ code: 'corrupt_file' });
  });
});

import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { SpiralError } from '../../../src/core/errors.js';
import { sleep } from '../../../src/core/runtime.js';
import { fileStore } from '../../../src/storage/file-store.js';
import { memoryStore } from '../../../src/storage/memory-store.js';
import type { ObjectStore } from '../../../src/storage/store.js';
import { type MdsSamples, type MdsSamplesOptions, openMdsSamples } from '../../../src/streaming/mds/mds-samples.js';
import { temporaryFolder } from '../../storage/temporary-folder.js';
import { leftovers } from '../cache-folder.js';
import { FlakyStore } from '../flaky-store.js';
import { putTinyMds, type TinyMds, textOf } from '../tiny-mds.js';

const shards = [7, 0, 30, 1, 12];
const starts = [0, 7, 7, 37, 38];

async function remoteOf(data: Partial<TinyMds> = {}): Promise<FlakyStore> {
  const store = memoryStore();
  await putTinyMds(store, { shards, ...data });
  return new FlakyStore(store, 1, {});
}

async function open(options: MdsSamplesOptions): Promise<MdsSamples & AsyncDisposable> {
  const samples = await openMdsSamples(options);
  return Object.assign(samples, { [Symbol.asyncDispose]: () => samples.close() });
}

/** Reads samples `from … to` of a shard and checks them. */
async function readAll(samples: MdsSamples, shard: number, salt = '', from = 0, to = shards[shard]!): Promise<void> {
  const pin = await samples.pin(shard);
  const [ids, texts] = await pin.read(from, to);
  pin.release();
  const offsets = texts!.valueOffsets as Int32Array;
  const bytes = Buffer.from(texts!.values as Uint8Array);
  const found = Array.from(ids!.values as BigInt64Array, (id, at) => ({
    id: Number(id),
    text: bytes.toString('utf8', offsets[at]!, offsets[at + 1]!),
  }));
  const expected = Array.from({ length: to - from }, (_, at) => {
    const id = starts[shard]! + from + at;
    return { id, text: textOf(id, salt) };
  });
  expect(found).toEqual(expected);
}

async function filesOf(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.startsWith('shard')).sort();
}

describe('samples of an MDS data set', () => {
  it.each([
    { compression: undefined, keepZip: false },
    { compression: 'gz', keepZip: false },
    { compression: 'gz', keepZip: true },
  ] as const)('are read through a cache, which a second run finds whole: %o', async ({ compression, keepZip }) => {
    await using folder = await temporaryFolder();
    const remote = await remoteOf(compression === undefined ? {} : { compression });
    {
      await using samples = await open({ remote, local: folder.path, keepZip });
      expect(samples.shardSizes).toEqual(shards);
      expect(samples.schema.fields.map(({ name }) => name)).toEqual(['id', 'text']);
      for (const shard of [3, 0, 2, 4, 1]) await readAll(samples, shard);
      await readAll(samples, 2, '', 11, 29);
      await readAll(samples, 2, '', 5, 5);
      expect(samples.stats().cache).toMatchObject({ downloads: 5, hits: 2, redownloads: 0 });
    }
    const files = await filesOf(folder.path);
    expect(files.length).toBe(keepZip ? 10 : 5);
    expect(files.some((name) => name.endsWith('.gz'))).toBe(keepZip);
    const reads = remote.reads;
    await using again = await open({ remote, local: folder.path, keepZip });
    for (const shard of shards.keys()) await readAll(again, shard);
    expect(again.stats().cache).toMatchObject({ downloads: 0, hits: 5, checked: 0 });
    // All that is asked is whether the index is the same.
    expect(remote.reads - reads).toBe(1);
    expect(again.shardBytes.every((bytes) => bytes > 0)).toBe(true);
  });

  it('are read where they are without a cache, and their files are never deleted', async () => {
    await using folder = await temporaryFolder();
    await putTinyMds(fileStore(join(folder.path, 'train')), { shards, compression: 'gz' });
    const before = await readdir(join(folder.path, 'train'));
    const places: MdsSamplesOptions[] = [
      { local: folder.path, split: 'train' },
      { remote: fileStore(folder.path), local: folder.path, split: 'train' },
      { remote: fileStore(join(folder.path, 'train')) },
    ];
    for (const place of places) {
      await using samples = await open({ ...place, cacheLimitBytes: 1 });
      samples.expect([0, 1, 2]);
      for (const shard of shards.keys()) await readAll(samples, shard);
      expect(await samples.evict(0)).toBe(false);
      expect(samples.stats().cache).toBe(undefined);
      expect(samples.shardBytes).toEqual(shards.map(() => 0));
    }
    expect(await readdir(join(folder.path, 'train'))).toEqual(before);
  });

  it('come right from a remote that fails, stalls, truncates and corrupts', async () => {
    await using folder = await temporaryFolder();
    const remote = await remoteOf({ compression: 'gz' });
    await using samples = await open({
      remote,
      local: folder.path,
      split: '',
      downloadRetry: 12,
      downloadTimeoutMs: 60,
    });
    remote.flakiness = { fail: 0.1, truncate: 0.1, corrupt: 0.1, stall: 0.03 };
    for (let round = 0; round < 2; round++) {
      for (const shard of shards.keys()) {
        await readAll(samples, shard);
        expect(await samples.evict(shard)).toBe(true);
      }
    }
    expect(remote.wrong).toBeGreaterThan(0);
    expect(samples.stats().remote.retries).toBeGreaterThanOrEqual(remote.wrong);
    expect(await filesOf(folder.path)).toEqual([]);
  });

  it('are ahead of what is read by just the samples that predownload says, in whole shards', async () => {
    for (const [predownload, ahead] of [
      [0, 0],
      [1, 1],
      [7, 1],
      [8, 3],
      [37, 3],
      [38, 4],
    ] as const) {
      await using folder = await temporaryFolder();
      await using samples = await open({ remote: await remoteOf(), local: folder.path, predownload });
      samples.expect([0, 1, 2, 3, 4]);
      const since = performance.now();
      while ((await filesOf(folder.path)).length < ahead) await sleep(5);
      await sleep(performance.now() - since + 20);
      expect((await filesOf(folder.path)).length, `predownload ${predownload}`).toBe(ahead);
    }
  });
});

describe('downloads', () => {
  /** A store whose shards fail to be read. */
  function failing(store: ObjectStore, error: () => Promise<never>): { store: ObjectStore; tries: () => number } {
    let tries = 0;
    const read = (path: string, work: () => Promise<unknown>): Promise<unknown> => {
      if (!path.startsWith('shard')) return work();
      tries++;
      return error();
    };
    const wrapped = new Proxy(store, {
      get: (target, name: keyof ObjectStore) => {
        const value = target[name];
        if (typeof value !== 'function') return value;
        return (path: string, ...rest: never[]) =>
          read(path, () => Reflect.apply(value as never, target, [path, ...rest]));
      },
    });
    return { store: wrapped, tries: () => tries };
  }

  it.each([
    ['unavailable', 3],
    ['corrupt_file', 3],
    ['not_found', 1],
    ['permission_denied', 1],
  ] as const)('that fail with %s are tried %i times with a downloadRetry of 2', async (code, times) => {
    await using folder = await temporaryFolder();
    const { store, tries } = failing(await remoteOf(), () => Promise.reject(new SpiralError(code, 'No.')));
    await using samples = await open({ remote: store, local: folder.path });
    await expect(samples.pin(0)).rejects.toMatchObject({ code });
    expect(tries()).toBe(times);
    expect(samples.stats().remote.retries).toBe(times - 1);
    await samples.close();
    expect(await leftovers(folder.path)).toEqual([]);
  });

  it('that never answer end in time', async () => {
    await using folder = await temporaryFolder();
    const { store, tries } = failing(await remoteOf(), () => new Promise<never>(() => {}));
    await using samples = await open({ remote: store, local: folder.path, downloadTimeoutMs: 20, downloadRetry: 1 });
    await expect(samples.pin(0)).rejects.toMatchObject({ code: 'unavailable', details: { timeoutMs: 20 } });
    expect(tries()).toBe(2);
  });

  it('of a file that is damaged at its origin end with its place, and succeed once it is mended', async () => {
    await using folder = await temporaryFolder();
    const remote = await remoteOf();
    const good = await remote.get('shard.00002.mds');
    const bad = Uint8Array.from(good);
    bad[bad.length - 1]! ^= 1;
    await using samples = await open({ remote, local: folder.path });
    for (const damaged of [bad, good.subarray(0, good.length - 1), Buffer.concat([good, Buffer.of(0)])]) {
      await remote.put('shard.00002.mds', damaged);
      await expect(samples.pin(2)).rejects.toMatchObject({
        code: 'corrupt_file',
        details: { file: `${remote.uri}/shard.00002.mds` },
      });
      expect(await filesOf(folder.path)).toEqual([]);
    }
    await remote.put('shard.00002.mds', good);
    await readAll(samples, 2);
  });

  it('unpack to no more than the index has for the file', async () => {
    await using folder = await temporaryFolder();
    const remote = await remoteOf({ compression: 'gz', hashes: [] });
    const index = JSON.parse(Buffer.from(await remote.get('index.json')).toString()) as {
      shards: { zip_data: { bytes: number } }[];
    };
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    index.shards[0]!.zip_data.bytes = bomb.length;
    await remote.put('shard.00000.mds.gz', bomb);
    await remote.put('index.json', Buffer.from(JSON.stringify(index)));
    await using samples = await open({ remote, local: folder.path });
    await expect(samples.pin(0)).rejects.toMatchObject({ code: 'corrupt_file', details: { compression: 'gz' } });
    await readAll(samples, 2);
  });
});

describe('the index', () => {
  it('that was written again is noticed: by those who read the old one, and by the next', async () => {
    await using folder = await temporaryFolder();
    const remote = await remoteOf({ hashes: ['sha256'] });
    const old = await open({ remote, local: folder.path });
    await readAll(old, 0);
    await putTinyMds(remote, { shards, salt: 'new ', hashes: ['sha256'] });
    await expect(old.pin(2)).rejects.toMatchObject({ code: 'file_changed' });
    // What is here is of the old one still.
    await readAll(old, 0);
    const early = await open({ remote, local: folder.path });
    await expect(early.pin(0)).rejects.toMatchObject({ code: 'already_exists' });
    await old.close();
    await readAll(early, 0, 'new ');
    await readAll(early, 2, 'new ');
    expect(early.identity).not.toBe(old.identity);
    await early.close();
  });

  it('is refused where it names a file twice or one of the cache, and where it is not there', async () => {
    await using folder = await temporaryFolder();
    for (const basename of ['shard.00002.mds', 'index.json', '.spiral-cache/ledger']) {
      const remote = await remoteOf();
      const index = JSON.parse(Buffer.from(await remote.get('index.json')).toString()) as {
        shards: { raw_data: { basename: string } }[];
      };
      index.shards[0]!.raw_data.basename = basename;
      await remote.put('index.json', Buffer.from(JSON.stringify(index)));
      await expect(open({ remote, local: folder.path })).rejects.toMatchObject({ code: 'corrupt_file' });
    }
    await expect(open({ remote: memoryStore(), local: folder.path })).rejects.toMatchObject({ code: 'not_found' });
    await expect(open({})).rejects.toMatchObject({ code: 'invalid_argument' });
    const remote = await remoteOf();
    await expect(open({ remote, local: folder.path, validateHash: 'crc' })).rejects.toMatchObject({
      code: 'invalid_argument',
    });
    await using samples = await open({ remote, local: folder.path, validateHash: 'md5' });
    await expect(samples.pin(0)).rejects.toMatchObject({ code: 'invalid_argument', details: { found: ['sha1'] } });
    await expect(samples.pin(5)).rejects.toMatchObject({ code: 'invalid_size' });
  });

  it('counts to the limit, as all files of the folder do', async () => {
    await using folder = await temporaryFolder();
    const remote = await remoteOf();
    const index = (await remote.get('index.json')).length;
    await writeFile(join(folder.path, 'mine.txt'), '123');
    const largest = Math.max(
      ...(await Promise.all(shards.map((_, shard) => remote.get(`shard.0000${shard}.mds`)))).map(
        (bytes) => bytes.length,
      ),
    );
    const least = index + 3 + largest;
    await using tooSmall = await open({ remote, local: folder.path, cacheLimitBytes: least - 1 });
    await expect(tooSmall.pin(0)).rejects.toMatchObject({ code: 'limit_exceeded', details: { least } });
    await using samples = await open({ remote, local: folder.path, cacheLimitBytes: least });
    for (const shard of [2, 0, 4, 2]) await readAll(samples, shard);
    expect((await stat(join(folder.path, 'index.json'))).size).toBe(index);
    expect(await readFile(join(folder.path, 'mine.txt'), 'utf8')).toBe('123');
  });
});

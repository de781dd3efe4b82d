import { readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ClientSettings } from '../../src/client/setting-keys.js';
import type { Spiral } from '../../src/client/spiral.js';
import { openStore } from '../../src/storage/open-store.js';
import type { StoreMetrics } from '../../src/storage/store-meter.js';
import { fileServer } from '../storage/file-server.js';
import { onS3, s3Endpoint, s3Folder } from '../storage/s3-gateway.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { newTable, refusal, spiralAt } from './spiral-at.js';

const rows = (label: string) =>
  Array.from({ length: 20_000 }, (_, id) => ({ id: BigInt(id), text: `${label} ${id}`, score: id / 2 }));

/** Settings whose caches are in `folder` alone, so that what another client finds it finds on disk. */
const cachesIn = (folder: string): Partial<ClientSettings> => ({
  'fragments_cache.disk_path': folder,
  'fragments_cache.memory_capacity_bytes': 0,
  'manifests_cache.disk_path': folder,
  'keys_cache.disk_path': folder,
});

async function writeParquet(path: string, label: string): Promise<void> {
  await using spiral = spiralAt();
  const table = await newTable(spiral);
  await table.write(rows(label));
  await (await spiral.scan(table)).toParquet(path);
  const old = new Date(1.7e12);
  await utimes(path, old, old);
}

/** The texts of the file at `url`, by a loader whose feeder has caches of its own, or without. */
async function textsOf(spiral: Spiral, url: string, feeder: boolean): Promise<string[]> {
  const scan = await spiral.scan(await spiral.files(url));
  if (!feeder) return (await scan.toRows()).map(({ text }) => String(text));
  await using loader = scan.toDataLoader({ feeder: true, batchSize: 500, shuffleShards: false });
  const found: string[] = [];
  for await (const batch of loader) for (const text of batch.getChild('text')!) found.push(String(text));
  return found;
}

describe('files of a web server', () => {
  it.each([false, true])(
    'are read once by all clients of a machine, until they are replaced (feeder: %s)',
    async (feeder) => {
      await using folder = await temporaryFolder();
      await using caches = await temporaryFolder();
      const path = join(folder.path, 'a.parquet');
      await writeParquet(path, 'older');
      await using server = await fileServer(folder.path);
      const url = `${server.url}/a.parquet`;
      const bytesAsked = (): number =>
        server.asked.splice(0).reduce((sum, { headers }) => {
          const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? [];
          return from === undefined ? sum : sum + Number(to) - Number(from) + 1;
        }, 0);
      let metrics: StoreMetrics | undefined;
      const read = async (label: string): Promise<number> => {
        await using spiral = spiralAt(undefined, cachesIn(caches.path));
        expect(await textsOf(spiral, url, feeder)).toEqual(rows(label).map(({ text }) => text));
        metrics = spiral.storeMetrics();
        return bytesAsked();
      };
      const { size } = await stat(path);
      expect(await read('older')).toBeGreaterThan(size / 2);
      expect(await read('older')).toBe(0);
      expect(metrics).toMatchObject({ failures: 0, retries: 0, cacheMisses: 0 });
      expect(metrics?.cacheBytesFromDisk).toBeGreaterThan(size / 2);
      await writeParquet(path, 'newer');
      expect(await read('newer')).toBeGreaterThan(size / 2);
      expect(await read('newer')).toBe(0);
      const uncached = spiralAt(undefined, { 'fragments_cache.enabled': false });
      expect(await textsOf(uncached, url, feeder)).toEqual(rows('newer').map(({ text }) => text));
      expect(bytesAsked()).toBeGreaterThan(size / 2);
      await uncached.close();
    },
  );

  it('are right whatever becomes of the cache', async () => {
    await using folder = await temporaryFolder();
    await using caches = await temporaryFolder();
    await writeParquet(join(folder.path, 'a.parquet'), 'one');
    await using server = await fileServer(folder.path);
    const expected = rows('one').map(({ text }) => text);
    const read = async (): Promise<void> => {
      const small = { 'fragments_cache.disk_capacity_bytes': 16 * 2 ** 20 };
      await using spiral = spiralAt(undefined, { ...cachesIn(caches.path), ...small });
      expect(await textsOf(spiral, `${server.url}/a.parquet`, false)).toEqual(expected);
    };
    await read();
    const [name] = await readdir(caches.path);
    const file = join(caches.path, name!);
    const whole = await readFile(file);
    for (const step of [997, 65_537]) {
      const damaged = Buffer.from(whole);
      for (let at = 0; at < damaged.length; at += step) damaged[at]! ^= 0x55;
      await writeFile(file, damaged);
      await read();
    }
    await writeFile(file, whole.subarray(0, whole.length / 2));
    await read();
    await writeFile(file, '');
    await read();
  });
});

describe.skipIf(s3Endpoint === undefined)(`a table ${onS3}`, () => {
  it('is read from the disk the second time: its data files may be gone', async () => {
    await using caches = await temporaryFolder();
    const uri = await s3Folder();
    await using writer = spiralAt(uri, cachesIn(caches.path));
    const table = await newTable(writer);
    await table.write(rows('a'));
    const texts = rows('a').map(({ text }) => text);
    const read = async (): Promise<unknown[]> => {
      await using spiral = spiralAt(uri, cachesIn(caches.path));
      const scan = await spiral.scan(await spiral.table(table.id));
      return (await scan.toRows()).map(({ text }) => text);
    };
    expect(await read()).toEqual(texts);
    const store = openStore(`${uri}/tables/${table.id}`);
    for await (const { path } of store.list('data/')) await store.delete(path);
    expect(await read()).toEqual(texts);
    await using uncached = spiralAt(uri, { 'fragments_cache.enabled': false });
    const scan = await uncached.scan(await uncached.table(table.id));
    expect((await refusal(scan.toRows())).code).toBe('not_found');
  });

  it('is the one that is in the bucket, though another was there when it was cached', async () => {
    await using caches = await temporaryFolder();
    const uri = await s3Folder();
    const read = async (id: string): Promise<unknown[]> => {
      await using spiral = spiralAt(uri, cachesIn(caches.path));
      const scan = await spiral.scan(await spiral.table(id));
      return (await scan.toRows()).map(({ text }) => text);
    };
    await using writer = spiralAt(uri, cachesIn(caches.path));
    const table = await newTable(writer);
    await table.write(rows('a').slice(0, 10));
    const store = openStore(uri);
    const backup = new Map<string, Uint8Array>();
    for await (const { path } of store.list('')) backup.set(path, await store.get(path));
    await table.write(rows('b').slice(0, 10));
    expect(await read(table.id)).toContain('b 1');
    // The bucket is restored from a backup, and goes on from there.
    for await (const { path } of store.list('')) await store.delete(path);
    for (const [path, bytes] of backup) await store.put(path, bytes);
    expect(await read(table.id)).toContain('a 1');
    await using again = spiralAt(uri, cachesIn(caches.path));
    await (await again.table(table.id)).write(rows('c').slice(0, 10));
    expect(await read(table.id)).toContain('c 1');
  });
});

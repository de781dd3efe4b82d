import { spawnSync } from 'node:child_process';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ShardCache, type ShardPin } from '../../../src/streaming/cache/shard-cache.js';
import { temporaryFolder } from '../../storage/temporary-folder.js';
import { leftovers } from '../cache-folder.js';
import { ByteShards } from './byte-shards.js';

/** Whether this user may mount file systems in memory. */
const mayMount =
  process.platform === 'linux' && process.getuid?.() === 0 && spawnSync('unshare', ['-m', 'true']).status === 0;

describe('a disk that is full', () => {
  it.skipIf(process.platform === 'win32')('is said clearly, and what fits is still had', async () => {
    await using folder = await temporaryFolder();
    const script = fileURLToPath(new URL('full-disk-process.ts', import.meta.url));
    const shell = 'ulimit -f 1024 && exec "$0" --import tsx "$1" "$2"';
    const { stdout, stderr } = spawnSync('bash', ['-c', shell, process.execPath, script, folder.path], {
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toMatchObject({
      code: 'storage_full',
      size: 1000,
      stats: { downloads: 1, hits: 1, evictions: 0 },
    });
    expect(await leftovers(folder.path)).toEqual([]);
  });

  it.skipIf(!mayMount)('is relieved of what is needed last, where no limit was given', async () => {
    await using folder = await temporaryFolder();
    const place = join(folder.path, 'small');
    await mkdir(place);
    expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', place]).status).toBe(0);
    try {
      const source = new ByteShards(Array.from({ length: 8 }, () => 200 * 1024));
      const cache = new ShardCache(place, { source, ahead: { most: 0 } });
      const order = [0, 1, 2, 3, 4, 5, 6, 7, 0, 1];
      cache.expect(order);
      for (const shard of order) (await cache.pin(shard)).release();
      expect(cache.stats().evictions).toBeGreaterThan(0);
      expect(cache.stats().hits).toBeGreaterThan(0);
      const pins: ShardPin[] = [];
      const failed = await (async () => {
        for (const shard of order) pins.push(await cache.pin(shard));
      })().catch((error: unknown) => error);
      expect(failed).toMatchObject({ code: 'storage_full' });
      for (const pin of pins) pin.release();
      for (const shard of order) (await cache.pin(shard)).release();
      await cache.close();
      expect(await leftovers(place)).toEqual([]);
      await rm(join(place, 'data'), { recursive: true });
      expect(await readdir(place)).toEqual(['.spiral-cache']);
    } finally {
      spawnSync('umount', ['-l', place]);
    }
  });
});

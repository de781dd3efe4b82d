import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { linkSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { CacheLedger } from '../../../src/streaming/cache/cache-ledger.js';
import { CacheLock } from '../../../src/streaming/cache/cache-lock.js';
import { type CacheMember, standing, thisMember } from '../../../src/streaming/cache/cache-member.js';
import { ShardCache } from '../../../src/streaming/cache/shard-cache.js';
import { temporaryFolder } from '../../storage/temporary-folder.js';
import { typescript } from '../../typescript.js';
import { bytesIn, leftovers } from '../cache-folder.js';
import { ByteShards, shardBytes } from './byte-shards.js';

/** A member whose process has ended. */
function deadMember(id: string): CacheMember {
  const { pid } = spawnSync(process.execPath, ['-v']);
  return { ...thisMember(id), pid, thread: process.platform === 'linux' ? pid : null };
}

const linux = process.platform === 'linux';

describe('the lock of a cache', () => {
  it('is taken from the dead, also from one that died while it took it from another', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'lock');
    for (const [id, lock] of [
      ['first', 'lock'],
      ['second', 'lock.first'],
      ['third', 'lock.first.second'],
    ] as const) {
      writeFileSync(join(folder.path, id), JSON.stringify(deadMember(id)));
      linkSync(join(folder.path, id), join(folder.path, lock));
    }
    const me = thisMember('me');
    writeFileSync(join(folder.path, 'me'), JSON.stringify(me));
    const lock = new CacheLock(path, join(folder.path, 'me'), (member) => standing(member, me) === 'dead');
    expect(await lock.run(() => readFileSync(path, 'utf8'))).toBe(JSON.stringify(me));
    expect((await readdir(folder.path)).sort()).toEqual(['first', 'me', 'second', 'third']);
  });

  it('is had by one of many processes at a time, those killed with it in their hands too', async () => {
    await using folder = await temporaryFolder();
    await writeFile(join(folder.path, 'number'), '0');
    const script = fileURLToPath(new URL('lock-process.ts', import.meta.url));
    const children = [0, 1, 2].map((at) =>
      // Each adds to the number; one of them is killed by itself with the lock held, after so many.
      fork(script, [folder.path, `${at}`, '60', at % 2 === 1 ? '20' : '-1'], { execArgv: [...typescript] }),
    );
    const ends = await Promise.all(children.map((child) => once(child, 'exit')));
    expect(ends.map(([code, signal]) => signal ?? code)).toEqual([0, 'SIGKILL', 0]);
    expect(await readFile(join(folder.path, 'number'), 'utf8')).toBe('140');
  });
});

describe('members of a cache', () => {
  it.skipIf(!linux)(
    'are told apart by threads and by when they began, so a number that is given again fools nobody',
    () => {
      const me = thisMember('me');
      expect(standing(me, me)).toBe('alive');
      expect(standing({ ...me, began: `${Number(me.began) - 1}` }, me)).toBe('dead');
      expect(standing({ ...me, thread: 2 ** 30 }, me)).toBe('dead');
      expect(standing(deadMember('dead'), me)).toBe('dead');
      expect(standing({ ...me, space: 'pid:[1]' }, me)).toBe('unknown');
      expect(standing({ ...me, boot: 'another' }, me)).toBe('elsewhere');
    },
  );

  it('leave their shards and downloads to others when they die', async () => {
    await using folder = await temporaryFolder();
    const source = new ByteShards([100, 100, 100]);
    await using first = await begun(folder.path, source, 250);
    (await first.pin(0)).release();
    // One that is dead had shard 0 in use, half of shard 1 downloaded, and shard 2 moved to its place but not yet noted.
    const own = join(folder.path, '.spiral-cache');
    const dead = deadMember('deadmember');
    await writeFile(join(own, 'members/deadmember'), JSON.stringify(dead));
    const needs = { pins: [0], fetching: [1, 2], checking: [], waiting: [{ since: 1, shard: 1 }], next: [0, 1, 2] };
    await writeFile(join(own, 'members/deadmember.needs'), JSON.stringify(needs));
    await mkdir(join(own, 'downloads/deadmember.0/data'), { recursive: true });
    await writeFile(join(own, 'downloads/deadmember.0/data/shard.1'), shardBytes(1, 50));
    await writeFile(join(folder.path, 'data/shard.2'), shardBytes(2, 100));
    expect(bytesIn(folder.path)).toBe(250);
    for (const shard of [1, 2]) {
      const pin = await first.pin(shard);
      expect(bytesIn(folder.path)).toBeLessThanOrEqual(250);
      pin.release();
    }
    expect(source.fetched).toEqual([0, 1, 2]);
    expect((await readdir(join(own, 'members'))).some((name) => name.startsWith('dead'))).toBe(false);
    expect(await readdir(join(own, 'downloads'))).toEqual([]);
  });

  it.skipIf(!linux)('of a thread that was ended are dead while their process lives', async () => {
    await using folder = await temporaryFolder();
    const source = new ByteShards([100, 100], undefined, 'threads');
    const worker = new Worker(new URL('cache-thread.mjs', import.meta.url), { workerData: { folder: folder.path } });
    expect((await once(worker, 'message'))[0]).toBe('pinned');
    await using cache = await begun(folder.path, source, 100);
    const waiting = cache.pin(1);
    expect(await cache.evict(0)).toBe(false);
    await worker.terminate();
    (await waiting).release();
    expect(source.fetched).toEqual([1]);
    await cache.close();
    expect(await leftovers(folder.path)).toEqual([]);
  });

  it('of another machine are refused while their hearts beat, and forgotten after', async () => {
    await using folder = await temporaryFolder();
    const source = new ByteShards([100]);
    const members = join(folder.path, '.spiral-cache/members');
    await mkdir(members, { recursive: true });
    const other = { ...thisMember('othermachine'), boot: 'another', host: 'elsewhere' };
    await writeFile(join(members, 'othermachine'), JSON.stringify(other));
    const cache = new ShardCache(folder.path, { source });
    await expect(cache.pin(0)).rejects.toMatchObject({ code: 'unsupported', details: { host: 'elsewhere' } });
    await utimes(join(members, 'othermachine'), 1, 1);
    (await cache.pin(0)).release();
    await cache.close();
    expect(await leftovers(folder.path)).toEqual([]);
  });

  it('check what they find after the machine was started again', async () => {
    await using folder = await temporaryFolder();
    const source = new ByteShards([100, 100]);
    await (await begun(folder.path, source, 200)).close();
    const ledger = (boot: string): CacheLedger =>
      new CacheLedger(join(folder.path, '.spiral-cache/ledger'), { count: 2, identity: source.identity, boot });
    expect(ledger('another boot').standing()).toBe('again');
    ledger('another boot').begin(new Map([[0, 100]]), 0);
    await mkdir(join(folder.path, 'data'));
    await writeFile(join(folder.path, 'data/shard.0'), new Uint8Array(100));
    await using cache = await begun(folder.path, source, 200);
    (await cache.pin(0)).release();
    expect(cache.stats()).toMatchObject({ checked: 1, damaged: 1, downloads: 1 });
  });
});

describe('a folder that is deleted under a cache', () => {
  it('is an error of what was under way, and is made again by the next call', async () => {
    await using folder = await temporaryFolder();
    const source = new ByteShards([100, 100]);
    await using cache = await begun(folder.path, source, 200);
    (await cache.pin(0)).release();
    await cache.sizeBytes();
    await rm(folder.path, { recursive: true });
    await expect(cache.pin(1)).rejects.toMatchObject({ code: 'unavailable' });
    for (const shard of [1, 0]) {
      const pin = await cache.pin(shard);
      expect(await readFile(join(folder.path, `data/shard.${shard}`))).toEqual(Buffer.from(shardBytes(shard, 100)));
      pin.release();
    }
    expect(cache.stats()).toMatchObject({ downloads: 3 });
  });
});

describe('room that is too small for all', () => {
  it('fails the one that came last, and the other goes on', async () => {
    await using folder = await temporaryFolder();
    const source = new ByteShards([100, 100, 100, 100]);
    await using one = await begun(folder.path, source, 299);
    await using two = await begun(folder.path, source, 299);
    const [first, second] = [await one.pin(0), await two.pin(1)];
    const [older, newer] = [one.pin(2), two.pin(3).catch((error: unknown) => error)];
    expect(await newer).toMatchObject({ code: 'limit_exceeded', details: { least: 400, members: 2 } });
    second.release();
    (await older).release();
    first.release();
    (await two.pin(3)).release();
  });

  it('lets one that holds nothing wait behind those who came before', async () => {
    await using folder = await temporaryFolder();
    const source = new ByteShards([100, 100, 100]);
    await using one = await begun(folder.path, source, 100);
    await using two = await begun(folder.path, source, 100);
    const held = await one.pin(0);
    const order: number[] = [];
    const visit = async (cache: ShardCache, shard: number): Promise<void> => {
      const pin = await cache.pin(shard);
      order.push(shard);
      pin.release();
    };
    const first = visit(two, 1);
    while (two.stats().waits === 0) await new Promise((resolve) => setImmediate(resolve));
    const second = visit(one, 2);
    held.release();
    await Promise.all([first, second]);
    expect(order).toEqual([1, 2]);
  });
});

async function begun(folder: string, source: ByteShards, limitBytes: number): Promise<ShardCache & AsyncDisposable> {
  const cache = new ShardCache(folder, { source, limitBytes, standstillMs: 100, ahead: { most: 0 } });
  await cache.sizeBytes();
  return Object.assign(cache, { [Symbol.asyncDispose]: () => cache.close() });
}

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { permutation, type RandomStream, randomStream } from '../../../src/core/random.js';
import { sleep } from '../../../src/core/runtime.js';
import { fileStore } from '../../../src/storage/file-store.js';
import { lawRuns } from '../../laws.js';
import { temporaryFolder } from '../../storage/temporary-folder.js';
import { typescript } from '../../typescript.js';
import { leftovers, watchBytes } from '../cache-folder.js';
import { putTinyMds } from '../tiny-mds.js';
import type { CacheTask } from './cache-process.js';

const script = fileURLToPath(new URL('cache-process.ts', import.meta.url));

/** Runs `task` to its end, in processes one after the other, as each is killed at its time. */
async function runKilled(task: CacheTask, kills: number, random: RandomStream): Promise<void> {
  let done = 0;
  for (let life = 0; done < task.order.length; life++) {
    const child = fork(script, [JSON.stringify({ ...task, seed: task.seed + life, order: task.order.slice(done) })], {
      execArgv: [...typescript],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let errors = '';
    child.stderr!.on('data', (data: Buffer) => {
      errors += data.toString();
    });
    const lives =
      life < kills ? 1 + random.below(Math.max(1, Math.floor(task.order.length / (kills + 1)))) : Number.NaN;
    let seen = 0;
    const delayMs = 30 * random.unit();
    child.on('message', (message: { at?: number }) => {
      if (message.at === undefined) return;
      done++;
      if (++seen === lives) void sleep(delayMs).then(() => child.kill('SIGKILL'));
    });
    // What it said last may come after its end.
    const [[code, signal]] = await Promise.all([once(child, 'exit'), once(child, 'disconnect')]);
    if (signal !== 'SIGKILL' && code !== 0) throw new Error(`exited with ${code ?? signal}: ${errors}`);
  }
}

describe('a cache of several processes', () => {
  it('gives right samples under its limit, whatever the remote does and whoever is killed', async () => {
    const rounds = lawRuns(1, 8);
    for (let round = 0; round < rounds; round++) {
      await using remote = await temporaryFolder();
      await using local = await temporaryFolder();
      const random = randomStream('cache-processes', round);
      const shards = Array.from({ length: lawRuns(20, 60) }, () => 20 + random.below(60));
      await putTinyMds(fileStore(remote.path), { shards, ...(round % 2 === 1 ? { compression: 'gz' } : {}) });
      const starts = [0];
      for (const samples of shards) starts.push(starts.at(-1)! + samples);
      const { shards: infos } = JSON.parse(await readFile(join(remote.path, 'index.json'), 'utf8')) as {
        shards: { raw_data: { bytes: number } }[];
      };
      const index = statSync(join(remote.path, 'index.json')).size;
      const limit = index + Math.floor(infos.reduce((sum, { raw_data }) => sum + raw_data.bytes, 0) / 2);
      const watcher = watchBytes(local.path);
      const tasks = [0, 1, 2, 3].map((rank) => {
        const order = [...permutation(shards.length, randomStream('cache-order', round, rank))];
        const task = { remote: remote.path, local: local.path, limit, order, starts, seed: 100 * rank, holdMs: rank };
        return runKilled(task, rank === 0 ? 0 : lawRuns(1, 6), randomStream('cache-kills', round, rank));
      });
      // All end before any failure is told, so that none works in a folder that is gone.
      const ends = await Promise.allSettled(tasks);
      for (const end of ends) if (end.status === 'rejected') throw end.reason;
      const { most, looks } = watcher.stop();
      expect(looks).toBeGreaterThan(10);
      expect(most).toBeGreaterThan(limit / 3);
      expect(most).toBeLessThanOrEqual(limit);
      // What the killed left is cleared away by those who go on.
      expect(await leftovers(local.path)).toEqual([]);
      for (const name of (await readdir(local.path)).filter((file) => file.endsWith('.mds'))) {
        const shard = infos.find(({ raw_data }) => (raw_data as { basename?: string }).basename === name);
        expect(statSync(join(local.path, name)).size).toBe(shard?.raw_data.bytes);
      }
    }
  });
});
